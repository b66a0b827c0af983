"""What torchvision's weights expect of their images. No torch: forms show it."""

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Means and spreads of the channels, of pixels from 0 to 1."""
