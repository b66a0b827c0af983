"""The levels of a study's ladders: made from each case's altered images, measured and judged on their bytes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np

from attacks.engine.controls import shuffled_noise
from attacks.engine.ladder import ladder, targets
from attacks.engine.pairs import norms_of
from core.errors import InvalidInput
from study.design.adaptive import Prior
from study.design.draws import derived_seed
from study.design.ladders import RULE, STOP, arm_of
from study.models import Study
from study.protocol.case_sources import Shown
from study.protocol.chosen import StudySettings

STRONGEST = {"l1": 12.0, "l2": 16.0, "linf": 32.0}
NOISE = "noise"
_SEED = 1_000_009
Judge = Callable[[np.ndarray], float | None]
"""P(tumour) of displayed pixels, uint8 (h, w, 3); None where there is no classifier."""


@dataclass(frozen=True)
class Ladder:
    """One ladder of a study: what is scaled, in which norm, to which sizes."""

    name: str
    attack: str
    norm: str
    sizes: tuple[float, ...]

    def to_json(self, adaptive: bool) -> dict[str, Any]:
        """As study and protocol hold it."""
        said: dict[str, Any] = {"attack": self.attack, "norm": self.norm, "sizes": list(self.sizes)}
        if adaptive:
            said |= {"rule": RULE, "stop": STOP, "prior": Prior.around(self.sizes).to_json()}
        return said


@dataclass
class Ladders:
    """All ladders of a study, made before its cases' levels. ``judge`` is asked about every level's bytes."""

    made: list[Ladder]
    settings: StudySettings
    seed: int
    judge: Judge
    flips: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def planned(cls, cases: Sequence[Sequence[Shown]], settings: StudySettings, seed: int, judge: Judge) -> "Ladders":
        """From all drawn cases' arms, the original first; of the others one ladder each, and one of noise.

        Raises:
            InvalidInput: the levels cannot be made so; names the setting.
        """
        made = []
        for place, shown in enumerate(cases[0][1:], start=1):
            given = shown.provenance.get("norm") or "l2"
            norm = given if given in STRONGEST else "l2"  # scaling a change does not change how many pixels it has
            usual = median(case[place].provenance[norm] for case in cases)
            highest = settings.highest or max(STRONGEST[norm], 4 * usual)
            lowest = settings.lowest or min(usual / 2, highest / 8)
            sizes = targets(lowest, highest, settings.levels, whole=norm == "linf")
            made.append(Ladder(shown.arm, shown.provenance.get("attack", ""), norm, tuple(sizes)))
        if settings.noise:
            first = made[0]
            made.append(Ladder(NOISE, "", first.norm, first.sizes))
        return cls(made, settings, seed, judge)

    def to_json(self) -> dict[str, dict[str, Any]]:
        adaptive = self.settings.ladder == Study.Ladder.ADAPTIVE
        return {one.name: one.to_json(adaptive) for one in self.made}

    def of(self, number: int, arms: Sequence[Shown], truth: bool, patch: str) -> tuple[list[Shown], dict[str, Any]]:
        """Case ``number``'s original with every level of every ladder; and by ladder where the model errs.

        Raises:
            InvalidInput: a level cannot be made; names the patch.
        """
        original, found, flips = arms[0], [arms[0]], {}
        first: list[np.ndarray] = []
        for place, one in enumerate(self.made, start=1):
            seed = derived_seed(self.seed, _SEED, number, place)
            if one.name == NOISE:
                images = [
                    shuffled_noise(original.pixels, level, seed=derived_seed(seed, step))
                    for step, level in enumerate(first)
                ]
            else:
                images = self._levels(one, original.pixels, arms[place].pixels, seed, patch)
                first = first or images
            shown = [self._shown(one, step, original.pixels, pixels) for step, pixels in enumerate(images, start=1)]
            found += shown
            known = shown if one.name == NOISE else [arms[place], *shown]
            flips[one.name] = smallest_flip([(s.provenance[one.norm], s.probability) for s in known], truth)
        return found, {name: flip for name, flip in flips.items() if flip}

    def _levels(self, one: Ladder, original: np.ndarray, altered: np.ndarray, seed: int, patch: str):
        try:
            return ladder(original, altered, one.sizes, norm=one.norm, seed=seed)
        except InvalidInput as error:
            raise InvalidInput(f"patch {patch}, ladder {one.name}: {error.message}", field=error.field) from error

    def _shown(self, one: Ladder, step: int, original: np.ndarray, pixels: np.ndarray) -> Shown:
        made = {"attack": one.attack, "norm": one.norm, "budget": one.sizes[step - 1]}
        return Shown(arm_of(one.name, step), pixels, self.judge(pixels), made | norms_of(original, pixels))


def smallest_flip(known: Sequence[tuple[float, float | None]], truth: bool) -> dict[str, float]:
    """``{"flip": size}`` of the smallest of the sizes (size, P(tumour)) at which the model errs; where it never does
    ``{"limit": largest size}``; nothing where no model was asked."""
    judged = [(size, (probability >= 0.5) != truth) for size, probability in known if probability is not None]
    wrong = [size for size, errs in judged if errs]
    if wrong:
        return {"flip": min(wrong)}
    return {"limit": max(size for size, _ in judged)} if judged else {}


def identical_pairs(settings: StudySettings, cases: int, ladders: int) -> int:
    """How many pairs of identical images a set holds: as asked, or one for every ten others.

    Raises:
        InvalidInput: where levels are fixed, more than there are cases.
    """
    fixed = settings.ladder == Study.Ladder.FIXED
    others = ladders * (cases * settings.levels if fixed else settings.trials)
    if settings.identical is None:
        return min(max(1, round(others / 10)), cases if fixed else others)
    if fixed and settings.identical > cases:
        raise InvalidInput(
            f"{settings.identical} is more than the {cases} cases, each of which is shown beside itself once a set.",
            field="identical",
        )
    return settings.identical
