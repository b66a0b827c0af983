"""The schedules of a study's readers: which design draws them, from which seeds, and what the protocol keeps."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from study.design.draws import Draws
from study.design.schedule import Schedule, StimulusKey, build_schedule, largest_gap
from study.design.twin_split import build_twin_split, largest_split_gap, readers_per_round
from study.models import Assignment, Presentation, ReadingSet, Stimulus, Study

ROUND = 1_000_006
"""Parts the seeds of rounds of readers from all others that are derived from a study's seed."""


def derived_seed(*parts: int) -> int:
    """A seed computed from recorded numbers; fits a signed 64-bit column."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> np.uint64(1))


def presented(study: Study) -> tuple[list[StimulusKey], dict[StimulusKey, Stimulus], dict[StimulusKey, Stimulus]]:
    """What a schedule arranges: every stimulus (labelling), or every altered one with its original (pair comparison).

    Returns:
        the keys to be arranged, every stimulus by its key, and for a pair comparison the original of each key.
    """
    stimuli = Stimulus.objects.filter(case__study=study).select_related("case").order_by("case__number", "arm")
    by_key = {StimulusKey(case_id=str(s.case.number), arm=s.arm): s for s in stimuli}
    if study.task == Study.Task.LABELLING:
        return list(by_key), by_key, {}
    altered = [key for key in by_key if key.arm != "original"]
    return altered, by_key, {key: by_key[StimulusKey(case_id=key.case_id, arm="original")] for key in altered}


def splits(study: Study) -> bool:
    """Whether twins lie in different sets. A pair shows both at once, so that its order is never split."""
    return study.arm_order == Study.ArmOrder.TWIN_SPLIT and study.task == Study.Task.LABELLING


class Plan:
    """How the schedules of one study are drawn: the stimuli to be arranged, and the design."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.keys, self.by_key, self.originals = presented(study)
        self.split = splits(study)
        self.adjacent = study.washout_hours == 0  # with a wash-out the gap need not hold from one set to the next
        self._truths: Mapping[str | int, bool] = {key.case_id: self.by_key[key].case.truth for key in self.keys}

    @property
    def largest_gap(self) -> int | None:
        """The largest feasible gap; ``None`` if no patch recurs where a gap would count."""
        find = largest_split_gap if self.split else largest_gap
        return find(self.keys, copies=self.study.copies, adjacent_sets=self.adjacent)

    @property
    def shown_per_set(self) -> int:
        """Presentations of one set of one reader."""
        return len({key.case_id for key in self.keys}) if self.split else len(self.keys)

    @property
    def readers_per_round(self) -> int:
        """How many readers share a plan in twin-split; 1 in the paper's order."""
        return readers_per_round(self.keys) if self.split else 1

    def draw(self, *, seed: int, round_seed: int, turn: int = 0, min_gap: int | None = None) -> Schedule:
        """One reader's schedule. ``round_seed`` and ``turn`` count in twin-split alone."""
        gap = self.study.min_gap if min_gap is None else min_gap
        asked: dict[str, Any] = {"copies": self.study.copies, "min_gap": gap, "adjacent_sets": self.adjacent}
        if not self.split:
            return build_schedule(self.keys, seed=seed, **asked)
        return build_twin_split(self.keys, seed=seed, round_seed=round_seed, turn=turn, kinds=self._truths, **asked)

    def place(self, number: int) -> tuple[int, int]:
        """Round and turn of the reader ``number``, from 0 in the order in which they were assigned."""
        return divmod(number, self.readers_per_round)

    def round_seed(self, number: int) -> int:
        """The seed of a round of readers, from the study's recorded seed."""
        return derived_seed(self.study.seed, ROUND, number)

    def stimuli(self, order: Sequence[int], sides: Draws) -> list[tuple[Stimulus, Stimulus | None]]:
        """What a set shows, in order; in a pair comparison half of the altered images stand first, by ``sides``."""
        altered_first = sides.shuffled(place % 2 == 0 for place in range(len(order)))
        shown = []
        for position, index in enumerate(order):
            first, second = self.by_key[self.keys[index]], self.originals.get(self.keys[index])
            if second is not None and not altered_first[position]:
                first, second = second, first
            shown.append((first, second))
        return shown


def check_gap(study: Study) -> None:
    """Raises InvalidInput, naming what is feasible, if no schedule of this study can keep its gap and arm order."""
    Plan(study).draw(seed=study.seed, round_seed=study.seed)


def make_schedule(assignment: Assignment) -> dict[str, Any]:
    """Store one reader's presentations; return the schedule as the protocol records it."""
    plan = Plan(assignment.study)
    number = assignment.study.assignments.filter(pk__lt=assignment.pk).count()
    round_, turn = plan.place(number)
    round_seed = plan.round_seed(round_)
    schedule = plan.draw(seed=assignment.seed, round_seed=round_seed, turn=turn)
    sides = Draws(derived_seed(assignment.seed, 2))
    rows, recorded = [], []
    for set_number, order in enumerate(schedule.sets, start=1):
        reading_set = ReadingSet.objects.create(assignment=assignment, number=set_number)
        shown = []
        for position, (first, second) in enumerate(plan.stimuli(order, sides), start=1):
            rows.append(Presentation(reading_set=reading_set, position=position, stimulus=first, second=second))
            shown.append([s.sha256 for s in (first, second) if s is not None])
        recorded.append({"set": set_number, "order": shown})
    Presentation.objects.bulk_create(rows, batch_size=500)
    drawn_from = {"seed": assignment.seed} | ({"round_seed": round_seed, "turn": turn} if plan.split else {})
    return {"reader": assignment.code, **drawn_from, "sets": recorded}
