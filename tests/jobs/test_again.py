"""What a person meets around a job: it is edited and tried again, nothing is asked for twice, no file is sent twice."""

import re

import pytest
from django.core.files.storage import default_storage

from attacks import requests
from core.models import User
from jobs.models import Job
from jobs.running import run_attempt
from jobs.selectors import state_of
from model.models import Dataset
from tests import factories
from tests.pool import attacked_pool
from tests.study.conduct.test_pages import BUILDER, some_patches, zipped

pytestmark = pytest.mark.django_db(transaction=True)
NEW = "/datasets/new/folder/"
KEPT = re.compile(r'name="kept" value="([^"]+)"')


@pytest.fixture
def rex(client, own_files):
    client.force_login(factories.user("rex", User.Role.RESEARCHER))
    return client


def uploads() -> list[str]:
    return default_storage.listdir("uploads")[1] if default_storage.exists("uploads") else []


def test_a_wrong_name_does_not_cost_the_file(rex):
    attacked_pool(name="taken")
    wrong = rex.post(NEW, {"name": "taken", "size": 32, "upload": zipped(**some_patches())})
    kept = KEPT.search(wrong.content.decode())
    assert wrong.status_code == 400 and kept and "patches.zip" in wrong.content.decode() and len(uploads()) == 1
    still = rex.post(NEW, {"name": "", "size": 32, "kept": kept[1]})
    again = KEPT.search(still.content.decode())
    assert still.status_code == 400 and again, "kept for as long as the form is wrong"
    right = rex.post(NEW, {"name": "free", "size": 32, "kept": again[1]})
    assert right.status_code == 302 and len(uploads()) == 1
    assert run_attempt(Job.objects.get().pk, 1) == "done", Job.objects.get().error
    assert Dataset.objects.get(name="free").positives == 3 and uploads() == []


def test_a_kept_file_is_for_who_sent_it(rex, client):
    wrong = rex.post(NEW, {"name": "", "size": 32, "upload": zipped(**some_patches())})
    kept = KEPT.search(wrong.content.decode())
    assert kept
    client.force_login(factories.user("max", User.Role.RESEARCHER))
    for token in (kept[1], "made up", ""):
        answer = client.post(NEW, {"name": "mine", "size": 32, "kept": token})
        assert answer.status_code == 400 and "choose a zip file" in answer.content.decode().lower()
    assert not Job.objects.exists()


def test_files_whose_forms_were_left_go_after_a_day(rex, monkeypatch):
    rex.post(NEW, {"name": "", "size": 32, "upload": zipped(**some_patches())})
    [old] = uploads()
    monkeypatch.setattr("jobs.requests.KEPT_S", -1)
    rex.post(NEW, {"name": "", "size": 32, "upload": zipped(**some_patches())})
    assert old not in uploads() and len(uploads()) == 1


def test_a_failed_import_is_edited_and_tried_again_without_sending_the_file_again(rex):
    files = some_patches()
    rex.post(NEW, {"name": "Mine", "size": 4096, "upload": zipped(**files)})
    job = Job.objects.get()
    assert run_attempt(job.pk, 1) == "failed"
    page = rex.get(f"/jobs/{job.pk}/").content.decode()
    assert f'href="{NEW}?job={job.pk}"' in page and "Edit and try again" in page
    form = rex.get(f"{NEW}?job={job.pk}")
    assert (form.context["form"]["name"].value(), form.context["form"]["size"].value()) == ("Mine", 4096)
    kept = KEPT.search(form.content.decode())
    assert kept
    assert rex.post(f"{NEW}?job={job.pk}", {"name": "Mine", "size": 32, "kept": kept[1]}).status_code == 302
    assert run_attempt(Job.objects.first().pk, 1) == "done", Job.objects.first().error


@pytest.mark.parametrize("kind", ["pgd", "minimal", "universal", "natural", "worst"])
def test_a_failed_attack_is_edited_with_its_own_settings(rex, kind):
    attack = attacked_pool()
    job = Job.objects.create(
        kind=requests.ATTACKS[kind][0], title="x", code_version="t", state="failed",
        requested_by=User.objects.get(username="rex"), arguments={"classifier": attack.classifier.name, "seed": 77},
    )  # fmt: skip
    page = rex.get(f"/jobs/{job.pk}/")
    form = rex.get(page.context["again"]).context["form"]
    assert (form["kind"].value(), form["seed"].value(), form["classifier"].value()) == (kind, 77, attack.classifier_id)


def test_a_failed_comparison_is_edited_with_its_own_settings(rex):
    first, second = attacked_pool(name="first").classifier, attacked_pool(name="second").classifier
    asked = {"first": "first", "second": "second", "norms": ["l2"], "seed": 77, "patches": 20}
    job = Job.objects.create(
        kind="compare", title="x", code_version="t", state="failed", arguments=asked,
        requested_by=User.objects.get(username="rex"),
    )  # fmt: skip
    form = rex.get(rex.get(f"/jobs/{job.pk}/").context["again"]).context["form"]
    shown = [form[name].value() for name in ("first", "second", "norms", "seed", "patches")]
    assert shown == [first.pk, second.pk, ["l2"], 77, 20]


def test_a_failed_study_is_edited_with_everything_filled_in(client, own_files):
    attack, ben = attacked_pool(), factories.user("ben")
    client.force_login(factories.user("ada", User.Role.ADMIN))
    client.post("/new-study/", BUILDER | {"attack": attack.pk, "readers": [ben.pk], "alpha": 0.05})
    job = Job.objects.get()
    Job.objects.update(state=Job.State.FAILED, error="It broke.")
    form = client.get(client.get(f"/jobs/{job.pk}/").context["again"]).context["form"]
    shown = {name: form[name].value() for name in ("name", "attack", "readers", "questions", "alpha", "criterion")}
    assert shown == {"name": "Ordered", "attack": attack.pk, "readers": [ben.pk], "questions": ["confidence"],
                     "alpha": "0.05", "criterion": "Tumour?"}  # fmt: skip


def test_another_researchers_job_is_neither_edited_nor_does_its_file_come_along(rex, client):
    rex.post(NEW, {"name": "Mine", "size": 4096, "upload": zipped(**some_patches())})
    job = Job.objects.get()
    run_attempt(job.pk, 1)
    client.force_login(factories.user("max", User.Role.RESEARCHER))
    assert "Edit and try again" not in client.get(f"/jobs/{job.pk}/").content.decode()
    assert not KEPT.search(client.get(f"{NEW}?job={job.pk}").content.decode())


def test_what_is_under_way_is_not_asked_for_twice(rex):
    attack = attacked_pool()
    asked = {"dataset": attack.classifier.dataset_id, "preset": "quick", "runs": 1, "folds": 2}
    first, second = (rex.post("/cross-validations/new/", asked).url for _ in range(2))
    assert first == second and Job.objects.count() == 1
    Job.objects.update(state=Job.State.DONE)
    assert rex.post("/cross-validations/new/", asked).url != first
    curves = f"/classifiers/{attack.classifier_id}/curves/"
    assert "Search every norm" in rex.get(curves).content.decode()
    job = int(rex.post(f"{curves}new/", {"seed": 0}).url.split("/")[2])
    page = rex.get(curves).content.decode()
    assert f"/jobs/{job}/" in page and "Search every norm" not in page


def test_a_job_whose_units_are_all_counted_says_what_it_still_does():
    job = Job(kind="train", state=Job.State.RUNNING, done=134, total=135, rate=2.0)
    assert state_of(job)["left_text"] == "1 s left"
    job.done = 135
    assert state_of(job)["left_text"] == "storing the result"
    job.state = Job.State.DONE
    assert state_of(job)["left_text"] == ""


def test_cancelling_is_asked_about_first(rex):
    job = Job.objects.create(
        kind="train", title="x", code_version="t", state="running", requested_by=User.objects.get(username="rex")
    )
    text = " ".join(rex.get(f"/jobs/{job.pk}/").content.decode().split())
    assert "Cancel…" in text and "Finished pieces are kept" in text
