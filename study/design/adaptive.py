"""Which level to show next: a Bayesian rule that asks where an answer is expected to tell the most.

In the manner of QUEST+ (Watson, Journal of Vision 17(3):10, 2017), written from the paper's idea: a grid over the
threshold, slope and lapse rate of one reader holds a probability for each combination. The next level is the one after
whose answer, right or wrong, the least entropy of the threshold is expected to be left, slope and lapse rate summed out
(Prins, Journal of Vision 13(7):3, 2013): they are asked for as far as the threshold needs them. Numbers in, numbers
out: the same answers give the same choices on every machine.

    p(right) = guess + (1 - guess - lapse) F(slope (log level - log threshold)), F logistic; at level 0 it is guess

so that the threshold is the level at which F = 1/2, as in ``statistics.psychometric``.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from math import exp, log
from typing import Any, Literal, Self

import numpy as np

DECIMALS = 9
"""Expected entropies that agree to so many decimals are a tie, which the weaker level wins: no rounding error of a
processor decides what is shown."""


@dataclass(frozen=True)
class Prior:
    """What is held possible before the first answer: every combination of the three, thresholds evenly in the log.

    Thresholds have even weights. Slopes around 4.5 and small lapse rates are held likelier, as forced choices of
    trained observers give them.
    """

    lowest: float
    highest: float
    thresholds: int = 61
    slopes: tuple[float, ...] = (2.0, 3.0, 4.5, 6.5, 9.0)
    slope_weights: tuple[float, ...] = (0.1, 0.2, 0.3, 0.25, 0.15)
    lapses: tuple[float, ...] = (0.0, 0.02, 0.05, 0.1, 0.15)
    lapse_weights: tuple[float, ...] = (0.4, 0.3, 0.15, 0.1, 0.05)
    guess: float = 0.5
    about: Literal["threshold", "all"] = "threshold"
    """Whose entropy the next answer shall lessen: the threshold's alone, or that of all three together."""

    def __post_init__(self) -> None:
        if not 0 < self.lowest < self.highest:
            raise ValueError(f"thresholds from {self.lowest} to {self.highest}: both must be positive and rise")
        if len(self.slopes) != len(self.slope_weights) or len(self.lapses) != len(self.lapse_weights):
            raise ValueError("every slope and every lapse rate needs a weight")

    @classmethod
    def around(cls, levels: Iterable[float], *, guess: float = 0.5, reach: float = 2.0) -> Self:
        """Thresholds from ``reach`` times below the weakest of ``levels`` to ``reach`` times above the strongest."""
        shown = [level for level in levels if level > 0]
        if not shown:
            raise ValueError("no level above 0")
        return cls(lowest=min(shown) / reach, highest=max(shown) * reach, guess=guess)

    def to_json(self) -> dict[str, Any]:
        """As a frozen protocol holds it."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> Self:
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()
        }
        return cls(**({"about": "all"} | values))  # as it was before a protocol said so


@dataclass(frozen=True)
class Estimate:
    """The posterior in short: the threshold is the mean of its logarithm, ``spread`` that logarithm's SD."""

    threshold: float
    spread: float
    slope: float
    lapse: float
    trials: int


@dataclass
class Rule:
    """One reader's posterior for one ladder. ``tell`` it every answer; ``choose`` from the levels that can be shown."""

    prior: Prior
    trials: int = 0
    _weight: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._weight = self._start.copy()

    @cached_property
    def _grids(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """log threshold (T, 1, 1), slope (1, S, 1), lapse (1, 1, L)."""
        prior = self.prior
        places = np.linspace(log(prior.lowest), log(prior.highest), prior.thresholds)
        return places[:, None, None], np.array(prior.slopes)[None, :, None], np.array(prior.lapses)[None, None, :]

    @cached_property
    def _start(self) -> np.ndarray:
        prior = self.prior
        slope, lapse = np.array(prior.slope_weights)[:, None], np.array(prior.lapse_weights)[None, :]
        weight = np.broadcast_to(slope * lapse, (prior.thresholds, len(prior.slopes), len(prior.lapses)))
        return weight / weight.sum()

    def copy(self) -> "Rule":
        other = Rule(self.prior, self.trials)
        other._weight = self._weight
        return other

    def _right(self, level: float) -> np.ndarray:
        """P(right) of every combination at one level, (T, S, L)."""
        place, slope, lapse = self._grids
        guess = self.prior.guess
        distance = log(level) - place if level > 0 else np.full(place.shape, -np.inf)
        seen = 1 / (1 + np.exp(-np.clip(slope * distance, -60, 60)))
        return guess + (1 - guess - lapse) * seen

    def tell(self, level: float, right: bool) -> None:
        """An answer at ``level``. One to an identical pair (level 0) teaches nothing."""
        self.trials += 1
        p = self._right(level)
        weight = self._weight * (p if right else 1 - p)
        self._weight = weight / weight.sum()

    def expected_entropy(self, level: float) -> float:
        """What is expected to be unknown, of the threshold or of all three, after an answer at ``level``, in nats."""
        p = self._right(level)
        left = 0.0
        for outcome in (p, 1 - p):
            joint = self._weight * outcome
            if self.prior.about == "threshold":
                joint = joint.sum(axis=(1, 2))
            total = float(joint.sum())
            if total > 0:
                after = joint / total
                left -= total * float((after * np.log(after, out=np.zeros_like(after), where=after > 0)).sum())
        return left

    def choose(self, levels: Sequence[float]) -> int:
        """Index of the level to show; of equally good ones the weakest."""
        if not levels:
            raise ValueError("no level to choose from")
        order = sorted(range(len(levels)), key=lambda index: (levels[index], index))
        return min(order, key=lambda index: round(self.expected_entropy(levels[index]), DECIMALS))

    def estimate(self) -> Estimate:
        place, slope, lapse = self._grids
        weight = self._weight
        mean = float((weight * place).sum())
        spread = float((weight * (place - mean) ** 2).sum()) ** 0.5
        return Estimate(
            threshold=exp(mean),
            spread=spread,
            slope=exp(float((weight * np.log(slope)).sum())),
            lapse=float((weight * lapse).sum()),
            trials=self.trials,
        )


@dataclass
class Course:
    """One reader's way through all ladders: a rule for each. A ladder's name is "" for identical pairs.

    Every step does the same work, whichever ladder and level it is: identical pairs are worked through a rule that
    nobody asks. So the time that a step takes says how many trials there were, and nothing else.
    """

    priors: Mapping[str, Prior]
    rules: dict[str, Rule] = field(init=False)

    def __post_init__(self) -> None:
        self.rules = {name: Rule(prior) for name, prior in self.priors.items()}
        self.rules[""] = Rule(next(iter(self.priors.values())))

    def tell(self, ladder: str, level: float, right: bool) -> None:
        self.rules[ladder].tell(level, right)

    def choose(self, ladder: str, levels: Sequence[float]) -> int:
        return self.rules[ladder].choose(levels)

    def choices(self, told: tuple[str, float], asked: tuple[str, Sequence[float]]) -> dict[bool, int]:
        """What to show in ``asked`` (ladder, levels) after an answer to ``told`` (ladder, level), right and wrong.

        Both are always computed. What is done for an answer does not depend on whether it is right.
        """
        found = {}
        for right in (True, False):
            rules = dict(self.rules)
            ladder, level = told
            rules[ladder] = rules[ladder].copy()
            rules[ladder].tell(level, right)
            found[right] = rules[asked[0]].choose(asked[1])
        return found
