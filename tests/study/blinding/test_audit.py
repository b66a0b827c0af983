"""The audit walks a copy of a study over HTTP: a clean one passes, every planted leak is found."""

import base64
import io
import json
import random
from collections.abc import Callable
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.core.wsgi import get_wsgi_application

from core.errors import InvalidInput
from study.blinding.audit import LEAK, as_text
from study.blinding.auditing import audit_copy, audit_study, latest_report
from study.blinding.channels import png_chunks
from study.blinding.plants import IN_THE_ROWS, PLANTS, SLOT, Planted, plant_rows
from study.blinding.scratch import Copy, copied_presentations, copied_slots
from study.blinding.servers import in_this_process
from study.models import AuditEvent, Presentation, ReadingSession, ReadingSet, Response, Slot, Study
from study.protocol import audit_log
from study.protocol.schedule_checks import schedule_problems
from tests import factories, ladders

pytestmark = pytest.mark.django_db

# Where each planted leak must show; it may show in further channels, too.
SHOWS_IN = {
    "length": {"image length", "embedded in the file"},
    "etag": {"validators", "image header values"},
    "id": {"address"},
    "order": {"order"},
    "seed": {"guessed schedule"},
    "filename": {"file name", "image header values"},
    "timing": {"timing"},
    "header": {"image header values"},
    "cookie": {"cookies"},
    "quicker": {"timing"},
}
LABELLING_PLANTS = [plant for plant in PLANTS if plant != "quicker"]


@pytest.fixture(autouse=True)
def seeded_tokens(monkeypatch):
    """The same tokens in every run: among really random ones a few in a thousand tell arm or twins, by chance."""
    draw = random.Random(0)

    def token_urlsafe(size: int) -> str:
        return base64.urlsafe_b64encode(draw.randbytes(size)).rstrip(b"=").decode()

    monkeypatch.setattr("study.models.tokens.secrets", SimpleNamespace(token_urlsafe=token_urlsafe))


def small(**options) -> Study:
    return factories.open_study(**({"cases": 10, "copies": 2, "size": 16, "guides": 0} | options))


def raised(report) -> list[dict]:
    return [row for row in report["channels"] if row["verdict"] == LEAK]


def leaks(report) -> set[str]:
    return {row["channel"] for row in raised(report)}


def only_by_chance(report) -> bool:
    """What is left to chance (times, above all) raises an alarm in one or two studies of a hundred."""
    return all(row["constant"] is None for row in raised(report))


def clean_by_command(*options: str) -> dict:
    """The report of ``audit_blinding small``; an alarm by chance must not come back."""
    for _ in range(2):
        out = io.StringIO()
        with suppress(CommandError):
            call_command("audit_blinding", "small", "--json", *options, stdout=out)
        report = json.loads(out.getvalue())
        if report["passed"] or not only_by_chance(report):
            break
    assert report["passed"], as_text(report)
    return report


def test_the_clean_study_passes_and_is_left_alone():
    study = small(readers=("reader", "other"), washout_hours=336)
    before = audit_log.sha256_of(study.protocol), list(ReadingSet.objects.values_list("completed_at", flat=True))
    report = clean_by_command()
    assert (report["presentations"], report["exchanges"], report["probes"]) == (80, 480, 320)
    study.refresh_from_db()
    assert before == (
        audit_log.sha256_of(study.protocol), list(ReadingSet.objects.values_list("completed_at", flat=True))
    )  # fmt: skip
    assert not Response.objects.exists()
    assert latest_report(study) == report
    assert audit_log.first_broken_event() is None


@contextmanager
def served(study: Study, plant: str = ""):
    """The test's own rows, served with a leak: what the audit's scratch copy is, without a second process."""
    assignments = list(study.assignments.all())
    rows, slots = copied_presentations(study, assignments), copied_slots(assignments)
    if plant in IN_THE_ROWS:
        plant_rows(plant, rows, random.Random(0), slots)
        Presentation.objects.bulk_update(rows, ["token", "stimulus", "second"])
        Slot.objects.bulk_update(slots, SLOT)
    with in_this_process(Planted(get_wsgi_application(), plant)) as address:
        yield Copy(address, factories.PASSWORD, rows, slots)


def clean(make: Callable[..., Study], **more) -> tuple[dict, Study]:
    """The report of a study that tells nothing: an alarm by chance must not come back with another study."""
    for slug in ("small", "small-again"):
        study = make(slug=slug)
        with served(study) as copy:
            report = audit_copy(copy, study, **more)
        if report["passed"] or not only_by_chance(report):
            break
    assert report["passed"], as_text(report)
    return report, study


def test_an_alarm_by_chance_must_not_come_back_and_a_broken_promise_fails_at_once(monkeypatch):
    made = []

    def told(*rows):
        channels = [{"channel": name, "verdict": LEAK, "constant": constant} for name, constant in rows]
        return {"passed": not rows, "channels": channels}

    def alarms(*reports):
        made.clear()
        each = iter(reports)
        monkeypatch.setattr(f"{__name__}.audit_copy", lambda copy, study: next(each))
        monkeypatch.setattr(f"{__name__}.as_text", str)
        return clean(lambda slug: made.append(slug))

    monkeypatch.setattr(f"{__name__}.served", lambda study: nullcontext())
    assert alarms(told(("timing", None)), told())[0] == told()
    assert made == ["small", "small-again"]
    with pytest.raises(AssertionError, match="timing"):
        alarms(told(("timing", None)), told(("timing", None)))
    with pytest.raises(AssertionError, match="cookies"):
        alarms(told(("timing", None), ("cookies", False)), told())
    assert made == ["small"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("plant", LABELLING_PLANTS)
def test_a_planted_leak_is_found(plant):
    study = small()
    with served(study, plant) as copy:
        report = audit_copy(copy, study)
    assert leaks(report) >= SHOWS_IN[plant], as_text(report)


@pytest.mark.django_db(transaction=True)
def test_a_pair_comparison_passes():
    clean(partial(small, task="pair", cases=12, copies=3))


def ladder_study(**options) -> Study:
    """Two readers with 28 pairs each."""
    asked = {"readers": ("reader", "other"), "size": 16, "trials": 12, "identical": 4}
    return ladders.opened(**(asked | options))


@pytest.mark.django_db(transaction=True)
def test_an_adaptive_study_passes():
    report, study = clean(ladder_study)
    assert report["presentations"] == 2 * 28
    assert not schedule_problems(study)  # what the audit's readers were shown is what the rule gives


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("plant", ["quicker", "timing", "order", "seed"])  # the others do not know the task
def test_a_planted_leak_is_found_in_an_adaptive_study(plant):
    study = ladder_study()
    with served(study, plant) as copy:
        report = audit_copy(copy, study)
    assert leaks(report) >= SHOWS_IN[plant], as_text(report)


@pytest.mark.django_db(transaction=True)
def test_a_fixed_ladder_passes():
    clean(partial(ladder_study, ladder_="fixed"))


@pytest.mark.django_db(transaction=True)
def test_a_next_image_that_is_quicker_after_a_right_answer_is_found_in_a_fixed_ladder():
    study = ladder_study(ladder_="fixed")
    with served(study, "quicker") as copy:
        report = audit_copy(copy, study)
    assert "timing" in leaks(report), as_text(report)


def test_the_audit_copies_an_adaptive_study_and_leaves_it_alone():
    """By the command: on a copy with a server of its own, which makes every presentation but the first."""
    ladder_study(readers=("reader",), trials=10, noise=False, identical=2, cases=3)
    report = clean_by_command("--redraws", "499")
    assert (report["presentations"], Presentation.objects.count()) == (12, 1)


@pytest.mark.parametrize(
    ("plant", "task", "why"), [("quicker", "labelling", "right"), ("id", "pair", "choose another")]
)
def test_a_leak_that_a_study_cannot_have_is_refused(plant, task, why):
    study = small(cases=2, copies=1, min_gap=1) if task == "labelling" else ladder_study()
    with pytest.raises(InvalidInput, match=why):
        audit_study(study=study, actor="test", plant=plant)


@pytest.mark.django_db(transaction=True)
def test_pages_in_another_language_pass():
    clean(partial(small, cases=12, size_mm=42.5, microns_per_pixel=0.25), language="zh-hans")
    assert set(ReadingSession.objects.values_list("language", flat=True)) == {"zh-hans"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("copies", [2, 4])
def test_a_study_with_twins_in_different_sets_passes(copies):
    split = partial(small, arm_order="twin-split", cases=12, copies=copies, readers=("reader", "other", "third"))
    report, _ = clean(split)
    assert report["presentations"] == 3 * copies * 12


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("plant", LABELLING_PLANTS)
def test_a_planted_leak_is_found_where_twins_lie_in_different_sets(plant):
    study = small(arm_order="twin-split", cases=20)
    with served(study, plant) as copy:
        report = audit_copy(copy, study)
    assert leaks(report) >= SHOWS_IN[plant], as_text(report)


def test_the_command_fails_on_a_leak():
    small(cases=4)
    out = io.StringIO()
    with pytest.raises(CommandError, match=r"NOT BLIND: .*image header values"):
        call_command("audit_blinding", "small", "--plant", "header", stdout=out)
    assert "BROKEN" in out.getvalue()
    assert not AuditEvent.objects.filter(action="blinding_audited").exists()


def test_a_study_without_schedules_cannot_be_audited():
    with pytest.raises(InvalidInput, match="no schedules"):
        audit_study(study=factories.draft_study(), actor="test")


def test_an_unknown_language_cannot_be_audited():
    with pytest.raises(InvalidInput, match="'tlh' is none of en-gb, de, fr, es, zh-hans"):
        audit_study(study=factories.draft_study(), actor="test", language="tlh")


def test_what_follows_the_end_of_a_png_is_seen():
    body = factories.fixed_png(factories.tissue(np.random.default_rng(0), 8))
    assert [name for name, _, _ in png_chunks(body)] == ["IHDR", "IDAT", "IEND"]
    assert [name for name, _, _ in png_chunks(body + b"note")][-1] == "after the end"


@pytest.mark.django_db(transaction=True)
def test_a_study_passes_with_an_id_in_every_answer(settings):
    settings.MIDDLEWARE = ["core.logs.RequestIds", *settings.MIDDLEWARE]
    clean(small)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("leak", "shows"), [("longer", "image header values"), ("telling", "request id")])
def test_an_id_that_tells_the_arm_is_found(settings, monkeypatch, leak, shows):
    settings.MIDDLEWARE = ["core.logs.RequestIds", *settings.MIDDLEWARE]
    arms: dict[str, str] = {}
    draw = random.Random(1)

    def planted(request):
        told = arms.get(request.path.rpartition("/")[2]) == "perturbed"
        made = f"{draw.getrandbits(128):032x}"
        return made + "0" * told if leak == "longer" else "0f"[told] + made[1:]

    monkeypatch.setattr("core.logs._id_of", planted)
    study = small()
    arms.update(Presentation.objects.values_list("token", "stimulus__arm"))
    with served(study) as copy:
        report = audit_copy(copy, study)
    assert shows in leaks(report), as_text(report)
