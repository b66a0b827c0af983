"""The interface for programs: who may call, what a request is, what stays closed until unblinding."""

import json

import pytest
from django.core.cache import cache
from knox.models import AuthToken

from core.models import User
from jobs.models import Job
from jobs.running import run_attempt
from study.models import AuditEvent, Stimulus, Study
from tests import factories
from tests.pool import attacked_pool

ROOT = "/api/v1/"


@pytest.fixture
def as_role(client, own_files):
    """``as_role(role)(path, body)`` calls with that person's token; a body makes it a POST."""

    def sign_in(role: str):
        token = AuthToken.objects.create(user=factories.user(f"the-{role}", role))[1]
        headers = {"Authorization": f"Token {token}"}

        def call(path: str, body: dict | None = None):
            if body is None:
                return client.get(ROOT + path, headers=headers)
            return client.post(ROOT + path, json.dumps(body), content_type="application/json", headers=headers)

        return call

    return sign_in


LISTS = ("datasets/", "classifiers/", "cross-validations/", "attacks/", "pairs/", "jobs/", "studies/")
SURE = {"password": factories.PASSWORD}
STUDY = {"name": "By program", "positives": 4, "min_gap": 2, "questions": [], "practice": 0}


@pytest.mark.django_db
def test_strangers_and_readers_are_refused(client, as_role):
    factories.open_study()
    assert client.get(ROOT + "jobs/").status_code == 401
    ann = as_role("reader")
    for path in (*LISTS, "studies/small/", "studies/small/readers/", "studies/power/", "schema/"):
        assert ann(path).status_code == 403, path
    assert ann("studies/small/freeze/", {}).status_code == 403


@pytest.mark.django_db
def test_researchers_look_at_studies_and_admins_act(as_role):
    factories.open_study()
    rita = as_role("researcher")
    assert rita("studies/small/").json()["progress"] == {"planned": 16, "answered": 0}
    for path in ("studies/", "studies/small/close/", "studies/small/readers/", "studies/small/readers/R01/remind/"):
        assert rita(path, {}).status_code == 403, path
    ada = as_role("admin")
    assert ada("studies/small/close/", {"unfinished": True}).json()["state"] == "closed"
    assert AuditEvent.objects.last().actor == "the-admin"


@pytest.mark.django_db
def test_every_list_can_be_read_and_filtered(as_role):
    attack = attacked_pool()
    factories.open_study()
    rita = as_role("researcher")
    for path in LISTS:
        assert set(rita(path).json()) == {"count", "next", "previous", "results"}, path
    assert rita("attacks/?norm=l2").json()["count"] == 0
    assert rita("attacks/?norm=linf").json()["results"][0]["classifier"] == "pool"
    rows = rita(f"attacks/{attack.pk}/perturbations/").json()
    assert rows["count"] == 20 and rows["results"][0]["linf"] == 4.0


@pytest.mark.django_db(transaction=True)
def test_a_request_is_a_job_that_can_be_followed_to_its_study(as_role):
    attacked_pool()
    ada = as_role("admin")
    answer = ada("studies/", STUDY | {"attack": "pool"})
    job = answer.json()
    assert answer.status_code == 202 and answer["Location"].endswith(f"/api/v1/jobs/{job['id']}/")
    assert (job["state"], job["requester"]) == ("queued", "the-admin")
    assert run_attempt(job["id"], 1) == "done", Job.objects.get().error
    found = ada(f"jobs/{job['id']}/").json()
    assert found["result"]["study"] == "by-program"
    invited = ada("studies/by-program/readers/", {"username": "ann"})
    assert invited.status_code == 201 and "/reading/join/#" in invited.json()["link"]
    freezing = ada("studies/by-program/freeze/", SURE)
    assert freezing.status_code == 202 and run_attempt(freezing.json()["id"], 1) == "done", Job.objects.first().error
    assert ada("studies/by-program/").json()["protocol_sha256"]
    assert ada("studies/by-program/open/", {}).json()["state"] == "open"
    assert ada("studies/by-program/readers/").json()["results"][0]["sets"][0] == {"set": 1, "planned": 8, "answered": 0}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path, body, field",
    [
        ("studies/", STUDY | {"attack": "nonsense"}, "attack"),
        ("studies/", STUDY | {"attack": "pool", "positives": 500}, "positives"),
        ("studies/", STUDY, "attack"),
        ("studies/", STUDY | {"attack": "pool", "copies": 0}, "copies"),
        ("studies/", STUDY | {"attack": "pool", "settings": {"copies": 1}}, "settings"),
        ("studies/", STUDY | {"attack": "pool", "variants": "a"}, "variants"),
        ("attacks/", {"name": "a", "classifier": "pool", "norm": "linf"}, "budget"),
        ("attacks/", {"name": "a", "classifier": "pool", "norm": "linf", "budget": "nan"}, "budget"),
        ("attacks/", {"name": "a", "classifier": "pool", "kind": "minimal", "budget": 4}, "budget"),
        (
            "attacks/",
            {"name": "a", "classifier": "pool", "kind": "minimal", "norm": "l2", "rescaled": True},
            "rescaled",
        ),
        ("attacks/", {"name": "a", "classifier": "pool", "kind": "gentle"}, "kind"),
        ("attacks/", {"name": "a", "classifier": "pool", "budget": 4, "device": "cuda"}, "device"),
        ("classifiers/", {"name": "a", "dataset": "pool", "weights": "/etc/passwd"}, "weights"),
        ("attacks/", {"name": "pool", "classifier": "pool", "norm": "linf", "budget": 4}, "name"),
        ("datasets/", {"name": "a", "folder": "/etc"}, "folder"),
        ("datasets/", {"name": "a"}, "upload"),
    ],
)
def test_a_request_that_cannot_be_names_its_field(as_role, path, body, field):
    attacked_pool()
    answer = as_role("admin")(path, body)
    assert answer.status_code == 400 and list(answer.json()) == [field], answer.json()
    assert not Job.objects.exists()


@pytest.mark.django_db
def test_nothing_names_an_arm_before_unblinding(as_role):
    study = factories.open_study()
    ada = as_role("admin")
    hashes = Stimulus.objects.filter(case__study=study).values_list("sha256", flat=True)
    for path in ("studies/", "studies/small/", "studies/small/protocol/", "studies/small/readers/"):
        text = ada(path).content.decode()
        assert not any(one in text for one in hashes), path
    for path in ("studies/small/analysis/", "studies/small/exports/presentations.csv"):
        assert ada(path).status_code == 409, path
    assert ada("studies/small/protocol/whole/", {}).json()["protocol"]["cases"]
    assert AuditEvent.objects.last().action == "protocol_taken_out"


@pytest.mark.django_db
def test_unblinding_is_confirmed_and_opens_the_exports(as_role):
    factories.open_study()
    ada = as_role("admin")
    ada("studies/small/close/", {"unfinished": True})
    assert ada("studies/small/unblind/", {"confirm": "other"} | SURE).status_code == 409
    wrong = ada("studies/small/unblind/", {"confirm": "small", "password": "not mine"})
    assert wrong.status_code == 400 and "password" in wrong.json()
    assert Study.objects.get(slug="small").state == "closed"
    assert ada("studies/small/unblind/", {"confirm": "small"} | SURE).json()["unblinded_by"] == "the-admin"
    body = b"".join(ada("studies/small/exports/presentations.csv").streaming_content).decode()
    assert body.startswith("study_id,") and len(body.splitlines()) == 17
    assert ada("studies/small/exports/nonsense.csv").status_code == 404


@pytest.mark.django_db
def test_readers_are_withdrawn_and_reminded(as_role):
    factories.open_study()
    ada = as_role("admin")
    assert "8 images left" in ada("studies/small/readers/R01/remind/", {}).json()["text"]
    assert ada("studies/small/readers/R01/withdraw/", {"reason": "ill"}).json()["withdrawn_at"]
    for step, asked in (("reopen", {}), ("washout", {"finished_at": "2026-01-01T00:00:00Z"})):
        refused = ada(f"studies/small/readers/R01/sets/1/{step}/", asked)
        assert (refused.status_code, "reason" in refused.content.decode()) == (400, True)
        refused = ada(f"studies/small/readers/R01/sets/1/{step}/", asked | {"reason": "a wrong clock"})
        assert (refused.status_code, "not finished" in refused.content.decode()) == (400, True)
    assert ada("studies/small/readers/R01/remind/", {}).status_code == 400


@pytest.mark.django_db
def test_power_is_answered_at_once(as_role):
    found = as_role("researcher")("studies/power/?positives=20&planned_readers=1&copies=2&arm_order=paper").json()
    assert found["crossed"]["different"] == pytest.approx(0.12, abs=0.06)  # one reader 20 x 2, ten points fewer


@pytest.mark.django_db
def test_the_schema_describes_itself_without_a_warning(as_role, tmp_path):
    from django.core.management import call_command

    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "schema.yml"))
    assert as_role("researcher")("schema/").status_code == 200
    assert User.objects.count() == 1 and not Study.objects.exists()


@pytest.mark.django_db
def test_admins_alone_learn_whose_code_it_is(as_role):
    factories.open_study(readers=("ann-of-ward-7",))
    for role, name in (("admin", "ann-of-ward-7"), ("researcher", None)):
        call = as_role(role)
        assert call("studies/small/readers/R01/").json()["username"] == name
        assert call("studies/small/readers/").json()["results"][0]["username"] == name
        assert ("ann-of-ward-7" in call("studies/small/readers/").content.decode()) == (name is not None)


@pytest.mark.django_db
def test_a_study_is_verified_and_until_unblinding_rows_alone_are_named(as_role):
    study = factories.open_study(slug="changed", readers=("r1",))
    call = as_role("researcher")
    told = call("studies/changed/verification/").json()
    assert told["ok"] and told["head"] and set(told["checks"]) >= {"protocol", "answers", "log"}
    Stimulus.objects.filter(case__study=study, arm="perturbed").update(arm="noise")
    cache.clear()
    told = call("studies/changed/verification/").json()
    problems = [problem for problems in told["checks"].values() for problem in problems]
    assert not told["ok"] and any("study_stimulus row" in problem for problem in problems)
    assert not any(arm in problem for problem in problems for arm in ("original", "perturbed", "noise")), problems
