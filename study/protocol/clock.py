"""Whether the server's clock can be believed: it is compared with the log and with a clock that nobody sets.

A clock that is ahead when a set is finished would lengthen the wash-out. An event whose time is earlier than that of
the event before it is flagged in the log; so is every event while the clock stands elsewhere than the time that has
passed since this process began tells. Small steps are left alone: time servers make them.
"""

import time
from datetime import UTC, datetime, timedelta

MOST = timedelta(seconds=60)
KEY = "clock"
"""Under this key an event's detail says what is wrong with its time."""


def _running() -> timedelta:
    """Time that has passed, sleep of the machine included, by a clock that nobody sets."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return timedelta(seconds=time.monotonic() if boot is None else time.clock_gettime(boot))


class Watch:
    """The clocks as they stood when the process began."""

    def __init__(self) -> None:
        self.began, self.ran = datetime.now(UTC), _running()

    def doubts(self, now: datetime, last: datetime | None) -> str:
        """What is wrong with ``now``, in words; ``""`` where nothing is. ``last`` is the time of the event before."""
        said = []
        if last is not None and now < last:
            said.append(f"{in_words(last - now)} earlier than the event before it")
        jump = (now - self.began) - (_running() - self.ran)
        if abs(jump) > MOST:
            way = "forward" if jump > timedelta() else "back"
            said.append(f"the clock was set {way} by {in_words(abs(jump))} while the server ran")
        return "; ".join(said)


WATCH = Watch()


def in_words(span: timedelta) -> str:
    """A span of time, to two places that matter."""
    seconds = span.total_seconds()
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.3g} seconds"
