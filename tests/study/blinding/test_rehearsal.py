"""Simulated readers read a study to its end through its pages."""

import io
import json
from datetime import datetime, timedelta

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.core.wsgi import get_wsgi_application

from study.blinding.plants import Planted
from study.blinding.rehearsal import RehearsalFailed
from study.blinding.servers import free_port, in_this_process
from study.models import Assignment, AuditEvent, Presentation, Response, Stimulus, Study
from study.protocol import life
from study.protocol.verification import verify
from study.results.analysis import analysis_of
from study.results.tidy import tidy_table
from study.statistics.order import order_effects
from tests import factories, ladders

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


def test_a_whole_adaptive_study_is_read_closed_verified_and_its_planted_threshold_found():
    """From the first pair to the blind spot, through the real pages; on PostgreSQL in `make test-services`."""
    study = ladders.opened(cases=12, noise=False, trials=36, identical=3, readers=("ann", "bob", "eve"))
    out = io.StringIO()
    planted = {"threshold": ["perturbed=3"], "slope": 5, "lapse": 0.0, "threshold_sd": 0.1, "threshold_patch_sd": 0.1}
    call_command("rehearse", "small", reader=["ann", "bob", "eve"], seed=2, json=True, stdout=out, **planted)
    report = json.loads(out.getvalue())
    assert (report["answered"], report["state"]) == (3 * 39, Study.State.UNBLINDED)
    study.refresh_from_db()
    assert not verify(study).problems
    [found] = analysis_of(study).to_json()["visibility"]
    assert (found["readers"], found["patches"], found["answers"], found["flips"]) == (3, 12, 3 * 36, 12)
    assert found["threshold_ci95"][0] < 3 < found["threshold_ci95"][1]
    assert found["threshold"] == pytest.approx(3, rel=0.35)
    assert found["index"] > 0.8  # the model flips at 1


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


def with_noise(*, cases: int = 14, copies: int = 1, **fields) -> Study:
    """An open study with the arms original, perturbed and noise, and no readers yet."""
    study = factories.draft_study(cases=cases, size=8, min_gap=1, washout_hours=0, copies=copies, guides=0, **fields)
    rng = np.random.default_rng(7)
    for case in study.cases.all():
        body = factories.fixed_png(factories.tissue(rng, 8))
        stimulus = Stimulus(case=case, arm="noise", model_prob=0.9, model_label=True)
        stimulus.sha256 = factories._stored(stimulus.image, body)
        stimulus.save()
    life.freeze_study(study=study, actor="test")
    return life.open_study(study=study, actor="test")


def planted(*options: str) -> dict:
    out = io.StringIO()
    call_command("rehearse", "small", *options, json=True, stdout=out, stderr=io.StringIO())
    return json.loads(out.getvalue())


def test_planted_effects_come_out_of_the_real_pages_arm_by_arm():
    study = with_noise()
    report = planted(
        "--readers", "2", "--seed", "1", "--sensitivity", "0.95", "--effect", "perturbed=-0.85", "noise=-0.35"
    )
    assert report["planted"]["effect"] == {"perturbed": -0.85, "noise": -0.35}
    assert report["state"] == Study.State.UNBLINDED
    event = AuditEvent.objects.get(study=study, action="rehearsed")
    assert (event.detail["seed"], event.detail["planted"]) == (1, report["planted"])
    found = analysis_of(Study.objects.get()).to_json()
    perturbed, noise = found["primary"]["delta"], found["controls"]["noise"]["primary"]["delta"]
    assert perturbed == pytest.approx(-0.85, abs=0.15) and noise == pytest.approx(-0.35, abs=0.2)
    assert found["table_1b"] != found["controls"]["noise"]["table_1b"]


def test_arms_are_read_each_for_itself_even_without_any_effect():
    with_noise()
    planted("--sensitivity", "0.6", "--patch-sd", "0")
    table = tidy_table(Study.objects.get()).pivot(index="patch_id", columns="arm", values="label")
    for one, other in (("original", "noise"), ("original", "perturbed"), ("noise", "perturbed")):
        assert (table[one] != table[other]).any()


def test_recognised_patches_are_answered_as_before_within_a_set():
    with_noise(cases=8, copies=2)
    planted("--sensitivity", "0.5", "--patch-sd", "0", "--recognised", "1", "--lapse", "0")
    table = tidy_table(Study.objects.get())
    by_set = table.groupby(["set", "patch_id"])["label"].nunique()
    assert (by_set == 1).all()
    assert table.groupby("patch_id")["label"].nunique().max() == 2  # the next set is read anew
    assert order_effects(table[table["arm"] != "noise"].assign(correct=table["label"] == 1.0)).all_answers.estimate == 0


def test_remembered_patches_are_answered_as_in_the_set_before():
    with_noise(cases=8, copies=2)
    planted("--sensitivity", "0.5", "--patch-sd", "0", "--recognised", "1", "--remembered", "1")
    assert tidy_table(Study.objects.get()).groupby("patch_id")["label"].nunique().max() == 1


def test_a_reader_who_always_says_tumour_can_be_rehearsed():
    with_noise(cases=4)
    planted("--bias", "10", "--lapse", "0")
    assert set(Response.objects.values_list("answer", flat=True)) == {Response.Answer.TUMOUR}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--effect", "nois=-0.1"], "^--effect: there is no arm 'nois' in study 'small'; it has perturbed"),
        (["--effect", "noise"], "^--effect: 'noise' is not ARM=NUMBER, such as noise=-0.05"),
        (["--effect", "perturbed=much"], "^--effect: 'perturbed=much' is not ARM=NUMBER"),
        (["--effect", "=-0.1"], "^--effect: '=-0.1' names no arm"),
        (["--effect", "perturbed=-0.1", "perturbed=-0.2"], "^--effect: 'perturbed' is given twice"),
        (["--lost", "noise=0.1"], "^--lost: there is no arm 'noise' in study 'small'; it has original, perturbed"),
        (["--lost", "perturbed=1.1"], "^--lost: perturbed=1.1 is not a fraction"),
        (["--effect", "perturbed=0.5"], "^--effect: perturbed=0.5 takes the sensitivity from 0.88 to 1.38"),
        (["--effect", "original=0.1"], "^--effect: effects are against the original"),
        (["--recognised", "1.5"], "^--recognised: .*less than or equal to 1"),
        (["--group-arm-sd", "-1"], "^--group-arm-sd: .*greater than or equal to 0"),
        (["--drift", "nan"], "^--drift: "),
        (["--readers", "0"], "^--readers: "),
    ],
)
def test_what_cannot_be_planted_is_named_by_its_option_and_nothing_is_read(options, told):
    factories.open_study(cases=1, size=8, min_gap=1, washout_hours=0)
    with pytest.raises(CommandError, match=told):
        planted(*options)
    assert not Response.objects.exists() and not Assignment.objects.filter(simulated=True).exists()
