"""What may be said against a margin. The only place where a verdict is given."""

from core.proportions import Interval
from study.statistics.rule import different

ALPHA = 0.025
"""One-sided; the interval's level is 1 - 2 alpha."""


def verdict(interval: Interval, margin: float | None, p: float, alpha: float = ALPHA) -> str:
    """`equivalent`, `non_inferior`, `different` or `inconclusive`.

    equivalent     -margin < low and high < margin
    non_inferior   -margin < low, but high >= margin
    different      p of the test of a difference is at most 2 alpha, and neither of the above
    inconclusive   anything else

    Without a margin only the last two are possible. The interval answers to the margin alone and the test to zero
    alone: each claim has its own rule, and a verdict never stands beside a p that contradicts it.
    """
    low, high = interval
    if margin is not None and low > -margin:
        return "equivalent" if high < margin else "non_inferior"
    return "different" if different(p, alpha) else "inconclusive"


def state(
    delta: float,
    interval: Interval,
    margin: float | None,
    level: float,
    measure: str,
    p: float,
    *,
    withheld: str = "",
    own: Interval | None = None,
) -> str:
    """The verdict in a sentence with its numbers, in percentage points.

    ``withheld`` is why there is none; ``own`` the interval of the test of a difference, where it has one.
    """
    alpha = (1 - level) / 2
    changed = change(delta, interval, level, measure)
    if withheld:
        return f"{changed}. No verdict is given: {withheld}"
    if margin is None:
        found = "a difference was found" if different(p, alpha) else "a difference was not shown"
        return f"{changed}; {found} (p = {_p(p)}). No margin was fixed beforehand."
    points = f"{100 * margin:g} points"
    given = verdict(interval, margin, p, alpha)
    text = {
        "equivalent": f"within the margin of {points} on both sides: equivalent at that margin",
        "non_inferior": f"above the lower margin of −{points}, but not below the upper one: non-inferior",
        "different": f"reaching beyond the margin of {points}: a difference was found (p = {_p(p)}{_own(own)})",
        "inconclusive": f"reaching beyond the margin of {points}, and a difference was not shown (p = {_p(p)}): "
        "nothing can be claimed",
    }[given]
    also = ""
    if given in ("equivalent", "non_inferior") and different(p, alpha):
        also = f" A difference was found as well (p = {_p(p)}), smaller than the margin excludes."
    return f"{changed}, {text}.{also}"


def _own(interval: Interval | None) -> str:
    if interval is None:
        return ""
    return f"; the test’s own interval, not widened for what was not drawn, is {_points(interval[0])} to " + _points(
        interval[1]
    )


def change(delta: float, interval: Interval, level: float, measure: str) -> str:
    """The estimate and its interval in words, without a full stop."""
    low, high = interval
    return (
        f"The {measure} changed by {_points(delta)} points ({100 * level:g} % interval {_points(low)} to "
        f"{_points(high)})"
    )


def corrected(given: str, p: float, comparisons: int) -> str:
    """A verdict that was corrected for ``comparisons``, in a sentence."""
    said = {
        "equivalent": "equivalent",
        "non_inferior": "non-inferior",
        "different": "a difference was found",
        "inconclusive": "nothing can be claimed",
    }[given]
    return f"Corrected for {comparisons} comparisons (Holm): {said} (p of a difference {_p(p)})."


def _points(value: float) -> str:
    return f"{100 * value:+.1f}".replace("-", "−")


def _p(value: float) -> str:
    return "below 0.001" if value < 0.001 else f"{value:.3f}"
