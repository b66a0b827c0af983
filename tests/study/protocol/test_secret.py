"""The secret of the schedules: what is drawn from it, who sees it when, and how it is checked afterwards."""

import hashlib
import io
import json
import re
from unittest import mock

import pytest
from django.core.management import call_command
from django.db.models import QuerySet
from django.urls import get_resolver, reverse

from core.models import User
from jobs.models import Job
from study.blinds import StillBlinded, disclosed_secret
from study.design.draws import Draws, derived_seed
from study.design.schedule import build_schedule
from study.management.commands import demo
from study.models import Assignment, AuditEvent, Presentation, ReadingSet, ScheduleSecret, Stimulus, Study
from study.protocol import audit_log
from study.protocol import secret as secrets_of
from study.protocol.documents import sealed
from study.protocol.life import assign_reader, close_study, freeze_study, unblind_study
from study.protocol.schedule_checks import recompute, schedule_problems, secret_matches
from study.protocol.schedules import Plan, make_schedule
from study.protocol.secret import new_secret  # the real one: tests run with a fixed one
from tests import factories
from tests.conftest import SECRET
from tests.every_page import routes
from tests.pool import attacked_pool

pytestmark = pytest.mark.django_db

OTHER = "ffeeddccbbaa99887766554433221100"
SEED = 4_711_000_123
DESIGNS = {
    "paper": {"arm_order": "paper"},
    "twin-split": {"arm_order": "twin-split"},
    "pair": {"task": "pair", "min_gap": 2},
}
designs = pytest.mark.parametrize("design", DESIGNS)


def opened(design: str = "twin-split", readers=("ann", "ben", "cem"), **fields) -> Study:
    return factories.open_study(readers=readers, cases=6, size=8, guides=0, seed=SEED, **DESIGNS[design] | fields)


def frozen_with(secret: str, design: str, slug: str) -> Study:
    study = factories.draft_study(cases=6, size=8, guides=0, seed=SEED, slug=slug, **DESIGNS[design])
    for name in ("ann", "ben"):
        reader, _ = User.objects.get_or_create(username=name, defaults={"role": User.Role.READER})
        assign_reader(study=study, reader=reader, actor="test")
    return freeze_study(study=study, actor="test", secret=secret)


def orders(study: Study) -> list[tuple]:
    rows = Presentation.objects.filter(reading_set__assignment__study=study)
    rows = rows.order_by("reading_set__assignment__code", "reading_set__number", "position")
    return list(rows.values_list("stimulus__case__number", "stimulus__arm", "second__arm"))


def by_force(rows: QuerySet, **values) -> None:
    """As somebody does who owns the database."""
    QuerySet.update(rows, **values)


def as_before_secrets(study: Study) -> Study:
    """The study as an older release froze it."""
    Presentation.objects.all().delete()
    ReadingSet.objects.all().delete()
    QuerySet.delete(ScheduleSecret.objects.all())
    schedules = [make_schedule(assignment) for assignment in study.assignments.order_by("code")]
    protocol = {name: value for name, value in study.protocol.items() if name not in (secrets_of.COMMITMENT, "salt")}
    study.protocol = protocol | {"schedules": schedules}
    study.protocol_sha256 = audit_log.sha256_of(study.protocol)
    study.save()
    return study


# --- What is drawn ----------------------------------------------------------------------------------------------------


def test_the_secret_has_128_random_bits_and_is_made_anew_for_every_study(monkeypatch):
    monkeypatch.setattr("study.protocol.secret.new_secret", new_secret)
    studies = []
    for slug in ("one", "two"):
        study = factories.draft_study(slug=slug, cases=3, size=8, guides=0)
        assert secrets_of.stored(study) == ""
        studies.append(freeze_study(study=study, actor="test"))
    values = [secrets_of.stored(study) for study in studies]
    assert len(set(values)) == 2 and all(len(bytes.fromhex(value)) == 16 for value in values)


@designs
def test_equal_seeds_and_secrets_give_equal_schedules_and_another_secret_gives_others(design):
    first, again, other = (
        frozen_with(secret, design, slug) for secret, slug in ((SECRET, "a"), (SECRET, "b"), (OTHER, "c"))
    )
    assert orders(first) == orders(again) != orders(other)


@designs
def test_nothing_of_a_schedule_is_drawn_from_a_number_alone(design, monkeypatch):
    study = opened(design)
    seeds = []
    plain = Draws.__init__
    monkeypatch.setattr(Draws, "__init__", lambda draws, seed: (seeds.append(seed), plain(draws, seed))[1])
    assign_reader(study=study, reader=factories.user("late"), actor="test")
    assert len(seeds) >= 2 and all(isinstance(seed, bytes) and len(seed) == 32 for seed in seeds)


def test_keys_differ_by_secret_purpose_and_seed():
    keys = {
        secrets_of.drawn_from(secret, purpose, seed)
        for secret in (SECRET, OTHER)
        for purpose in ("reader", "round", "sides")
        for seed in (1, 2)
    }
    assert len(keys) == 12


def test_readers_of_a_round_still_share_a_plan():
    sets = {}
    for code, number, case, arm in Presentation.objects.filter(reading_set__assignment__study=opened()).values_list(
        "reading_set__assignment__code", "reading_set__number", "stimulus__case__number", "stimulus__arm"
    ):
        sets[code, number, case] = arm
    assert all(arm != sets["R02", number, case] for (code, number, case), arm in sets.items() if code == "R01")


# --- Checking afterwards ----------------------------------------------------------------------------------------------


@designs
def test_anyone_can_draw_the_schedules_again_from_the_disclosed_protocol_and_secret(design, client):
    study = opened(design)
    assign_reader(study=study, reader=factories.user("late"), actor="test")
    unblind_study(study=close_study(study=study, actor="test"), actor="test")
    client.force_login(factories.user("rita", "researcher"))
    exported = json.loads(client.get("/studies/small/results/file/protocol.json").getvalue())
    protocol, secret = exported["protocol"], exported["schedule_secret"]
    assert audit_log.sha256_of(protocol) == exported["protocol_sha256"]
    assert hashlib.sha256(secret.encode()).hexdigest() == protocol["schedule_secret_sha256"]
    *fixed, late = recompute(protocol, secret, later=["R04"])
    assert fixed == protocol["schedules"]
    joined = AuditEvent.objects.filter(action="reader_assigned").last()
    assert audit_log.sha256_of(late) == joined.detail["schedule_sha256"]
    assert recompute(protocol, OTHER) != protocol["schedules"]


@designs
def test_a_study_as_it_was_made_has_no_problems(design):
    study = opened(design)
    assign_reader(study=study, reader=factories.user("late"), actor="test")
    assert schedule_problems(study) == [] and secret_matches(study)
    assert schedule_problems(factories.draft_study(slug="draft")) == []


def _swap(study: Study) -> None:
    one, other = Presentation.objects.filter(reading_set__assignment__code="R02", reading_set__number=1)[2:4]
    one.stimulus, other.stimulus = other.stimulus, one.stimulus
    one.save()
    other.save()


def _drop(study: Study) -> None:
    Presentation.objects.filter(reading_set__assignment__code="R02", reading_set__number=1, position=3).delete()


def _exchange_arms(study: Study) -> None:
    for arm, to in (("original", "x"), ("perturbed", "original"), ("x", "perturbed")):
        Stimulus.objects.filter(arm=arm).update(arm=to)


def _other_bytes(study: Study) -> None:
    Stimulus.objects.filter(case__number=3, arm="original").update(sha256="0" * 64)


def _other_seed(study: Study) -> None:
    Assignment.objects.filter(code="R02").update(seed=1)


def _other_secret(study: Study) -> None:
    by_force(ScheduleSecret.objects.all(), value=OTHER)


def _no_secret(study: Study) -> None:
    QuerySet.delete(ScheduleSecret.objects.all())


def _other_protocol(study: Study) -> None:
    study.protocol["schedules"][1]["sets"][0]["order"].reverse()
    study.save()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_swap, "Reader R02, set 1: 2 of 6 presentations .* the first at position 3"),
        (_drop, "Reader R02, set 1: 1 of 6 presentations .* the first at position 3"),
        (_exchange_arms, "Reader R01, set 1: 6 of 6 presentations"),
        (_other_bytes, "set 1: 1 of 6 presentations"),
        (_other_seed, "Reader R02: the recorded seed"),
        (_other_secret, "is not the one that the protocol commits to"),
        (_no_secret, "or it is missing"),
        (_other_protocol, "Reader R02: the schedule does not have the SHA-256"),
    ],
)
def test_what_was_changed_in_the_database_is_found_and_named(change, words):
    study = opened()
    change(study)
    [first, *_] = schedule_problems(Study.objects.get(pk=study.pk))
    assert re.search(words, first), first


def test_exchanged_sides_of_a_pair_are_found():
    study = opened("pair")
    row = Presentation.objects.first()
    row.stimulus, row.second = row.second, row.stimulus
    row.save()
    assert "1 of 6 presentations" in schedule_problems(study)[0]


# --- Who sees it ------------------------------------------------------------------------------------------------------


def _every_page(client) -> dict[str, str]:
    """Every page and document about the study, by address."""
    known = {"slug": "small", "study_slug": "small", "code": "R01", "number": "1", "filename": "protocol.json"}
    known |= {"object_id": str(Study.objects.get(slug="small").pk)}  # in Django's admin
    found = {}
    for route, arguments in routes(get_resolver().url_patterns):
        if set(arguments) <= set(known) and "logout" not in route and "sign_out" not in route:
            address = reverse(route, kwargs={name: known[name] for name in arguments})
            found[address] = client.get(address).getvalue().decode(errors="replace")
    return found


@pytest.mark.parametrize("role", ["researcher", "admin"])
def test_before_unblinding_no_page_and_no_document_holds_the_secret_or_the_seeds(role, client):
    study = opened()
    client.force_login(factories.user("rita", role, is_staff=role == "admin", is_superuser=role == "admin"))
    salt, seeds = study.protocol["salt"], [str(study.seed), str(study.protocol["schedules"][0]["seed"])]
    for step in (None, close_study):
        if step:
            study = step(study=study, actor="test")
        pages = _every_page(client)
        assert len(pages) > 30 and "/studies/small/protocol/" in pages and "/api/v1/studies/small/" in pages
        assert role == "researcher" or study.name in pages[f"/admin/study/study/{study.pk}/change/"]
        for address, text in pages.items():
            assert not [held for held in (SECRET, salt, *seeds) if held in text], address
        with pytest.raises(StillBlinded):
            disclosed_secret(study)
    assert study.protocol[secrets_of.COMMITMENT] in pages["/studies/small/"] + pages["/studies/small/protocol/"]


def test_unblinding_discloses_it_on_the_pages_in_the_api_and_in_the_exports(client, tmp_path):
    study = unblind_study(study=close_study(study=opened(), actor="test"), actor="test")
    client.force_login(factories.user("rita", "researcher"))
    assert disclosed_secret(study) == SECRET
    for address in ("/studies/small/", "/studies/small/protocol/", "/studies/small/protocol.md"):
        assert f"{SECRET}" in client.get(address).text, address
    assert client.get("/api/v1/studies/small/").json()["schedule_secret"] == SECRET
    assert client.get("/api/v1/studies/small/protocol/").json()["schedule_secret"] == SECRET
    assert client.get("/api/v1/studies/small/").json()["seed"] == SEED
    # The document that was hashed is still handed out letter by letter.
    whole = client.get("/studies/small/protocol.json").content
    assert hashlib.sha256(whole).hexdigest() == study.protocol_sha256


def test_neither_log_nor_jobs_nor_commands_hold_it_before(capsys, caplog):
    attacked_pool()
    out = io.StringIO()
    chosen = {"attack": "pool", "name": "Small", "positives": 6, "practice": 0, "examples": 0, "reader": ["ann"]}
    factories.user("ann")
    call_command("build_study", **chosen, draft=True, json=True, stdout=out)
    call_command("freeze_study", "small", json=True, stdout=out)
    call_command("export_protocol", "small", stdout=out)
    call_command("export_protocol", "small", json=True, stdout=out)
    written = out.getvalue() + "".join(capsys.readouterr()) + caplog.text
    written += json.dumps(list(AuditEvent.objects.values_list("detail", flat=True)))
    written += json.dumps(list(Job.objects.values_list("arguments", "result", "log")))
    assert secrets_of.commitment_to(SECRET) in written
    assert SECRET not in written and Study.objects.get().protocol["salt"] not in written


def test_an_admin_who_takes_the_whole_protocol_out_before_unblinding_is_logged_and_gets_no_secret(client):
    opened()
    client.force_login(factories.user("ada", "admin"))
    for address in ("/studies/small/protocol.json", "/api/v1/studies/small/protocol/whole/"):
        events = AuditEvent.objects.filter(action="protocol_taken_out").count()
        text = client.post(address).content.decode()
        assert '"cases"' in text and SECRET not in text
        assert AuditEvent.objects.filter(action="protocol_taken_out").count() == events + 1


def test_orders_of_images_leave_before_unblinding_only_as_hashes_that_cannot_be_met_by_trying():
    study = opened()
    text = json.dumps(sealed(study))
    assert not [sha256 for sha256 in Stimulus.objects.values_list("sha256", flat=True) if sha256 in text]
    assert sealed(study)["schedules_sha256"] == audit_log.sha256_of(study.protocol["schedules"])
    # Who knows everything but the salt cannot make the published hash.
    known = {name: value for name, value in study.protocol.items() if name != "salt"}
    assert len(study.protocol["salt"]) == 64 and audit_log.sha256_of(known) != study.protocol_sha256


# --- Studies of before ------------------------------------------------------------------------------------------------


@designs
def test_without_a_secret_schedules_are_those_of_earlier_releases(design):
    study = as_before_secrets(opened(design))
    plan = Plan.of(study)
    if design != "twin-split":
        asked = {"copies": 2, "min_gap": study.min_gap, "adjacent_sets": True}
        drawn = build_schedule(plan.keys, seed=derived_seed(SEED, 1), **asked)
        assert [len(order) for order in drawn.sets] == [
            len(one) for one in plan.sets_of("", seed=derived_seed(SEED, 1), number=0)
        ]
        shown = plan.sets_of("", seed=derived_seed(SEED, 1), number=0)
        cases = [[first.case_id for first, _ in order] for order in shown]
        assert cases == [[plan.keys[index].case_id for index in order] for order in drawn.sets]
    assert recompute(study.protocol, "") == study.protocol["schedules"]
    assert schedule_problems(study) == [] and secret_matches(study)


def test_a_study_frozen_before_there_were_secrets_is_named_so(client):
    made = {"keep": lambda study, secret: None, "commitment_to": lambda secret: "", "salt": lambda secret: ""}
    with mock.patch.multiple("study.protocol.secret", **made):  # its log names the protocol as it is
        study = opened()
    words = "frozen before schedules were secret"
    assert secrets_of.frozen_before_secrets(study)
    client.force_login(factories.user("rita", "researcher"))
    for address in ("/studies/small/", "/studies/small/protocol/", "/studies/small/protocol.md"):
        assert words in client.get(address).text, address
    late = assign_reader(study=study, reader=factories.user("late"), actor="test")
    assert late.sets.count() == 2 and schedule_problems(study) == []
    unblind_study(study=close_study(study=study, actor="test"), actor="test")
    assert words in client.get("/studies/small/").text
    assert client.get("/api/v1/studies/small/protocol/").json()["schedule_secret"] == ""


# --- Seeds ------------------------------------------------------------------------------------------------------------


def test_api_and_command_draw_a_seed_where_none_is_asked_for(client):
    attack = attacked_pool()
    client.force_login(factories.user("ada", "admin"))
    for name in ("One", "Two"):
        body = {"name": name, "attack": attack.name, "positives": 4}
        assert client.post("/api/v1/studies/", json.dumps(body), "application/json").status_code == 202
    seeds = [job.arguments["seed"] for job in Job.objects.order_by("pk")]
    for name in ("Three", "Four"):
        call_command("build_study", attack="pool", name=name, positives=4, draft=True, json=True, stdout=io.StringIO())
    seeds += Study.objects.values_list("seed", flat=True)
    assert len(set(seeds)) == 4 and min(seeds) > 1000


def test_a_clone_does_not_tell_the_seed_of_its_study(client):
    opened()
    client.force_login(factories.user("ada", "admin"))
    form = client.get("/new-study/?clone=small").context["form"]
    assert form["seed"].value() is None


def test_a_sentence_given_to_the_command_stands_on_the_studys_page(client):
    attacked_pool()
    note = "This is a demonstration: its seed, 0, is public."
    call_command(
        "build_study", attack="pool", name="Small", positives=4, seed=0, note=[note], json=True, stdout=io.StringIO()
    )
    client.force_login(factories.user("rita", "researcher"))
    assert note in client.get("/studies/small/").text
    assert note in client.get("/api/v1/studies/small/").json()["notes"]


def test_a_secret_that_was_kept_cannot_be_changed():
    study = opened()
    row = ScheduleSecret.objects.get(study=study)
    row.value = OTHER
    for attempt in (row.save, row.delete, ScheduleSecret.objects.all().delete):
        with pytest.raises(TypeError):
            attempt()


def test_the_demo_tells_that_its_seed_is_public(monkeypatch):
    built = {}
    monkeypatch.setattr(demo, "call_command", lambda *args, **kwargs: None)

    def stage(self, made, title, *args, **kwargs):
        built.setdefault(title, kwargs)
        return {"flipped_positives": 20}

    monkeypatch.setattr(demo.Command, "_stage", stage)
    demo.Command()._compute({}, 10, 7)
    assert [built[stage]["seed"] for stage in ("build_study", "build_live")] == [7, 7]
    assert all("its seed, 7, is public" in built[stage]["note"][0] for stage in ("build_study", "build_live"))
