"""What the server must survive: kills, a full disk, a stopped database, a wrong clock, two tabs. And clean logs.

Small in ``make test``; ``make trust`` sets the sizes in ``sizes.py`` to what docs/trust.md promises.
"""
