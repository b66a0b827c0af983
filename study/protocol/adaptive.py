"""Adaptive sets: the schedule fixes case, ladder and side of every place; the level is chosen when its turn comes.

The choice follows from the frozen prior and from the reader's first answer to every pair before, and from nothing
else: a changed answer counts in the analysis, but what was shown after the first one stays. One presentation at a time
exists, so that nothing can be fetched ahead, and the work for an answer is the same whether it was right or not.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from django.db.models import Q, QuerySet

from attacks.engine.norms import MEASURED
from study.design.adaptive import Course
from study.design.ladders import ORIGINAL, arm_of, ladder_of, priors_of
from study.models import Assignment, Presentation, Response, Slot, Stimulus, Study

Ladders: TypeAlias = Mapping[str, Mapping[str, Any]]
"""``Study.ladders``, or the same part of a frozen protocol."""
_NORMS = [norm for norm in MEASURED if norm != "l0"]  # a level is no share of pixels
_SIDES = [f"{side}__{name}" for side in ("stimulus", "second") for name in ("arm", *_NORMS)]


class Shown(NamedTuple):
    """What a stored pair showed. ``ladder`` is "" and ``level`` 0 for two identical images."""

    ladder: str
    level: float
    altered_first: bool


def course_of(ladders: Ladders) -> Course:
    """A reader before the first answer, with the priors of the study's ``ladders``."""
    return Course(priors_of(ladders))


def begin(assignment: Assignment) -> None:
    """Make the first presentation of all: the level that the prior gives."""
    study, slot = assignment.study, _slots(assignment).first()
    if slot is not None:
        options, levels = _options(study.ladders, slot)
        _present(slot, options, course_of(study.ladders).choose(slot.ladder, levels))


def go_on(presentation: Presentation, assignment: Assignment, answer: str) -> Presentation | None:
    """The presentation that follows this one in its set, made now that it has its first answer.

    After the last one of a set the first of the next set is made, and None returned.
    """
    study, number, position = assignment.study, presentation.reading_set.number, presentation.position
    here = Q(reading_set__number=number, position__in=(position, position + 1))
    slots = list(_slots(assignment).filter(here | Q(reading_set__number=number + 1, position=1))[:2])
    if len(slots) == 1:
        return None  # it was the last of all
    answered, following = slots
    course = course_of(study.ladders)
    *before, last = _told(study, assignment, presentation)
    for shown, right in before:
        course.tell(shown.ladder, shown.level, right)
    options, levels = _options(study.ladders, following)
    # Both outcomes are worked out before anybody looks at whether the answer was right.
    both = course.choices((answered.ladder, last[0].level), (following.ladder, levels))
    made = _present(following, options, both[(answer == Response.Answer.FIRST) == answered.altered_first])
    return made if following.reading_set_id == presentation.reading_set_id else None


def _slots(assignment: Assignment) -> QuerySet[Slot]:
    slots = Slot.objects.filter(reading_set__assignment=assignment)
    return slots.order_by("reading_set__number", "position")


def _told(study: Study, assignment: Assignment, last: Presentation) -> list[tuple[Shown, bool]]:
    """What was shown so far, up to ``last``, and whether the first answer was right."""
    rows = Presentation.objects.filter(reading_set__assignment=assignment, responses__revision=1)
    values = rows.order_by("reading_set__number", "position").values_list("pk", "responses__answer", *_SIDES)
    told = []
    for pk, answer, *sides in values:
        shown = what_was_shown(study.ladders, sides)
        told.append((shown, (answer == Response.Answer.FIRST) == shown.altered_first))
        if pk == last.pk:
            break
    return told


def what_was_shown(ladders: Ladders, sides: Sequence[Any]) -> Shown:
    """From arm and norms of both sides, in the order of ``_SIDES``."""
    first, second = sides[:4], sides[4:]
    altered_first = first[0] != ORIGINAL
    arm, *norms = first if altered_first else second
    ladder = ladder_of(arm)
    level = norms[_NORMS.index(ladders[ladder]["norm"])] if ladder else 0.0
    return Shown(ladder, level, altered_first)


def _options(ladders: Ladders, slot: Slot) -> tuple[list[Stimulus], list[float]]:
    """The original and the levels that can be shown here, and their sizes; of an identical pair's case those of the
    first ladder, so that the same is read for every kind of pair."""
    ladder = slot.ladder or min(ladders)
    norm, arms = ladders[ladder]["norm"], [arm_of(ladder, step + 1) for step in range(len(ladders[ladder]["sizes"]))]
    rows = Stimulus.objects.filter(case=slot.case_id, arm__in=[ORIGINAL, *arms])
    options = sorted(rows, key=lambda row: (row.arm != ORIGINAL, row.arm))
    return options, [getattr(option, norm) for option in options[1:]]


def _present(slot: Slot, options: Sequence[Stimulus], choice: int) -> Presentation:
    original, levels = options[0], options[1:]
    altered = levels[choice] if slot.ladder else original
    first, second = (altered, original) if slot.altered_first else (original, altered)
    return Presentation.objects.create(
        reading_set_id=slot.reading_set_id, position=slot.position, stimulus=first, second=second
    )


# --- Checking ---------------------------------------------------------------------------------------------------------


class Place(NamedTuple):
    """A place of a frozen schedule: set, position, case and ladder ("": identical), and its levels by arm."""

    set: int
    position: int
    case: int
    ladder: str
    levels: Mapping[str, float]


def replay(assignment: Assignment, ladders: Ladders, places: Sequence[Place]) -> Iterator[str]:
    """Where what was shown is not what the rule gives for the answers before it, in sentences.

    After a wrong choice the replay goes on from what was really shown, so that each is named once.
    """
    columns = ["reading_set__number", "position", "stimulus__case__number", *_SIDES]
    rows = {
        (number, position): values
        for number, position, *values in Presentation.objects.filter(reading_set__assignment=assignment).values_list(
            *columns
        )
    }
    answers = {
        (number, position): answer
        for number, position, answer in Response.objects.filter(
            presentation__reading_set__assignment=assignment, revision=1
        ).values_list("presentation__reading_set__number", "presentation__position", "answer")
    }
    course, open_ = course_of(ladders), True
    for place in places:
        at = (place.set, place.position)
        where = f"Reader {assignment.code}, set {place.set}, position {place.position}"
        stored = rows.pop(at, None)
        if stored is None:
            if open_:
                yield f"{where}: its presentation is missing, though all before it are answered."
            open_ = False
            continue
        if not open_:
            yield f"{where}: there is a presentation, though one before it has no answer."
        shown = what_was_shown(ladders, stored[1:])
        expected = ""
        if place.ladder:
            arms = sorted(place.levels)
            expected = arms[course.choose(place.ladder, [place.levels[arm] for arm in arms])]
        was = stored[1] if shown.altered_first else stored[5]
        if stored[0] != place.case or was != (expected or ORIGINAL):
            yield (
                f"{where}: {was} of case {stored[0]} was shown, but the rule and the answers before it give "
                f"{expected or ORIGINAL} of case {place.case}."
            )
        if at in answers:
            right = (answers[at] == Response.Answer.FIRST) == shown.altered_first
            course.tell(shown.ladder, shown.level, right)
        else:
            open_ = False
    for number, position in sorted(rows):
        yield (
            f"Reader {assignment.code}, set {number}, position {position}: there is a presentation, though the "
            "schedule has no such place."
        )
