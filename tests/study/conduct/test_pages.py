"""Every page of researchers and admins: who may see it, that it answers, and what it does not tell."""

import io
import json
import re
import zipfile
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import URLPattern

import attacks.urls
import jobs.urls
import model.urls
from attacks.models import Attack, PairSet
from core.models import User
from core.requests import fields_of
from jobs.models import Job
from jobs.running import run_attempt
from model.models import Dataset
from study.conduct import urls as conduct_urls
from study.models import Assignment, AuditEvent, Presentation, Stimulus, Study
from study.protocol.requests import PowerQuery
from study.reading import urls as reading_urls
from study.results import urls as results_urls
from tests import factories
from tests.pool import attacked_pool, png

pytestmark = pytest.mark.django_db(transaction=True)

SURE = {"password": factories.PASSWORD}
ADMINS = {
    "study_new", "power", "study_freeze", "study_edit", "study_delete", "study_open", "study_close", "study_team",
    "study_unblind", "readers", "invited", "invite_again", "reader_remind", "reader_withdraw", "reader_reopen",
    "reader_washout",
}  # fmt: skip
ARGUMENTS = {"slug": "small", "code": "R01", "number": 1, "pk": 1, "source": "folder", "name": "open",
             "which": "original", "token": "x" * 22, "kind": "classifier",
             "suffix": "svg", "row": 1, "filename": "study.csv"}  # fmt: skip


def addresses(patterns: list[URLPattern], prefix: str) -> list[tuple[str, str]]:
    """(name, address) of every pattern, with ``ARGUMENTS`` in its places."""
    found = []
    for pattern in patterns:
        route = str(pattern.pattern)
        for name, converter in pattern.pattern.converters.items():
            route = route.replace(f"<{type(converter).__name__[:-9].lower()}:{name}>", str(ARGUMENTS[name]))
            route = route.replace(f"<str:{name}>", str(ARGUMENTS[name])).replace(f"<int:{name}>", str(ARGUMENTS[name]))
        found.append((pattern.name, prefix + route))
    assert not any("<" in address for _, address in found)
    return found


OFFICE = [
    *addresses(model.urls.urlpatterns, "/"),
    *addresses(attacks.urls.urlpatterns, "/"),
    *addresses(jobs.urls.urlpatterns, "/jobs/"),
    *addresses(conduct_urls.urlpatterns, "/"),
    *addresses(results_urls.urlpatterns, "/studies/small/results/"),
]
PREVIEW = addresses(reading_urls.preview, "/preview/")


@pytest.fixture
def as_role(client):
    def sign_in(role: str):
        user = factories.user(f"the-{role}", role)
        client.force_login(user)
        return client

    return sign_in


def test_readers_and_strangers_stay_outside(client):
    for name, address in OFFICE + PREVIEW:
        for method in (client.get, client.post):
            answer = method(address)
            assert answer.status_code in (302, 405), (name, answer.status_code)
            if answer.status_code == 302:
                assert answer.url.startswith("/sign-in/")
    client.force_login(factories.user("ann"))
    for name, address in OFFICE + PREVIEW:
        for method in (client.get, client.post):
            assert method(address).status_code in (403, 405), name


def test_studies_and_readers_are_the_admins(as_role):
    client = as_role("researcher")
    for name, address in OFFICE + [(f"preview {name}", address) for name, address in PREVIEW]:
        refused = {client.get(address).status_code, client.post(address).status_code} <= {403, 405}
        assert refused == (name in ADMINS or name.startswith("preview")), name


def test_every_page_stands_with_something_to_show(as_role, own_files):
    attack = attacked_pool()
    study = factories.open_study()
    client = as_role("admin")
    job = Job.objects.create(kind="train", title="Train", code_version="x", arguments={"name": "a"}, log="one line")
    pages = [
        "",
        "datasets/", "datasets/new/folder/", "datasets/new/pannuke/", f"datasets/{attack.classifier.dataset_id}/",
        "classifiers/", "classifiers/new/", "cross-validations/new/", f"classifiers/{attack.classifier_id}/",
        "attacks/", "attacks/new/", f"attacks/{attack.pk}/", "pairs/", "pairs/new/", "jobs/", f"jobs/{job.pk}/",
        "studies/", "new-study/", f"new-study/?attack={attack.pk}", f"new-study/?clone={study.slug}",
        "studies/small/", "studies/small/protocol/", "studies/small/readers/", "token/", "preview/study/small/",
    ]  # fmt: skip
    for page in pages:
        answer = client.get(f"/{page}")
        assert answer.status_code == 200, page
        text = answer.content.decode()
        assert "<script>" not in text and "style=" not in text and " onclick" not in text, page
    perturbation = attack.perturbations.first()
    for image in (f"patches/{perturbation.patch_id}.png", f"perturbed/{perturbation.pk}.png"):
        assert client.get(f"/{image}")["Content-Type"] == "image/png"


def zipped(**files: bytes) -> SimpleUploadedFile:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/").replace("_csv", ".csv").replace("_png", ".png"), content)
    return SimpleUploadedFile("patches.zip", body.getvalue(), "application/zip")


def some_patches() -> dict[str, bytes]:
    import numpy as np

    rng = np.random.default_rng(0)
    rows = ["file,tumour,slide"]
    files = {}
    for number in range(6):
        files[f"in__{number}_png"] = png(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
        rows.append(f"{number}.png,{number % 2},s{number // 2}")
    return files | {"in__labels_csv": "\n".join(rows).encode()}


def test_an_uploaded_zip_becomes_a_data_set(as_role, own_files):
    client = as_role("researcher")
    answer = client.post("/datasets/new/folder/", {"name": "Mine", "size": 32, "upload": zipped(**some_patches())})
    job = Job.objects.get()
    assert answer.status_code == 302 and answer.url == f"/jobs/{job.pk}/"
    assert run_attempt(job.pk, 1) == "done", Job.objects.get().error
    found = Dataset.objects.get()
    assert (found.name, found.positives, found.negatives, found.created_by.username) == ("Mine", 3, 3, "the-researcher")
    assert f"/datasets/{found.pk}/" in client.get(answer.url).content.decode()
    from django.core.files.storage import default_storage

    assert default_storage.listdir("uploads")[1] == []


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda files: files.pop("in__labels_csv"), "has no labels.csv"),
        (
            lambda files: files.update({"in__labels_csv": b"file,tumour\n0.png,2\n1.png,1"}),
            "patches.zip: labels.csv, line 2",
        ),
        (lambda files: files.update({"..__evil_png": b"x"}), "names a file outside itself"),
    ],
)
def test_a_zip_that_cannot_be_used_says_why_and_keeps_nothing(as_role, own_files, change, message):
    client, files = as_role("researcher"), some_patches()
    change(files)
    client.post("/datasets/new/folder/", {"name": "Mine", "size": 32, "upload": zipped(**files)})
    job = Job.objects.get()
    assert run_attempt(job.pk, 1) == "failed"
    job.refresh_from_db()
    assert message in job.error and "/tmp" not in job.error
    assert not Dataset.objects.exists()


def test_what_is_no_zip_and_what_lies_elsewhere_is_refused_at_the_door(as_role, own_files):
    client = as_role("researcher")
    address = "/datasets/new/folder/"
    fake = SimpleUploadedFile("patches.zip", b"not a zip")
    assert "is not a zip file" in client.post(address, {"name": "A", "size": 32, "upload": fake}).content.decode()
    for path in ("/etc", "../..", "/"):
        answer = client.post(address, {"name": "A", "size": 32, "folder": path})
        assert answer.status_code == 400 and "ages read only folders inside" in answer.content.decode()
    assert not Job.objects.exists()


def test_a_name_in_use_or_on_order_is_refused(as_role, own_files):
    attacked_pool(name="taken")
    client = as_role("researcher")
    address = "/datasets/new/folder/"
    answer = client.post(address, {"name": "taken", "size": 32, "upload": zipped(**some_patches())})
    assert answer.status_code == 400 and "already" in answer.content.decode()
    for expected in (302, 400):
        answer = client.post(address, {"name": "new", "size": 32, "upload": zipped(**some_patches())})
        assert answer.status_code == expected
    assert Job.objects.count() == 1


BUILDER = {
    "name": "Ordered", "positives": 4, "negatives": 2, "copies": 2, "arm_order": "paper", "min_gap": 2,
    "washout_hours": 0, "catch": 0, "task": "labelling", "pair_display": "side", "questions": ["confidence"],
    "margin": 10, "alpha": 0.025, "scale": 2, "surroundings": "dark", "practice": 2, "examples": 2, "break_every": 0,
    "criterion": "Tumour?", "consent_text": "Yes?", "seed": 3, "planned_readers": 2,
}  # fmt: skip


def test_from_the_builder_to_an_open_study_with_two_readers(as_role, own_files):
    attack = attacked_pool()
    ann, ben = factories.user("ann"), factories.user("ben")
    client = as_role("admin")
    answer = client.post("/new-study/", BUILDER | {"attack": attack.pk, "readers": [ann.pk]})
    assert answer.status_code == 302, answer.content.decode()
    job = Job.objects.get()
    assert run_attempt(job.pk, 1) == "done", Job.objects.get().error
    study = Study.objects.get()
    assert (study.state, study.slug, study.cases.count(), study.copies) == ("draft", "ordered", 6, 2)
    answer = client.post(f"/studies/{study.slug}/readers/", {"username": "ben", "days": 3}, follow=True)
    assert "/reading/join/#" in answer.content.decode()
    answer = client.post(f"/studies/{study.slug}/freeze/", SURE)
    freezing = Job.objects.get(kind="freeze_study")
    assert answer.url == f"/jobs/{freezing.pk}/"
    again = client.post(f"/studies/{study.slug}/freeze/", SURE).content.decode()
    assert (
        "is being frozen by" in again
        and f"/jobs/{freezing.pk}/" in again
        and Job.objects.filter(kind="freeze_study").count() == 1
    )
    assert run_attempt(freezing.pk, 1) == "done", Job.objects.get(pk=freezing.pk).error
    client.post(f"/studies/{study.slug}/open/")
    study.refresh_from_db()
    assert study.state == "open" and {one.reader for one in study.assignments.all()} == {ann, ben}
    assert Presentation.objects.filter(reading_set__assignment__study=study).count() == 2 * 2 * 12
    page = client.get(f"/studies/{study.slug}/protocol/").content.decode()
    assert study.protocol_sha256 in page


def test_a_builder_that_asks_of_pairs_what_is_asked_of_single_images_is_told_where(as_role, own_files):
    wrong = {"task": "pair", "questions": ["confidence", "perturbed_response"]}
    answer = as_role("admin").post("/new-study/", BUILDER | {"attack": attacked_pool().pk} | wrong)
    text = answer.content.decode()
    assert answer.status_code == 400 and 'id="id_questions_error"' in text and not Job.objects.exists()
    assert "is asked of single images, not of pairs" in text


def test_a_builder_that_asks_for_too_much_is_told_where(as_role, own_files):
    client = as_role("admin")
    answer = client.post("/new-study/", BUILDER | {"attack": "", "copies": 11, "margin": 700})
    text = answer.content.decode()
    assert answer.status_code == 400 and 'id="id_copies_error"' in text and 'id="id_margin_error"' in text
    attack = attacked_pool()
    answer = client.post("/new-study/", BUILDER | {"attack": attack.pk, "positives": 500})
    assert (
        answer.status_code == 400 and "he pool has 12 eligible positives, but 500 are needed" in answer.content.decode()
    )
    answer = client.post("/new-study/", BUILDER | {"attack": attack.pk, "min_gap": 500})
    assert answer.status_code == 400 and "largest feasible gap is 6" in answer.context["form"].errors["min_gap"][0]
    assert not Job.objects.exists() and not Study.objects.exists()


def test_a_clone_starts_from_what_its_model_was_built_with(as_role, own_files):
    attack = attacked_pool()
    client = as_role("admin")
    client.post("/new-study/", BUILDER | {"attack": attack.pk, "noise": "on"})
    text = client.get("/jobs/").content.decode()
    assert "Build study: Ordered" in text
    from study.protocol.building import StudySettings, build_study

    settings = StudySettings(
        positives=5, negatives=0, arm_order="paper", min_gap=3, washout_hours=12, questions=("note",)
    )
    study = build_study(name="First", attack=attack, seed=9, actor="test", settings=settings, freeze=False)
    form = client.get(f"/new-study/?clone={study.slug}").context["form"]
    assert (form["positives"].value(), form["min_gap"].value(), form["washout_hours"].value()) == (5, 3, 12)
    assert (list(form["questions"].value()), form["attack"].value(), form["seed"].value()) == (
        ["note"],
        attack.pk,
        None,
    )


def test_before_unblinding_no_page_says_which_image_is_which(as_role, own_files):
    study = factories.open_study()
    client = as_role("admin")
    hashes = list(Stimulus.objects.filter(case__study=study).values_list("sha256", flat=True))
    for page in ("studies/", "studies/small/", "studies/small/protocol/", "studies/small/protocol.json",
                 "studies/small/readers/", "preview/study/small/"):  # fmt: skip
        text = client.get(f"/{page}").content.decode()
        assert not any(one in text for one in hashes), page
    assert "cases" not in json.loads(client.get("/studies/small/protocol.json").content)
    answer = client.post("/studies/small/protocol.json")
    assert json.loads(answer.content)["cases"] and AuditEvent.objects.filter(action="protocol_taken_out").exists()


def test_the_whole_protocol_has_the_hash_that_was_printed(as_role, own_files):
    import hashlib

    study = factories.open_study()
    client = as_role("admin")
    body = client.post("/studies/small/protocol.json").content
    assert hashlib.sha256(body).hexdigest() == study.protocol_sha256


def test_freezing_wants_the_password_again(as_role, own_files):
    study = factories.draft_study()
    client = as_role("admin")
    for typed in ({}, {"password": "not mine"}, {"password": ""}):
        assert client.post(f"/studies/{study.slug}/freeze/", typed).status_code == 400
    assert not Job.objects.exists()
    assert "/jobs/" in client.post(f"/studies/{study.slug}/freeze/", SURE).url


def test_unblinding_wants_the_short_name_and_the_password_again(as_role, own_files):
    factories.open_study()
    client = as_role("admin")
    client.post("/studies/small/close/", {"unfinished": "on"})
    client.post("/studies/small/unblind/", {"confirm": "smal"} | SURE)
    assert Study.objects.get().state == "closed"
    client.post("/studies/small/unblind/", {"confirm": "small", "password": "not mine"})
    client.post("/studies/small/unblind/", {"confirm": "small"})
    assert Study.objects.get().state == "closed"
    assert client.post("/studies/small/unblind/", {"confirm": "small"} | SURE).url == "/studies/small/results/"
    assert Study.objects.get().unblinded_by == "the-admin"


def test_a_reader_is_reminded_withdrawn_and_a_set_reopened(as_role, own_files):
    study = factories.open_study()
    client = as_role("admin")
    text = client.post("/studies/small/readers/R01/remind/").content.decode()
    assert "8 images left" in text and "/reading/study/small/" in text
    from django.utils import timezone

    study.assignments.get().sets.filter(number=1).update(completed_at=timezone.now())
    client.post("/studies/small/readers/R01/sets/1/reopen/", {"reason": ""})
    assert study.assignments.get().sets.get(number=1).completed_at is not None
    client.post("/studies/small/readers/R01/sets/1/reopen/", {"reason": "the wrong key"})
    assert study.assignments.get().sets.get(number=1).completed_at is None
    client.post("/studies/small/readers/R01/withdraw/", {"reason": "moved away"})
    assignment = Assignment.objects.get()
    assert assignment.withdrawn_at is not None and assignment.withdrawal_reason == "moved away"
    assert Presentation.objects.filter(reading_set__assignment=assignment).exists()
    actions = list(AuditEvent.objects.values_list("action", flat=True))
    assert {"reminded", "set_reopened", "reader_withdrawn"} <= set(actions)


def test_mail_goes_out_where_a_server_is_set(as_role, own_files, settings, mailoutbox):
    factories.open_study()
    settings.EMAIL_CONFIGURED = True
    client = as_role("admin")
    answer = client.post(
        "/studies/small/readers/", {"username": "kim", "email": "kim@example.org", "days": 7}, follow=True
    )
    assert "1 of 1 invitations went out by mail" in answer.content.decode()
    assert len(mailoutbox) == 1 and "/reading/join/#" in mailoutbox[0].body and mailoutbox[0].to == ["kim@example.org"]


def test_jobs_are_cancelled_and_tried_again_from_their_page(as_role, own_files):
    client = as_role("researcher")
    client.post("/datasets/new/folder/", {"name": "Mine", "size": 32, "upload": zipped(**some_patches())})
    job = Job.objects.get()
    client.post(f"/jobs/{job.pk}/cancel")
    job.refresh_from_db()
    assert job.state == "cancelled"
    assert json.loads(client.get(f"/jobs/{job.pk}/state").content)["active"] is False
    client.post(f"/jobs/{job.pk}/retry")
    job.refresh_from_db()
    assert (job.state, job.attempt) == ("queued", 2)
    assert run_attempt(job.pk, 2) == "done"


def test_a_token_is_shown_once(as_role, own_files):
    client = as_role("researcher")
    made = client.post("/token/", {"what": "new"}).context["new_token"]
    assert made not in client.get("/token/").content.decode()
    client.logout()
    headers = {"Authorization": f"Token {made}"}
    assert client.get("/api/v1/jobs/", headers=headers).status_code == 200
    client.force_login(User.objects.get())
    client.post("/token/", {"what": "none"})
    client.logout()
    assert client.get("/api/v1/jobs/", headers=headers).status_code == 401


def test_pairs_of_another_program_become_a_study(as_role, own_files):
    import numpy as np

    rng = np.random.default_rng(1)
    rows, files = ["original,perturbed,label,group,attack,budget"], {}
    for number in range(5):
        pixels = rng.integers(20, 230, (40, 48, 3), dtype=np.uint8)
        files[f"o{number}_png"] = png(pixels)
        for budget in (2, 6):
            files[f"p{number}-{budget}_png"] = png(pixels + np.uint8(budget))
            rows.append(f"o{number}.png,p{number}-{budget}.png,1,s{number},blur,{budget}")
    client = as_role("admin")
    client.post("/pairs/new/", {"name": "Blurred", "upload": zipped(pairs_csv="\n".join(rows).encode(), **files)})
    assert run_attempt(Job.objects.get().pk, 1) == "done", Job.objects.get().error
    pairs = PairSet.objects.get()
    assert pairs.variants == ["blur-2", "blur-6"] and (pairs.width, pairs.height) == (48, 40)
    assert set(pairs.pairs.values_list("linf", flat=True)) == {2.0, 6.0}
    assert client.get(f"/pairs/{pairs.pk}/").status_code == 200
    answer = client.post(
        "/new-study/",
        BUILDER | {"pairs": pairs.pk, "positives": 3, "negatives": 0, "practice": 0, "examples": 1},
    )
    assert answer.status_code == 302
    job = Job.objects.get(kind="build_study")
    assert run_attempt(job.pk, 1) == "done", Job.objects.get(pk=job.pk).error
    study = Study.objects.get()
    assert set(Stimulus.objects.values_list("arm", "budget", "attack")) == {
        ("original", None, ""), ("perturbed", 2.0, "blur"), ("perturbed-blur-6", 6.0, "blur"),
    }  # fmt: skip
    client.post(f"/studies/{study.slug}/freeze/", SURE)
    assert run_attempt(Job.objects.get(kind="freeze_study").pk, 1) == "done"
    assert not Attack.objects.exists()


def test_the_builder_asks_for_the_power_of_all_that_it_depends_on():
    script = (Path(__file__).parents[3] / "study" / "static" / "study" / "builder.js").read_text()
    [asked] = re.findall(r"const ASKED = (\[.*?\]);", script)
    assert set(json.loads(asked)) == set(fields_of(PowerQuery))


def test_the_power_of_nothing_chosen_is_a_hint_and_no_fault(as_role):
    answer = as_role("admin").get("/new-study/power")
    assert answer.status_code == 200 and answer.json()["error"].startswith("Fill in cases")
