"""Figures as matplotlib objects: no Django, no screen, colours that the colour-blind can tell apart (Okabe and Ito)."""
