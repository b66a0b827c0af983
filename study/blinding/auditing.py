"""Run the blinding audit on a study, and keep its report.

The audit must know the arms. Its report says how well they could be predicted, and names none of them.
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
from django.conf import settings

from core.errors import InvalidInput, Progress, no_progress
from study.blinding import guess
from study.blinding.audit import audit
from study.blinding.plants import PLANTS, cannot_be_planted
from study.blinding.redraw import Drawn, redraw
from study.blinding.scratch import Copy, scratch
from study.blinding.seen import Seen
from study.blinding.walk import Reader, walk
from study.design.draws import derived_seed
from study.design.ladders import BESIDE, IDENTICAL, slot_key
from study.design.schedule import Schedule, StimulusKey
from study.models import Assignment, AuditEvent, Presentation, Slot, Stimulus, Study
from study.protocol import audit_log
from study.protocol.schedules import ORIGINAL, Plan, Shown
from study.reading.answers import ANSWERS

ACTION = "blinding_audited"
REDRAWS = 999


def _key(stimulus: Stimulus) -> StimulusKey:
    return StimulusKey(case_id=str(stimulus.case.number), arm=stimulus.arm)


def _labelled(row: Presentation | Slot) -> tuple[StimulusKey, bool]:
    """What the schedule put here, and in a pair whether the altered one stands first.

    Of two identical images no row says which side the schedule meant: a coin, as for every other schedule.
    """
    if isinstance(row, Slot):
        return slot_key(str(row.case.number), row.ladder, row.turn), row.altered_first
    if row.second is None or row.stimulus.arm not in BESIDE:
        return _key(row.stimulus), True
    if row.second.arm == ORIGINAL:
        return StimulusKey(str(row.second.case.number), IDENTICAL), random.Random(row.pk).random() < 0.5
    return _key(row.second), False


def _readers(copy: Copy, study: Study, language: str = "") -> list[tuple[Reader, list[Presentation] | list[Slot]]]:
    by_code: dict[str, list[Any]] = {}
    tokens: dict[str, dict[tuple[int, int], str]] = {}
    for place in copy.places:
        by_code.setdefault(place.reading_set.assignment.code, []).append(place)
    for row in copy.presentations:
        own = tokens.setdefault(row.reading_set.assignment.code, {})
        own[row.reading_set.number, row.position] = row.token
    codes = list(by_code)
    readers = []
    for number, (code, rows) in enumerate(by_code.items()):
        other = tokens[codes[number - 1]] if len(codes) > 1 else {}
        person = rows[0].reading_set.assignment.reader
        reader = Reader(
            code=code,
            username=person.username,
            password=copy.password,
            tokens=tokens[code],
            foreign=other[min(other)] if other else "",
            questions=tuple(study.questions),
            answers=ANSWERS[study.task],
            language=language or (settings.LANGUAGE_CODE if person.language else ""),  # all in one language
        )
        readers.append((reader, rows))
    return readers


def observe(copy: Copy, study: Study, *, seed: int, language: str = "", progress: Progress = no_progress) -> list[Seen]:
    """Let every reader of the copy read to the end; everything that they received."""
    seen: list[Seen] = []
    total = len(copy.places)
    steps = count(1)
    for reader, _ in _readers(copy, study, language):
        seen += walk(copy.address, study.slug, reader, seed=seed, on_step=lambda: progress(next(steps), total))
    return seen


def draw_labels(copy: Copy, study: Study, seen: Sequence[Seen], *, seed: int, redraws: int) -> Drawn:
    """The true labels of all presentations, and those of redrawn schedules."""
    plan, numbers = Plan.of(study), _numbers(study)
    drawn = []
    for number, (reader, rows) in enumerate(_readers(copy, study)):
        round_, turn = plan.place(numbers[reader.code])

        def draw(draw_number: int, own: int, round_: int = round_, turn: int = turn) -> Schedule:
            # The readers of a round share a plan in every redrawn study, too.
            shared = derived_seed(seed, round_, draw_number)
            return plan.draw(seed=own, round_seed=shared, turn=turn)

        true = [_labelled(row) for row in rows]
        chose_first = [one.chose_first for one in seen if one.reader == reader.code]
        asked: dict[str, Any] = {
            "draw": draw,
            "draws": redraws,
            "seed": seed + number,
            "pair": plan.pair,
            "chose_first": chose_first,
        }
        drawn.append(redraw(true, plan.keys, **asked))
    further = {name: np.concatenate([one.further[name] for one in drawn]) for name in drawn[0].further}
    arm, patch = (np.concatenate([getattr(one, name) for one in drawn]) for name in ("arm", "patch"))
    return Drawn(arm, patch, further)


def _numbers(study: Study) -> dict[str, int]:
    """Readers' numbers from 0, by code. Their place among all readers, not among those who are audited."""
    return {code: number for number, code in enumerate(study.assignments.order_by("pk").values_list("code", flat=True))}


def _label(shown: Shown, pair: bool) -> tuple[str, str]:
    """Arm and patch as ``redraw`` names them."""
    first, _ = shown
    arm = ("altered second" if first.arm in BESIDE else "altered first") if pair else first.arm
    return arm, str(first.case_id)


def guess_labels(copy: Copy, study: Study) -> guess.Guessed:
    """What the first reader's presentations would be if the schedule followed from a seed without the secret.

    One reader is enough: who can compute one schedule can compute all.
    """
    plan, code = Plan.of(study), copy.places[0].reading_set.assignment.code
    number, sha256 = _numbers(study)[code], study.protocol_sha256
    tried = guess.guesses(study.seed, study.created_at.date(), (study.pk, *([int(sha256[:8], 16)] if sha256 else [])))
    labels = []
    for seed in tried:
        guessed = replace(plan, seed=seed).sets_of("", seed=derived_seed(seed, number + 1), number=number)
        labels.append([_label(shown, plan.pair) for order in guessed for shown in order])
    arm, patch = np.array(labels).transpose(2, 1, 0)
    return guess.Guessed(list(tried.values()), arm, patch)


def audit_copy(
    copy: Copy,
    study: Study,
    *,
    seed: int = 0,
    redraws: int = REDRAWS,
    language: str = "",
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Read what is served at ``copy``, and judge every channel."""
    seen = observe(copy, study, seed=seed, language=language, progress=progress)
    drawn = draw_labels(copy, study, seen, seed=seed, redraws=redraws)
    return audit(seen, drawn, guess_labels(copy, study), seed=seed)


def audit_study(
    *,
    study: Study,
    actor: str,
    plant: str = "",
    readers: int = 4,
    redraws: int = REDRAWS,
    seed: int = 0,
    language: str = "",
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Read a copy of the study as its readers do, and judge every channel. The report of a run without plant is logged.

    Args:
        plant: a leak to add to the copy, one of ``PLANTS``, or "".
        readers: at most this many readers' schedules are walked.
        language: of the pages, one of ``settings.LANGUAGES``; English for "".

    Raises:
        InvalidInput: an unknown plant, or no schedules yet.
    """
    if plant and plant not in PLANTS:
        raise InvalidInput(f"'{plant}' is none of {', '.join(PLANTS)}.", field="plant")
    if problem := cannot_be_planted(plant, study):
        raise InvalidInput(problem, field="plant")
    if language and language not in dict(settings.LANGUAGES):
        raise InvalidInput(f"'{language}' is none of {', '.join(dict(settings.LANGUAGES))}.", field="language")
    if redraws < 499:
        raise InvalidInput(f"{redraws} are too few to reach the threshold; ask for 499 or more.", field="redraws")
    original = Study.objects.get(pk=study.pk)
    assignments = list(Assignment.objects.filter(study=study, withdrawn_at=None).order_by("code")[:readers])
    with scratch(Study.objects.get(pk=study.pk), assignments, plant=plant, seed=seed) as copy:
        report = {
            "study": study.slug,
            "planted": plant,
            "seed": seed,
            "language": language or settings.LANGUAGE_CODE,
            **audit_copy(copy, original, seed=seed, redraws=redraws, language=language, progress=progress),
        }
    if not plant:
        audit_log.record(study=original, actor=actor, action=ACTION, report=report)
    return report


def latest_report(study: Study) -> dict[str, Any] | None:
    """The newest report of a run without plant, for the study's export."""
    event = AuditEvent.objects.filter(study=study, action=ACTION).order_by("-pk").first()
    return event.detail["report"] if event else None
