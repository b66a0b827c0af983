"""What may be said against a margin. The only place where a verdict is given."""

from study.statistics.paired import Interval

ALPHA = 0.025
"""One-sided; the interval's level is 1 - 2 alpha."""


def verdict(interval: Interval, margin: float | None) -> str:
    """`equivalent`, `non_inferior`, `different` or `inconclusive`.

    equivalent     -margin < low and high < margin
    non_inferior   -margin < low, but high >= margin
    different      0 is outside the interval, and neither of the above
    inconclusive   anything else

    Without a margin only the last two are possible.
    """
    low, high = interval
    if margin is not None and low > -margin:
        return "equivalent" if high < margin else "non_inferior"
    return "different" if low > 0 or high < 0 else "inconclusive"


def state(delta: float, interval: Interval, margin: float | None, level: float, measure: str) -> str:
    """The verdict in a sentence with its numbers, in percentage points."""
    low, high = interval
    numbers = f"{_points(delta)} points ({100 * level:g} % interval {_points(low)} to {_points(high)})"
    if margin is None:
        beyond = "excludes zero" if low > 0 or high < 0 else "does not exclude zero"
        return f"The {measure} changed by {numbers}; the interval {beyond}. No margin was fixed beforehand."
    points = f"{100 * margin:g} points"
    text = {
        "equivalent": f"within the margin of {points} on both sides: equivalent at that margin",
        "non_inferior": f"above the lower margin of −{points}, but not below the upper one: non-inferior",
        "different": "excluding zero and reaching beyond the margin: a difference was found",
        "inconclusive": f"reaching beyond the margin of {points} while not excluding zero: nothing can be claimed",
    }[verdict(interval, margin)]
    also = ""
    if verdict(interval, margin) in ("equivalent", "non_inferior") and (low > 0 or high < 0):
        also = " Zero lies outside the interval, so a difference was found as well, smaller than the margin excludes."
    return f"The {measure} changed by {numbers}, {text}.{also}"


def _points(value: float) -> str:
    return f"{100 * value:+.1f}".replace("-", "−")
