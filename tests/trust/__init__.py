"""What the server must survive: kills, a full disk, a stopped database, a wrong clock, two tabs; and what logs must not hold.

Small in ``make test``; ``make trust`` sets the sizes in ``sizes.py`` to what docs/trust.md promises.
"""
