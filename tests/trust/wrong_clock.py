"""The project's WSGI application with a clock that is wrong by the seconds in the file that ``WRONG_CLOCK`` names.

All that the project reads as the time of day is set: Django's ``timezone.now``, ``time.time``, and ``datetime.now``
where the clock is watched. As on a real machine, the clock that nobody sets (``time.monotonic``) runs on.
"""

import datetime
import os
import time
from pathlib import Path

from django.utils import timezone

FILE = Path(os.environ["WRONG_CLOCK"])
right_time, right_now = time.time, timezone.now


def wrong_by() -> float:
    return float(FILE.read_text())


class WrongDatetime(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.now(tz) + datetime.timedelta(seconds=wrong_by())


time.time = lambda: right_time() + wrong_by()
timezone.now = lambda: right_now() + datetime.timedelta(seconds=wrong_by())

from config.wsgi import application  # noqa: E402, F401  # after the clock, so that every default takes the wrong one
from study.protocol import clock  # noqa: E402

clock.datetime = WrongDatetime
