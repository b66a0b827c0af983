"""A wrong clock is flagged in the log and on the study's pages, and an admin corrects what it did, with a reason."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ObjectDoesNotExist
from django.utils import timezone

from core.errors import InvalidInput
from study.models import Presentation, ReadingSet, Study
from study.protocol import audit_log, clock
from study.protocol.deviations import deviations, doubtful_times
from study.protocol.verification import verify
from study.reading import answers as reading
from study.reading.answers import SentAnswer
from study.reading.progress import Stage, progress_of
from study.reading.sets import correct_washout, reopen_set
from tests import factories

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def watch() -> clock.Watch:
    made = clock.Watch()
    made.began, made.ran = NOW, timedelta()
    return made


@pytest.mark.parametrize(
    ("now_s", "ran_s", "last_s", "said"),
    [
        (10, 10, 5, ""),
        (10, 10, None, ""),
        (30 * 86400, 30 * 86400, 5, ""),  # a long pause is none of the clock's fault
        (40, 10, 5, ""),  # half a minute: time servers do that
        (30 * 86400, 10, 5, "the clock was set forward by 30.0 days while the server ran"),
        (10, 7210, 5, "the clock was set back by 2.0 hours while the server ran"),
        (10, 10, 15, "5 seconds earlier than the event before it"),
    ],
)
def test_a_time_is_compared_with_the_event_before_and_with_the_running_clock(monkeypatch, now_s, ran_s, last_s, said):
    made = watch()
    monkeypatch.setattr(clock, "_running", lambda: timedelta(seconds=ran_s))
    last = None if last_s is None else NOW + timedelta(seconds=last_s)
    assert made.doubts(NOW + timedelta(seconds=now_s), last) == said


def read_first_set(monkeypatch, study: Study, ahead: timedelta) -> ReadingSet:
    """The reader answers set 1; when it is finished, the clock is ahead."""
    assignment = factories.assignment_of(study)
    for row in Presentation.objects.filter(reading_set__assignment=assignment, reading_set__number=1):
        sent = SentAnswer(answer="tumour")
        reading.record_answer(assignment=assignment, token=row.token, key=f"key of {row.token}", sent=sent)
    with monkeypatch.context() as patched:
        wrong = timezone.now() + ahead
        patched.setattr("django.utils.timezone.now", lambda: wrong)
        reading.finish_set(assignment=assignment, number=1)
    return ReadingSet.objects.select_related("assignment__study").get(assignment=assignment, number=1)


@pytest.fixture
def study() -> Study:
    return factories.open_study(cases=2, copies=2, min_gap=1, washout_hours=24)


def test_a_clock_that_is_ahead_at_the_end_of_a_set_is_flagged_and_its_wash_out_corrected(study, monkeypatch, client):
    finished = read_first_set(monkeypatch, study, timedelta(days=30))
    event = study.events.get(action="set_finished")
    assert "set forward by 30.0 days" in event.detail["clock"]
    assert progress_of(finished.assignment).opens_at > timezone.now() + timedelta(days=30)
    assert [one["action"] for one in doubtful_times(study)] == ["set_finished"]
    assert verify(study).problems == []  # the log is as it was written: flagged, not tampered with

    client.force_login(factories.user("office", role="admin"))
    assert "a time that cannot be believed" in client.get("/studies/small/").content.decode()
    assert "set forward by 30.0 days" in client.get("/studies/small/verification/").content.decode()
    address = "/studies/small/readers/R01/sets/1/washout/"
    client.post(address, {"finished_at": timezone.now().isoformat(), "reason": " "})
    assert not study.events.filter(action="washout_corrected").exists()
    told = timezone.now()
    client.post(address, {"finished_at": told.isoformat(), "reason": "the clock was 30 days ahead"})
    assert ReadingSet.objects.get(pk=finished.pk).completed_at == told
    assert progress_of(factories.assignment_of(study)).opens_at == told + timedelta(hours=24)
    last = study.events.order_by("-pk").first()
    assert "earlier than the event before it" in last.detail["clock"]
    assert verify(study).problems == []
    said = deviations(study)
    assert [one["reason"] for one in said] == ["the clock was 30 days ahead"]
    assert said[0]["what"].startswith(f"Set 1 of reader R01 ended at {told}, not at 20")


@pytest.mark.parametrize(
    ("hours", "reason", "named"), [(1, "r", "finished_at"), (-5, "r", "finished_at"), (0, "", "reason")]
)
def test_a_correction_needs_a_reason_and_a_time_between_opening_and_now(study, monkeypatch, hours, reason, named):
    finished = read_first_set(monkeypatch, study, timedelta())
    with pytest.raises(InvalidInput) as error:
        correct_washout(
            reading_set=finished, actor="office", reason=reason, finished_at=timezone.now() + timedelta(hours=hours)
        )
    assert error.value.field == named
    assert ReadingSet.objects.get(pk=finished.pk).completed_at == finished.completed_at


def test_nothing_is_corrected_once_the_next_set_has_begun_or_the_study_is_closed(study, monkeypatch):
    finished = read_first_set(monkeypatch, study, timedelta())
    unfinished = ReadingSet.objects.get(assignment=finished.assignment, number=2)
    with pytest.raises(InvalidInput, match="not finished"):
        correct_washout(reading_set=unfinished, actor="office", reason="r", finished_at=timezone.now())
    Study.objects.update(state="closed")
    with pytest.raises(InvalidInput, match="only an open study"):
        correct_washout(reading_set=finished, actor="office", reason="r", finished_at=timezone.now())


def test_a_set_reopens_with_a_reason_alone(study, monkeypatch):
    finished = read_first_set(monkeypatch, study, timedelta())
    with pytest.raises(InvalidInput, match="reason"):
        reopen_set(reading_set=finished, actor="office", reason="")
    assert progress_of(factories.assignment_of(study)).stage is Stage.WASHOUT
    reopen_set(reading_set=finished, actor="office", reason="the wrong key")
    assert [one["what"] for one in deviations(study)] == ["Set 1 of reader R01 was reopened"]
    assert verify(study).problems == []
    with pytest.raises(ObjectDoesNotExist):
        study.events.get(action="washout_corrected")


def test_an_earlier_time_than_the_last_event_is_written_down(study, monkeypatch):
    early = timezone.now() - timedelta(seconds=20)
    monkeypatch.setattr("django.utils.timezone.now", lambda: early)
    event = audit_log.record(study=study, actor="office", action="noted")
    assert event.detail["clock"].endswith("earlier than the event before it")
    assert audit_log.first_broken_event() is None
