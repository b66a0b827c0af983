"""Simulated readers read a study to its end through its pages."""

import io
import json
from datetime import datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.core.wsgi import get_wsgi_application

from study.blinding.plants import Planted
from study.blinding.rehearsal import RehearsalFailed
from study.blinding.servers import free_port, in_this_process
from study.models import Assignment, Presentation, Response, Study
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


def rehearse(**options) -> dict:
    out = io.StringIO()
    call_command("rehearse", "small", reader=["reader"], json=True, stdout=out, stderr=io.StringIO(), **options)
    return json.loads(out.getvalue())


@pytest.mark.parametrize("task", ["labelling", "pair"])
def test_a_study_is_answered_to_its_end_and_unblinded(task):
    study = factories.open_study(cases=2, size=8, min_gap=1, washout_hours=0, task=task, consent_text="You agree.")
    password = factories.assignment_of(study).reader.password
    report = rehearse()
    presentations = Presentation.objects.count()
    assert (report["answered"], report["state"]) == (presentations, Study.State.UNBLINDED)
    [reader] = report["readers"]
    assert (reader["images_checked"], reader["ended"]) == (presentations * (1 + (task == "pair")), "finished")
    assert set(Presentation.objects.values_list("responses__revision", flat=True)) == {1}
    assignment = Assignment.objects.select_related("reader").get()
    assert assignment.simulated and assignment.questionnaire and assignment.reader.password == password


def test_a_running_server_is_used_and_the_study_left_open(live_server):
    factories.open_study(cases=1, size=8, min_gap=1, washout_hours=0)
    assert rehearse(url=live_server.url, leave_open=True)["state"] == Study.State.OPEN
    assert Response.objects.count() == Presentation.objects.count()


def test_readers_who_must_wait_for_the_next_set_leave_the_study_open():
    factories.open_study(cases=1, size=8, min_gap=1, copies=2, washout_hours=24)
    report = rehearse()
    assert (report["readers"][0]["ended"], report["state"]) == ("waiting", Study.State.OPEN)
    assert report["answered"] == Presentation.objects.filter(reading_set__number=1).count()


def test_a_rehearsal_that_waits_says_for_what_until_when_and_how_to_wait_less():
    factories.open_study(cases=1, size=8, min_gap=1, copies=2, washout_hours=24)
    out, err = io.StringIO(), io.StringIO()
    call_command("rehearse", "small", reader=["reader"], json=True, stdout=out, stderr=err)
    first, _ = Assignment.objects.get().sets.order_by("number")
    opens = first.completed_at + timedelta(hours=24)
    waits = json.loads(out.getvalue())["readers"][0]["waits_for"]
    assert waits["set"] == 2 and datetime.fromisoformat(waits["opens_at"]) == opens
    said = err.getvalue()
    assert f"waits for set 2: it opens {opens:%Y-%m-%d %H:%M} UTC, after the wash-out of 24 hours" in said
    assert "--washout-hours 0" in said


def test_an_image_that_is_not_the_stimulus_of_the_protocol_ends_the_rehearsal():
    """This server adds seven bytes to every perturbed image."""
    factories.open_study(cases=1, size=8, min_gap=1, washout_hours=0)
    served = in_this_process(Planted(get_wsgi_application(), "length"))
    with served as address, pytest.raises(RehearsalFailed, match="are not the stimuli of the protocol"):
        rehearse(url=address)
    assert not Response.objects.exclude(presentation__stimulus__arm="original").exists()


def test_where_no_server_answers_nothing_is_answered():
    factories.open_study(cases=1, size=8, min_gap=1, washout_hours=0)
    with pytest.raises(CommandError, match="no server answers at"):
        rehearse(url=f"http://127.0.0.1:{free_port()}")
    assert not Response.objects.exists()
