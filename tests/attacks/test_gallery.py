"""Galleries: researchers alone, every figure drawn by a job and never by a page, every file with its type."""

import pandas as pd
import pytest
from lxml import html

from attacks import figures
from core import figure_store
from jobs.models import Job
from jobs.running import run_attempt
from model.models import Classifier
from tests import factories
from tests.model.judged import cross_validation, finish_folds, judged_classifier
from tests.pool import attacked_pool

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_files")]


@pytest.fixture
def researcher(client):
    client.force_login(factories.user("researcher", "researcher"))
    return client


@pytest.fixture
def classifier() -> Classifier:
    return judged_classifier()


def drawn_by_a_worker() -> list[str]:
    """Work off every job that waits; how each ended."""
    return [run_attempt(job.pk, job.attempt) for job in Job.objects.filter(state=Job.State.QUEUED).order_by("pk")]


def test_a_look_at_the_gallery_draws_nothing(researcher, classifier, monkeypatch):
    monkeypatch.setattr("model.figures.render", lambda *args: pytest.fail("a page has drawn a figure"))
    text = researcher.get(f"/figures/classifier/{classifier.pk}/").content.decode()
    assert text.count("Not drawn yet.") == 4 and "Draw all 4 figures" in text and '<img src="/figures' not in text
    assert not figure_store.folder().exists() and not Job.objects.exists()
    assert researcher.get(f"/figures/classifier/{classifier.pk}/roc.png").status_code == 404


def test_all_figures_are_asked_for_at_once_and_then_shown(researcher, classifier):
    address = f"/figures/classifier/{classifier.pk}/"
    answer = researcher.post(f"{address}make/")
    assert answer.status_code == 302 and answer.url == address
    jobs = list(Job.objects.order_by("pk"))
    assert [job.arguments["name"] for job in jobs] == ["roc", "precision-recall", "calibration", "confusion"]
    text = researcher.get(address).content.decode()
    assert text.count("data-job=") == 4 and "watch.js" in text and "Draw" not in text
    assert all(f'href="/jobs/{job.pk}/"' in text for job in jobs)
    researcher.post(f"{address}make/")
    researcher.post(f"{address}roc/make/")
    assert Job.objects.count() == 4, "a figure that is being drawn is not asked for twice"

    assert drawn_by_a_worker() == ["done"] * 4
    page = researcher.get(address)
    text = page.content.decode()
    assert page.status_code == 200 and "ROC curve" in text and "Calibration" in text and "landscape" not in text
    assert "data-job=" not in text and "watch.js" not in text and "Draw" not in text
    assert "<script>" not in text and "style=" not in text
    for suffix, kind in (
        ("svg", "image/svg+xml"),
        ("png", "image/png"),
        ("pdf", "application/pdf"),
        ("csv", "text/csv"),
    ):
        address = f"/figures/classifier/{classifier.pk}/roc.{suffix}"
        assert address in text
        answer = researcher.get(address)
        body = b"".join(answer.streaming_content)
        assert answer.headers["Content-Type"].startswith(kind) and len(body) > 100
    assert "attachment" in researcher.get(f"/figures/classifier/{classifier.pk}/roc.csv")["Content-Disposition"]
    assert researcher.get(f"/classifiers/{classifier.pk}/").content.decode().count("/figures/") >= 1


def test_the_gallery_of_a_cross_validation_shows_its_folds(researcher, classifier):
    validation = cross_validation(classifier)
    address = f"/figures/cross-validation/{validation.pk}/"
    empty = researcher.get(address)
    assert empty.status_code == 200 and "No fold" in empty.content.decode() and "Draw" not in empty.content.decode()
    researcher.post(f"{address}make/")
    assert not Job.objects.exists(), "nothing can be drawn of no fold"
    finish_folds(validation, classifier)
    last = validation.results.get(fold=1)
    last.delete()
    researcher.post(f"{address}make/")
    assert drawn_by_a_worker() == ["done"] * 5
    text = researcher.get(address).content.decode()
    assert "small, 1 of 2 folds so far" in text and "1 run of" not in text.split('class="gallery"')[1]
    last.save(force_insert=True)
    text = researcher.get(address).content.decode()
    assert text.count("Not drawn since its data or the code changed") == 5 and "Draw all 5 figures" in text
    researcher.post(f"{address}make/")
    assert drawn_by_a_worker() == ["done"] * 5, "with another fold the figures are others"
    text = researcher.get(address).content.decode()
    assert "Table 1a, fold by fold" in text and "folds.csv" in text
    assert "No fold" not in text and "so far" not in text


def test_training_curves_of_a_cross_validation_show_each_fold_and_the_mean(researcher, classifier):
    validation = cross_validation(classifier)
    finish_folds(validation, classifier)
    address = f"/figures/cross-validation/{validation.pk}/"
    assert "Training, epoch by epoch" not in researcher.get(address).text, "earlier versions kept no epochs"
    for row in validation.results.all():
        epochs = [{"epoch": n, "loss": 1 / (n + row.fold), "accuracy": 0.5 + n / 10} for n in range(1, 4 - row.fold)]
        row.details |= {"history": epochs}
        row.save()
    made = figures.make("training", validation)
    table = pd.read_csv(made.files["csv"])
    assert table.groupby(["run", "fold"]).size().tolist() == [3, 2]
    assert made.numbers["loss"]["folds"] == pytest.approx([1 / 3, 1 / 3])
    assert "each fold" in made.caption
    assert "Training, epoch by epoch" in researcher.get(address).text


def test_one_figure_of_an_attack_is_asked_for_and_then_shown(researcher):
    attack = attacked_pool()
    address = f"/figures/attack/{attack.pk}/"
    text = researcher.get(address).content.decode()
    assert "Pairs with probabilities" in text and "pairs.png" not in text
    assert "Saliency before and after" in text and "saliency.png" not in text and "Draw it" in text
    assert researcher.get(f"{address}saliency.png").status_code == 404

    answer = researcher.post(f"{address}pairs/make/")
    assert answer.status_code == 302 and answer.url == address
    job = Job.objects.get()
    assert run_attempt(job.pk, 1) == "done", Job.objects.get().error
    assert Job.objects.get().result["figure"] == "pairs"
    assert "pairs.png" in researcher.get(address).content.decode()

    researcher.post(f"{address}saliency/make/")
    slow = Job.objects.latest("pk")
    assert run_attempt(slow.pk, 1) != "done"  # the pool's classifier has no weights: the job says so
    error = Job.objects.get(pk=slow.pk).error
    text = researcher.get(address).content.decode()
    assert "missing" in error and "The last attempt failed: " in text and "is missing from the file store" in text
    assert text.count("Draw it</button>") == 2, "it can be asked for again"
    assert researcher.post(f"{address}universal/make/").status_code == 404, "the attack is not universal"


def test_an_attack_that_flipped_nothing_says_so(researcher):
    attack = attacked_pool()
    attack.perturbations.update(flipped=False)
    text = researcher.get(f"/figures/attack/{attack.pk}/").content.decode()
    assert text.count("flipped no") == 3 and "Draw" not in text
    attack.perturbations.filter(patch__tumour=False).update(flipped=True)
    text = researcher.get(f"/figures/attack/{attack.pk}/").content.decode()
    assert text.count("flipped no positive patch") == 1 and text.count("Not drawn yet.") == 2


def test_a_second_look_finds_the_figure_and_other_code_draws_it_anew(classifier, monkeypatch):
    assert figures.make("roc", classifier).fresh and not figures.make("roc", classifier).fresh
    monkeypatch.setattr("model.recipes.code_version", lambda: "another")
    assert figures.make("roc", classifier).fresh


@pytest.mark.parametrize(
    ("addresses", "word"),
    [
        (("/attacks/{attack}/", "/attacks/{attack}/patches/", "/figures/attack/{attack}/"), "Attack"),
        (
            ("/classifiers/{classifier}/", "/classifiers/{classifier}/curves/", "/figures/classifier/{classifier}/"),
            "Classifier",
        ),
    ],
)
def test_three_addresses_are_one_page_with_tabs(researcher, addresses, word):
    """The same header on each, the same links, and the one that is open marked."""
    attack = attacked_pool()
    addresses = [address.format(attack=attack.pk, classifier=attack.classifier_id) for address in addresses]
    heads = []
    for address in addresses:
        tree = html.fromstring(researcher.get(address).content)
        (tabs,) = tree.xpath(f"//nav[@class='tabs'][starts-with(@aria-label, '{word} ')]")
        links = tabs.xpath(".//a")
        assert [link.get("href") for link in links] == addresses
        assert [link.get("href") for link in links if link.get("aria-current") == "page"] == [address]
        for token in tree.xpath("//input[@name='csrfmiddlewaretoken']"):
            token.set("value", "another one each time")
        before = [html.tostring(element) for element in tree.xpath("//main/*[following-sibling::nav[@class='tabs']]")]
        heads.append(before)
        assert len(tree.xpath("//h1")) == 1
    assert heads[0] and heads[0] == heads[1] == heads[2]


def test_readers_and_strangers_stay_outside(client, classifier):
    addresses = [f"/figures/classifier/{classifier.pk}/{end}" for end in ("", "make/", "roc.png", "roc/make/")]
    for address in addresses:
        for method in (client.get, client.post):
            assert method(address).status_code in (302, 405)
    client.force_login(factories.user("ann"))
    for address in addresses:
        for method in (client.get, client.post):
            assert method(address).status_code in (403, 405)
    assert not Job.objects.exists()


def test_unknown_figures_files_and_subjects_are_not_found(researcher, classifier):
    figures.make("roc", classifier)
    for end in (
        "classifier/999/",
        "network/1/",
        f"classifier/{classifier.pk}/roc.exe",
        f"classifier/{classifier.pk}/x.png",
    ):
        assert researcher.get(f"/figures/{end}").status_code == 404
    assert researcher.post(f"/figures/classifier/{classifier.pk}/x/make/").status_code == 404
