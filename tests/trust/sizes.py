"""How much is tried: little in ``make test``, all of it in ``make trust`` (``TRUST=full``)."""

import os

FULL = os.environ.get("TRUST") == "full"


def _size(name: str, small: int, full: int) -> int:
    return int(os.environ.get(name) or (full if FULL else small))


KILLS = _size("TRUST_KILLS", 25, 500)  # on each database
READERS = 16
CROWD = 64
CROWD_SECONDS = _size("TRUST_SECONDS", 15, 300)
ROUNDS = _size("TRUST_ROUNDS", 15, 70)  # of two tabs, of each reader on each database
STOPS = _size("TRUST_STOPS", 1, 8)  # of the database
