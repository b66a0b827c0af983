"""A study whose readers have answered: what the analysis and the exports are tried on."""

from datetime import UTC, datetime, timedelta

import numpy as np

from core.models import User
from study.models import Assignment, Presentation, ReadingSession, ReadingSet, Response, Study
from study.protocol import answer_chain
from study.protocol.building import StudySettings, build_study
from study.protocol.life import close_study, unblind_study
from tests.pool import attacked_pool

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def open_study_of(readers: int = 2, positives: int = 6, name: str = "Answered", **kwargs) -> Study:
    """A frozen, open study of patches to which ``readers`` are assigned."""
    paper = {"positives": positives, "negatives": 0, "arm_order": "paper", "min_gap": 3, "washout_hours": 0}
    settings = StudySettings(**paper | kwargs)
    users = [
        User.objects.create_user(f"{name}-{number}", password="x", role=User.Role.READER) for number in range(readers)
    ]
    pool = attacked_pool(positives=positives + 2, negatives=kwargs.get("negatives", 0) + 2, name=name)
    return build_study(name=name, attack=pool, seed=3, actor="test", settings=settings, readers=users)


def answer_all(
    study: Study, *, right=(0.9, 0.8), seed: int = 0, skip: int = 0, amend: int = 0, silent=(), screen=None
) -> None:
    """Answers by chance: P(correct) for original and altered stimuli, or a function of the presentation; ``skip`` are
    left open, ``amend`` revised. ``screen`` is what every reader's viewing check found."""
    shown = (
        Presentation.objects.filter(reading_set__assignment__study=study)
        .exclude(reading_set__assignment__code__in=silent)
        .select_related("stimulus__case", "second", "reading_set__assignment__study")
        .order_by("pk")
    )
    _answer(shown, right=right, seed=seed, skip=skip, amend=amend, sessions=_sessions(study, screen) if screen else {})


def _sessions(study: Study, screen: dict) -> dict[int, ReadingSession]:
    return {
        assignment.pk: ReadingSession.objects.create(assignment=assignment, viewing=screen)
        for assignment in Assignment.objects.filter(study=study)
    }


def answer_until(study: Study, answered: dict[str, int], **kwargs) -> None:
    """Every reader reads on until so many presentations, in order over all sets, have an answer."""
    for code, wanted in answered.items():
        shown = (
            Presentation.objects.filter(reading_set__assignment__study=study, reading_set__assignment__code=code)
            .select_related("stimulus__case", "second", "reading_set__assignment__study")
            .order_by("reading_set__number", "position")
        )
        _answer([one for one in shown[:wanted] if not one.responses.exists()], **kwargs)


def _answer(shown, *, right=(0.9, 0.8), seed: int = 0, skip: int = 0, amend: int = 0, sessions=None) -> None:
    rng = np.random.default_rng(seed)
    rows: list[Response] = []
    sets: dict[int, ReadingSet] = {}
    for number, one in enumerate(shown):
        if number < skip:
            continue
        correct = rng.random() < (right(one) if callable(right) else right[int(one.stimulus.arm != "original")])
        if one.second_id:
            answer = "second" if (one.stimulus.arm == "original") == correct else "first"
        else:
            answer = "tumour" if one.stimulus.case.truth == correct else "no_tumour"
        at = START + timedelta(seconds=10 * number)
        common = {
            "presentation": one, "shown_at": at, "answered_at": at + timedelta(seconds=3), "code_version": "test",
            "rt_ms": float(rng.lognormal(8, 0.3)), "focus_lost_ms": 0.0, "confidence": 4,
            "session": (sessions or {}).get(one.reading_set.assignment_id),
        }  # fmt: skip
        if skip <= number < skip + amend:
            first = "no_tumour" if answer == "tumour" else "tumour"
            rows.append(Response(revision=1, key=f"k{one.pk}-0", answer=first, note="=1+1", **common))
            rows.append(Response(revision=2, key=f"k{one.pk}-1", answer=answer, note="=1+1", **common))
        else:
            rows.append(Response(revision=1, key=f"k{one.pk}", answer=answer, **common))
    for row in rows:
        reading_set = sets.setdefault(row.presentation.reading_set_id, row.presentation.reading_set)
        answer_chain.add_link(reading_set, row.presentation, row)
    Response.objects.bulk_create(rows, batch_size=1000)
    ReadingSet.objects.bulk_update(sets.values(), ["answers", "head"])


def unblinded(study: Study) -> Study:
    """Close the study and open its arms."""
    close_study(study=study, actor="test")
    return unblind_study(study=Study.objects.get(pk=study.pk), actor="Dr Test")
