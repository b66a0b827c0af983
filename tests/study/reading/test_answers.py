"""Answers are appended, kept once, and only for the presentation whose turn it is."""

from datetime import timedelta

import pytest
from django.utils import timezone

from core.errors import InvalidInput
from core.records import AppendOnlyError
from study.models import AuditEvent, Presentation, ReadingSet, Response
from study.protocol import life as services
from study.reading import answers as reading
from study.reading.answers import Conflict, NotServed, SentAnswer
from study.reading.progress import Stage, progress_of
from study.reading.sets import reopen_set
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def assignment():
    return factories.assignment_of(factories.open_study(cases=2, copies=2, min_gap=1))


def at(assignment, position: int, number: int = 1) -> Presentation:
    return Presentation.objects.get(reading_set__assignment=assignment, reading_set__number=number, position=position)


def standing(progress) -> tuple:
    shown = progress.previous, progress.current, progress.next
    return progress.stage, progress.reading_set, progress.answered, *shown


def answer(assignment, position: int, *, number: int = 1, key: str = "", **fields) -> Response:
    replaces = fields.pop("replaces", 0)
    saved = reading.record_answer(
        assignment=assignment,
        token=at(assignment, position, number).token,
        key=key or f"key-{number}-{position}-{replaces}",
        sent=SentAnswer(**({"answer": "tumour"} | fields)),
        replaces=replaces,
    )
    assert standing(saved.progress) == standing(progress_of(assignment))
    return saved.response


def read_set(assignment, number: int = 1) -> None:
    for position in range(1, 5):
        answer(assignment, position, number=number)
    reading.finish_set(assignment=assignment, number=number)


def test_an_answer_sent_again_is_the_same_answer(assignment):
    first = answer(assignment, 1, key="the-same-key")
    again = answer(assignment, 1, key="the-same-key")
    assert again.pk == first.pk
    assert Response.objects.count() == 1


def test_an_answer_sent_again_after_the_set_ended_is_still_the_same_answer(assignment):
    read_set(assignment)
    again = answer(assignment, 4)
    assert again.revision == 1
    assert Response.objects.count() == 4


def test_a_second_window_that_has_fallen_behind_changes_nothing(assignment):
    answer(assignment, 1, key="window-one")
    with pytest.raises(Conflict):
        answer(assignment, 1, key="window-two", answer="no_tumour")
    assert Response.objects.get().answer == "tumour"


def test_changing_the_last_answer_appends_a_revision_and_keeps_the_first(assignment):
    answer(assignment, 1)
    answer(assignment, 1, answer="no_tumour", replaces=1)
    assert list(Response.objects.values_list("revision", "answer")) == [(1, "tumour"), (2, "no_tumour")]
    assert progress_of(assignment).answered == 1


def test_only_the_last_answer_may_be_changed(assignment):
    answer(assignment, 1)
    answer(assignment, 2)
    with pytest.raises(Conflict):
        answer(assignment, 1, answer="no_tumour", replaces=1)


@pytest.mark.parametrize(("position", "number"), [(2, 1), (3, 1), (1, 2)])
def test_skipping_ahead_is_as_if_there_were_nothing(assignment, position, number):
    with pytest.raises(NotServed):
        answer(assignment, position, number=number)


def test_another_readers_presentation_does_not_exist():
    study = factories.open_study(readers=("reader", "other"))
    mine, theirs = factories.assignment_of(study), factories.assignment_of(study, "other")
    with pytest.raises(NotServed):
        reading.record_answer(
            assignment=mine, token=at(theirs, 1).token, key="long-enough", sent=SentAnswer(answer="tumour")
        )


def test_a_closed_study_takes_no_answer(assignment):
    services.close_study(study=assignment.study, actor="test")
    assignment.study.refresh_from_db()
    with pytest.raises(Conflict):
        answer(assignment, 1)
    assert not Response.objects.exists()


def test_answers_cannot_be_changed_or_removed(assignment):
    response = answer(assignment, 1)
    response.answer = "no_tumour"
    with pytest.raises(AppendOnlyError):
        response.save()
    with pytest.raises(AppendOnlyError):
        response.delete()
    with pytest.raises(AppendOnlyError):
        Response.objects.all().update(answer="no_tumour")


def test_a_set_ends_once_and_only_when_every_image_has_an_answer(assignment):
    answer(assignment, 1)
    with pytest.raises(Conflict):
        reading.finish_set(assignment=assignment, number=1)
    for position in (2, 3, 4):
        answer(assignment, position)
    reading.finish_set(assignment=assignment, number=1)
    ended = ReadingSet.objects.get(assignment=assignment, number=1).completed_at
    reading.finish_set(assignment=assignment, number=1)
    assert ReadingSet.objects.get(assignment=assignment, number=1).completed_at == ended
    with pytest.raises(Conflict):
        answer(assignment, 4, answer="no_tumour", replaces=1)


def test_the_wash_out_is_kept_by_the_server():
    assignment = factories.assignment_of(factories.open_study(cases=2, copies=2, min_gap=1, washout_hours=336))
    read_set(assignment)
    progress = progress_of(assignment)
    ended = ReadingSet.objects.get(assignment=assignment, number=1).completed_at
    assert progress.stage is Stage.WASHOUT
    assert progress.opens_at == ended + timedelta(days=14)
    with pytest.raises(NotServed):
        answer(assignment, 1, number=2)
    ReadingSet.objects.filter(assignment=assignment, number=1).update(
        completed_at=timezone.now() - timedelta(days=14, seconds=1)
    )
    answer(assignment, 1, number=2)
    # The server's clock steps back, or was ahead when the first set ended: a set that was begun goes on.
    ReadingSet.objects.filter(assignment=assignment, number=1).update(completed_at=timezone.now() + timedelta(days=30))
    answer(assignment, 2, number=2)


def test_without_a_wash_out_the_next_set_opens_whatever_the_clock_says():
    assignment = factories.assignment_of(factories.open_study(cases=2, copies=2, min_gap=1, washout_hours=0))
    read_set(assignment)
    ReadingSet.objects.filter(assignment=assignment, number=1).update(completed_at=timezone.now() + timedelta(days=30))
    assert progress_of(assignment).stage is Stage.READING
    answer(assignment, 1, number=2)


def test_a_finished_set_reopens_for_its_last_answer_until_the_next_one_has_begun(assignment):
    read_set(assignment)
    first = ReadingSet.objects.get(assignment=assignment, number=1)
    reopen_set(reading_set=first, actor="office", reason="the wrong key")
    answer(assignment, 4, answer="no_tumour", replaces=1)
    reading.finish_set(assignment=assignment, number=1)
    assert AuditEvent.objects.filter(action="set_reopened", actor="office").count() == 1
    answer(assignment, 1, number=2)
    with pytest.raises(InvalidInput, match="wash-out"):
        reopen_set(reading_set=first, actor="office", reason="the wrong key")


@pytest.mark.parametrize(
    ("questions", "sent", "named"),
    [
        ([], {"answer": "first"}, "answer"),
        ([], {"answer": "tumour", "confidence": 3}, "confidence"),
        (["confidence"], {"answer": "tumour"}, "confidence"),
        (["confidence"], {"answer": "tumour", "confidence": 6}, "confidence"),
        (["perturbed_response"], {"answer": "tumour"}, "perturbed_response"),
        (["tumour_cell_count"], {"answer": "tumour", "tumour_cell_count": -1}, "tumour_cell_count"),
        ([], {"answer": "tumour", "note": "not asked"}, "note"),
        ([], {"answer": "tumour", "rt_ms": -5.0}, "rt_ms"),
        ([], {"answer": "tumour", "rt_ms": float("nan")}, "rt_ms"),
    ],
)
def test_an_answer_that_does_not_fit_the_questions_is_refused_by_name(questions, sent, named):
    assignment = factories.assignment_of(factories.open_study(questions=questions))
    with pytest.raises(InvalidInput, match=rf"^{named}:"):
        answer(assignment, 1, **sent)
    assert not Response.objects.exists()


def test_a_pair_takes_first_or_second():
    assignment = factories.assignment_of(factories.open_study(task="pair"))
    with pytest.raises(InvalidInput, match=r"^answer:"):
        answer(assignment, 1, answer="tumour")
    assert answer(assignment, 1, answer="second").answer == "second"


def test_the_questionnaire_comes_once_after_the_last_set(assignment):
    filled = {"noticed": "unsure", "share": 30, "difference": "grain", "repeats": "yes", "comment": ""}
    with pytest.raises(Conflict):
        reading.save_questionnaire(assignment=assignment, **filled)
    read_set(assignment)
    read_set(assignment, 2)
    reading.save_questionnaire(assignment=assignment, **filled)
    with pytest.raises(Conflict):
        reading.save_questionnaire(assignment=assignment, **filled)
    assignment.refresh_from_db()
    assert assignment.questionnaire["difference"] == "grain"
    assert progress_of(assignment).stage is Stage.FINISHED
