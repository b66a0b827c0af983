"""Several comparisons of one study: Holm's correction, and claims from adjusted p values.

With four control arms each judged at its own 2.5 %, one study in eleven claims something false of an arm.
"""

from collections.abc import Mapping
from dataclasses import dataclass


def holm(p: Mapping[str, float | None]) -> dict[str, float | None]:
    """Holm's (1979) adjusted p values: the k-th smallest of m times m - k + 1, never below an earlier one.

    Whatever the dependence between the comparisons, claiming where the adjusted p is at most alpha claims anything
    false with probability at most alpha. A None (no comparison could be made) stays None and does not count.
    """
    known = sorted((value, name) for name, value in p.items() if value is not None)
    adjusted: dict[str, float | None] = dict.fromkeys(p)
    largest = 0.0
    for rank, (value, name) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - rank) * value))
        adjusted[name] = largest
    return adjusted


@dataclass(frozen=True)
class Evidence:
    """The p values of one comparison; None where it could not be made, or no margin was fixed."""

    difference: float | None
    """Two-sided, against no change."""
    above: float | None = None
    """One-sided, against a change of -margin or worse: non-inferiority."""
    below: float | None = None
    """One-sided, against a change of +margin or more; with ``above`` equivalence."""

    @property
    def equivalence(self) -> float | None:
        return None if self.above is None or self.below is None else max(self.above, self.below)


@dataclass(frozen=True)
class Adjusted:
    """One arm's claim after Holm over all arms."""

    verdict: str | None
    difference_p: float | None
    non_inferiority_p: float | None
    equivalence_p: float | None


def holm_over_arms(arms: Mapping[str, Evidence], alpha: float) -> dict[str, Adjusted]:
    """Claims over several arms. Each kind of claim is one family: its false claims, over all arms, keep its level.

    Non-inferiority and equivalence are claimed at ``alpha`` (one-sided), a difference at 2 ``alpha`` (two-sided), as
    for a single comparison (:mod:`study.statistics.verdict`), whose names the verdicts have.
    """
    difference = holm({arm: evidence.difference for arm, evidence in arms.items()})
    non_inferiority = holm({arm: evidence.above for arm, evidence in arms.items()})
    equivalence = holm({arm: evidence.equivalence for arm, evidence in arms.items()})

    def claim(arm: str) -> str | None:
        if arms[arm].difference is None:
            return None
        for name, p, level in (
            ("equivalent", equivalence[arm], alpha),
            ("non_inferior", non_inferiority[arm], alpha),
            ("different", difference[arm], 2 * alpha),
        ):
            if p is not None and p <= level:
                return name
        return "inconclusive"

    return {arm: Adjusted(claim(arm), difference[arm], non_inferiority[arm], equivalence[arm]) for arm in arms}
