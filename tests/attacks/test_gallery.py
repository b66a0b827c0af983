"""Galleries: researchers alone, quick figures at once, slow ones as jobs, every file with its type."""

import hashlib

import pytest

from attacks import gallery
from jobs.models import Job
from jobs.running import run_attempt
from model.models import Classifier
from tests import factories
from tests.model.judged import cross_validation, finish_folds, judged_classifier
from tests.pool import attacked_pool

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def own_files(settings, tmp_path):
    settings.HOME = tmp_path
    place = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path / "files"}}
    settings.STORAGES = settings.STORAGES | {"default": place}


@pytest.fixture
def office(client):
    client.force_login(factories.user("researcher", "researcher"))
    return client


@pytest.fixture
def classifier() -> Classifier:
    return judged_classifier()


def test_the_gallery_of_a_classifier_shows_its_curves(office, classifier):
    page = office.get(f"/figures/classifier/{classifier.pk}/")
    text = page.content.decode()
    assert page.status_code == 200 and "ROC curve" in text and "Calibration" in text and "landscape" not in text
    assert "<script>" not in text and "style=" not in text
    for suffix, kind in (
        ("svg", "image/svg+xml"),
        ("png", "image/png"),
        ("pdf", "application/pdf"),
        ("csv", "text/csv"),
    ):
        address = f"/figures/classifier/{classifier.pk}/roc.{suffix}"
        assert address in text
        answer = office.get(address)
        body = b"".join(answer.streaming_content)
        assert answer.headers["Content-Type"].startswith(kind) and len(body) > 100
    assert "attachment" in office.get(f"/figures/classifier/{classifier.pk}/roc.csv")["Content-Disposition"]
    assert office.get(f"/classifiers/{classifier.pk}/").content.decode().count("/figures/") >= 1


def test_the_gallery_of_a_cross_validation_shows_its_folds(office, classifier):
    validation = cross_validation(classifier)
    empty = office.get(f"/figures/cross-validation/{validation.pk}/")
    assert empty.status_code == 200 and "No fold" in empty.content.decode()
    finish_folds(validation, classifier)
    last = validation.results.get(fold=1)
    last.delete()
    text = office.get(f"/figures/cross-validation/{validation.pk}/").content.decode()
    assert "small, 1 of 2 folds so far" in text and "1 run of" not in text
    last.save(force_insert=True)
    text = office.get(f"/figures/cross-validation/{validation.pk}/").content.decode()
    assert "Table 1a, fold by fold" in text and "folds.csv" in text
    assert "No fold" not in text and "so far" not in text


def test_a_slow_figure_is_ordered_and_then_shown(office):
    attack = attacked_pool()
    for row in attack.perturbations.all():
        row.sha256 = hashlib.sha256(row.image.open().read()).hexdigest()
        row.save()
    address = f"/figures/attack/{attack.pk}/"
    text = office.get(address).content.decode()
    assert "Pairs with probabilities" in text and "pairs.png" in text
    assert "Saliency before and after" in text and "saliency.png" not in text and "Make it" in text
    assert office.get(f"{address}saliency.png").status_code == 404

    answer = office.post(f"{address}pairs/make/")
    job = Job.objects.get()
    assert answer.status_code == 302 and answer.url == f"/jobs/{job.pk}/"
    assert run_attempt(job.pk, 1) == "done", Job.objects.get().error
    assert Job.objects.get().result["figure"] == "pairs"

    office.post(f"{address}saliency/make/")
    slow = Job.objects.latest("pk")
    assert run_attempt(slow.pk, 1) != "done"  # the pool's classifier has no weights: the job says so
    assert "missing" in Job.objects.get(pk=slow.pk).error


def test_a_second_look_finds_the_figure_and_other_code_draws_it_anew(classifier, monkeypatch):
    assert gallery.make("roc", classifier).fresh and not gallery.make("roc", classifier).fresh
    monkeypatch.setattr("model.figures.code_version", lambda: "another")
    assert gallery.make("roc", classifier).fresh


def test_readers_and_strangers_stay_outside(client, classifier):
    addresses = [f"/figures/classifier/{classifier.pk}/{end}" for end in ("", "roc.png", "roc/make/")]
    for address in addresses:
        for method in (client.get, client.post):
            assert method(address).status_code in (302, 405)
    client.force_login(factories.user("ann"))
    for address in addresses:
        for method in (client.get, client.post):
            assert method(address).status_code in (403, 405)
    assert not Job.objects.exists()


def test_unknown_figures_files_and_subjects_are_not_found(office, classifier):
    gallery.make("roc", classifier)
    for end in (
        "classifier/999/",
        "network/1/",
        f"classifier/{classifier.pk}/roc.exe",
        f"classifier/{classifier.pk}/x.png",
    ):
        assert office.get(f"/figures/{end}").status_code == 404
    assert office.post(f"/figures/classifier/{classifier.pk}/x/make/").status_code == 404
