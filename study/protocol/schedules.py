"""The schedules of a study's readers: which design draws them, and from which seeds and secret."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

from attacks.engine.norms import MEASURED
from core.errors import InvalidInput
from study.design.draws import Draws, Seed, derived_seed
from study.design.ladders import (
    AWAY,
    BESIDE,
    TOWARD,
    arm_of,
    identical_keys,
    is_identical,
    ladder_of,
    read_slot,
    slot_keys,
)  # fmt: skip
from study.design.schedule import Schedule, StimulusKey, build_schedule, largest_gap
from study.design.twin_split import build_twin_split, largest_split_gap, readers_per_round
from study.models import Assignment, Presentation, ReadingSet, Slot, Stimulus, Study
from study.protocol import adaptive
from study.protocol import secret as secrets_of
from study.protocol.chosen import StudySettings
from study.protocol.ladders import identical_pairs

ROUND = 1_000_006
"""Parts the seeds of rounds of readers from all others that are derived from a study's seed."""
PAIRS = 1_000_008
"""The same for the choice of cases that identical pairs show, and the order in which ladders meet the cases."""
ORIGINAL = "original"
Shown = tuple[StimulusKey, StimulusKey | None]
"""What stands at one position: a stimulus; in a pair comparison the first and the second one."""


def splits(study: Study) -> bool:
    """Whether twins lie in different sets. A pair shows both at once, so that its order is never split."""
    return _splits(study.arm_order, study.task)


def _splits(arm_order: str, task: str) -> bool:
    return arm_order == Study.ArmOrder.TWIN_SPLIT and task == Study.Task.LABELLING


def stimuli_of(study: Study) -> dict[StimulusKey, Stimulus]:
    stimuli = Stimulus.objects.filter(case__study=study).select_related("case")
    return {_key(stimulus): stimulus for stimulus in stimuli.order_by("case__number", "arm")}


def _key(stimulus: Stimulus) -> StimulusKey:
    return StimulusKey(case_id=str(stimulus.case.number), arm=stimulus.arm)


_DESIGN = ("task", "arm_order", "copies", "min_gap", "washout_hours", "seed")
_LADDERS = ("ladder", "trials", "identical", "ladders")
"""Protocols that were frozen before there were ladders lack these."""


@dataclass(frozen=True)
class Plan:
    """How the schedules of one study are drawn: from the study's rows, or from a frozen protocol alone.

    ``hashes`` holds the SHA-256 of every stimulus, ``truths`` the truth of every case by its number as text, ``norms``
    the measured norms of every stimulus.
    """

    hashes: Mapping[StimulusKey, str]
    truths: Mapping[str | int, bool]
    task: str
    arm_order: str
    copies: int
    min_gap: int
    washout_hours: float
    seed: int
    norms: Mapping[StimulusKey, Mapping[str, float | None]] = field(default_factory=dict)
    ladder: str = Study.Ladder.NONE
    trials: int = 0
    identical: int = 0
    ladders: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, study: Study) -> Self:
        stimuli = stimuli_of(study)
        return cls(
            hashes={key: stimulus.sha256 for key, stimulus in stimuli.items()},
            truths={key.case_id: stimulus.case.truth for key, stimulus in stimuli.items()},
            norms={key: {norm: getattr(stimulus, norm) for norm in MEASURED} for key, stimulus in stimuli.items()},
            **{name: getattr(study, name) for name in (*_DESIGN, *_LADDERS)},
        )

    @classmethod
    def of_protocol(cls, protocol: Mapping[str, Any]) -> Self:
        cases = sorted(protocol["cases"], key=lambda case: case["number"])
        return cls(
            hashes={
                StimulusKey(str(case["number"]), arm): case["stimuli"][arm]
                for case in cases
                for arm in sorted(case["stimuli"])
            },
            truths={str(case["number"]): case["truth"] for case in cases},
            norms={
                StimulusKey(str(case["number"]), arm): measured
                for case in cases
                for arm, measured in case.get("measured", {}).items()
            },
            **{name: protocol[name] for name in (*_DESIGN, *_LADDERS) if name in protocol or name in _DESIGN},
        )

    @cached_property
    def keys(self) -> list[StimulusKey]:
        """What a schedule arranges: every stimulus; of pairs every one that is not only there to be beside another, and
        identical pairs; in an adaptive set the places at which a level will be chosen."""
        cases = list(dict.fromkeys(key.case_id for key in self.hashes))
        if self.adaptive:
            asked = {"trials": self.trials, "identical": self.identical, "seed": derived_seed(self.seed, PAIRS)}
            return slot_keys(cases, sorted(self.ladders), **asked)
        keys = [key for key in self.hashes if not self.pair or key.arm not in BESIDE]
        if self.pair and self.identical:
            keys += identical_keys(cases, self.identical, derived_seed(self.seed, PAIRS))
        return keys

    @property
    def adaptive(self) -> bool:
        return self.pair and self.ladder == Study.Ladder.ADAPTIVE

    def levels(self, case: str | int, ladder: str) -> dict[str, float]:
        """The levels of a case on a ladder, by arm; none of "", the identical pairs."""
        if not ladder:
            return {}
        norm = self.ladders[ladder]["norm"]
        return {
            key.arm: float(norms[norm] or 0)
            for key, norms in self.norms.items()
            if key.case_id == case and ladder_of(key.arm) == ladder
        }

    def named(self, key: StimulusKey) -> str:
        """How a schedule is recorded: an image by its SHA-256, a place without a level yet by case and ladder."""
        if key in self.hashes:
            return self.hashes[key]
        if self.adaptive:
            return f"{key.case_id}:{key.arm}"
        return self.hashes[StimulusKey(key.case_id, ORIGINAL)]

    @property
    def pair(self) -> bool:
        return self.task in (Study.Task.PAIR, Study.Task.BIAS)

    @property
    def split(self) -> bool:
        return _splits(self.arm_order, self.task)

    @property
    def adjacent(self) -> bool:
        """With a wash-out the gap need not hold from one set to the next."""
        return self.washout_hours == 0

    @property
    def largest_gap(self) -> int | None:
        """The largest feasible gap; ``None`` if no patch recurs where a gap would count."""
        find = largest_split_gap if self.split else largest_gap
        return find(self.keys, copies=self.copies, adjacent_sets=self.adjacent)

    @property
    def shown_per_set(self) -> int:
        """Presentations of one set of one reader."""
        return len({key.case_id for key in self.keys}) if self.split else len(self.keys)

    def draw(self, *, seed: Seed, round_seed: Seed, turn: int = 0, min_gap: int | None = None) -> Schedule:
        """One reader's schedule. ``round_seed`` and ``turn`` count in twin-split alone."""
        gap = self.min_gap if min_gap is None else min_gap
        asked: dict[str, Any] = {"copies": self.copies, "min_gap": gap, "adjacent_sets": self.adjacent}
        if not self.split:
            return build_schedule(self.keys, seed=seed, **asked)
        return build_twin_split(self.keys, seed=seed, round_seed=round_seed, turn=turn, kinds=self.truths, **asked)

    def place(self, number: int) -> tuple[int, int]:
        """Round and turn of the reader ``number``, from 0 in the order in which they were assigned."""
        return divmod(number, readers_per_round(self.keys) if self.split else 1)

    def shown(self, order: Sequence[int], sides: Draws) -> list[Shown]:
        """What a set shows, in order; in a pair comparison half of the altered images stand first, by ``sides``."""
        keys = [self.keys[index] for index in order]
        if not self.pair:
            return [(key, None) for key in keys]
        altered_first = sides.shuffled(place % 2 == 0 for place in range(len(order)))
        beside = AWAY if self.task == Study.Task.BIAS else ORIGINAL
        pairs = [(key, StimulusKey(key.case_id, beside)) for key in keys]
        return [pair if first else pair[::-1] for pair, first in zip(pairs, altered_first, strict=True)]

    def sets_of(self, secret: str, *, seed: int, number: int) -> list[list[Shown]]:
        """All that the reader ``number`` (from 0) sees, by the recorded seeds and the secret."""
        round_seed, turn = self._round_of(number)
        schedule = self.draw(
            seed=secrets_of.drawn_from(secret, "reader", seed),
            round_seed=secrets_of.drawn_from(secret, "round", round_seed),
            turn=turn,
        )
        sides = Draws(secrets_of.drawn_from(secret, "sides", seed))
        return [self.shown(order, sides) for order in schedule.sets]

    def _round_of(self, number: int) -> tuple[int, int]:
        round_, turn = self.place(number)
        return derived_seed(self.seed, ROUND, round_), turn

    def recorded(self, sets: Sequence[Sequence[Shown]], *, code: str, seed: int, number: int) -> dict[str, Any]:
        """A reader's schedule as the protocol records it: the recorded seeds, and images by their SHA-256."""
        round_seed, turn = self._round_of(number)
        orders = [[[self.named(key) for key in shown if key] for shown in order] for order in sets]
        return {
            "reader": code,
            "seed": seed,
            **({"round_seed": round_seed, "turn": turn} if self.split else {}),
            "sets": [{"set": at, "order": order} for at, order in enumerate(orders, start=1)],
        }


def check_gap(study: Study) -> None:
    """Raises InvalidInput, naming what is feasible, if no schedule of this study can keep its gap and arm order."""
    Plan.of(study).draw(seed=study.seed, round_seed=study.seed)


def demand_gap(settings: StudySettings, *, arms: int) -> None:
    """Raises InvalidInput if the gap that is asked for cannot be kept, before anything is built.

    Args:
        settings: decided ones, with nothing left open but the gap.
        arms: of a case: the original, and those that an attack or pairs give.
    """
    if settings.min_gap is None:
        return
    names = [f"arm {number}" for number in range(1, arms)] + ["noise"] * settings.noise
    cases = range(1, settings.positives + (settings.negatives or 0) + 1)
    identical = 0
    ladders: dict[str, Any] = {name: {} for name in names} if settings.ladder != Study.Ladder.NONE else {}
    if ladders:
        identical = identical_pairs(settings, len(cases), len(names))
        names = [arm_of(name, level) for name in names for level in range(1, settings.levels + 1)]
    if settings.task == Study.Task.BIAS:
        names = [TOWARD, AWAY]
    names = [ORIGINAL, *names]
    keys = [StimulusKey(str(case), arm) for case in cases for arm in names]
    apart = len(cases) if _splits(settings.arm_order or "", settings.task) else 0
    keys += [StimulusKey(str(apart + number), "catch") for number in range(1, settings.catch + 1)]
    plan = Plan(
        hashes=dict.fromkeys(keys, ""),
        truths={},
        task=settings.task,
        arm_order=settings.arm_order or "",
        copies=settings.copies,
        min_gap=settings.min_gap,
        washout_hours=settings.washout_hours,
        seed=0,
        ladder=settings.ladder,
        trials=settings.trials,
        identical=identical,
        ladders=ladders,
    )
    largest = plan.largest_gap
    if largest is not None and settings.min_gap > largest:
        raise InvalidInput(
            f"{settings.min_gap} cannot be kept: the largest feasible gap is {largest}. Ask for less, or show more "
            "cases.",
            field="min_gap",
        )


def make_schedule(assignment: Assignment) -> dict[str, Any]:
    """Store one reader's presentations, drawn with the study's secret; return the schedule as the protocol has it."""
    study = assignment.study
    plan, stimuli = Plan.of(study), stimuli_of(study)
    number = study.assignments.filter(pk__lt=assignment.pk).count()
    sets = plan.sets_of(secrets_of.stored(study), seed=assignment.seed, number=number)
    rows: list[Presentation] = []
    slots: list[Slot] = []
    for at, order in enumerate(sets, start=1):
        reading_set = ReadingSet.objects.create(assignment=assignment, number=at)
        for position, shown in enumerate(order, start=1):
            if plan.adaptive:
                slots.append(slot_of(reading_set, position, shown, stimuli))
                continue
            first, second = (stimulus_of(key, stimuli) if key else None for key in shown)
            rows.append(Presentation(reading_set=reading_set, position=position, stimulus=first, second=second))
    Presentation.objects.bulk_create(rows, batch_size=500)
    Slot.objects.bulk_create(slots, batch_size=500)
    if plan.adaptive:
        adaptive.begin(assignment)
    return plan.recorded(sets, code=assignment.code, seed=assignment.seed, number=number)


def stimulus_of(key: StimulusKey, stimuli: Mapping[StimulusKey, Stimulus]) -> Stimulus:
    """The image of a key; of an identical pair the original on both sides."""
    return stimuli[StimulusKey(key.case_id, ORIGINAL) if is_identical(key) else key]


def slot_of(reading_set: ReadingSet, position: int, shown: Shown, stimuli: Mapping[StimulusKey, Stimulus]) -> Slot:
    """A place of an adaptive set as a row that is not saved yet."""
    altered_first, key = altered_of(shown)
    ladder, turn = read_slot(key)
    case = stimuli[StimulusKey(key.case_id, ORIGINAL)].case
    made = {"case": case, "ladder": ladder, "turn": turn, "altered_first": altered_first}
    return Slot(reading_set=reading_set, position=position, **made)


def altered_of(shown: Shown) -> tuple[bool, StimulusKey]:
    """Whether the altered one of a pair stands first, and which it is."""
    first, second = shown
    altered_first = first.arm != ORIGINAL
    return altered_first, first if altered_first or second is None else second
