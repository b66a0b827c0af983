"""The blind spot on the results page, in the report and in the files, of a study that was read."""

import csv
import io
import re
import sys
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec

import numpy as np
import pytest
from django.core.cache import cache
from django.urls import reverse

from attacks.engine import predictor
from core.models import User
from jobs.models import Job
from jobs.running import run_attempt
from jobs.services import submit
from study.models import Presentation, Stimulus, Study
from study.protocol.measuring import measure_study
from study.protocol.predicting import predict_study
from study.results.analysis import analysis_of
from study.results.exports import visibility
from tests import ladders
from tests.study.answered import answer_all, unblinded

pytestmark = pytest.mark.django_db


@pytest.fixture
def researcher(client):
    cache.clear()
    client.force_login(User.objects.create_user("rita", role=User.Role.RESEARCHER))
    return client


SCREEN = {"pixels_per_mm": 3.78, "distance_cm": 60, "scale": 2}


@pytest.fixture
def study() -> Study:
    """Three readers who see changes from 3 grey levels on; the model flips at 1."""
    return unblinded(read_through())


def read_through(screen: dict | None = None) -> Study:
    made = ladders.opened(ladder_=Study.Ladder.FIXED, noise=False, cases=12, identical=4, readers=("ann", "bob", "eve"))

    def right(shown: Presentation) -> float:
        level = max(shown.stimulus.l2 or 0, shown.second.l2 or 0)
        return 0.5 + 0.48 / (1 + (level / 3) ** -4) if level else 0.5

    answer_all(made, right=right, screen=screen)
    return made


def words(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def page(client, study, name="results:results", *args):
    return client.get(reverse(name, args=[study.slug, *args]))


def text_of(response) -> str:
    return b"".join(response.streaming_content).decode()


def test_the_page_says_how_large_the_blind_spot_is(researcher, study):
    found = analysis_of(study).to_json()["visibility"][0]
    assert (found["readers"], found["patches"], found["answers"], found["flips"]) == (3, 12, 216, 12)
    assert found["threshold_ci95"][0] < 3 < found["threshold_ci95"][1]
    assert found["index"] > 0.9
    text = words(page(researcher, study).content.decode())
    assert "How large is the blind spot?" in text
    assert visibility.statement(found) in text
    assert f"{100 * found['index']:.0f} %" in text
    assert "Two identical images" in text
    assert "What predicts seeing? Measure Bits per answer" in text
    assert "No comparison could be made" not in text
    assert "which one was altered?" not in text


def test_the_two_curves_are_drawn_without_a_date(researcher, study):
    response = page(researcher, study, "results:figure", "visibility", "svg")
    assert response["Content-Type"] == "image/svg+xml"
    assert response.content.startswith(b"<?xml")
    assert response.content == page(researcher, study, "results:figure", "visibility", "svg").content
    assert reverse("results:figure", args=[study.slug, "visibility", "svg"]) in page(researcher, study).content.decode()


def test_files_hold_a_row_per_ladder_and_per_reader(researcher, study):
    rows = list(csv.DictReader(io.StringIO(text_of(page(researcher, study, "results:file", "blind_spot.csv")))))
    assert [(row["ladder"], row["norm"], row["patches"]) for row in rows] == [("perturbed", "l2", "12")]
    found = analysis_of(study).to_json()["visibility"][0]
    assert float(rows[0]["blind_spot_index"]) == pytest.approx(found["index"])
    assert float(rows[0]["median_flip"]) == 1.0
    own = list(csv.DictReader(io.StringIO(text_of(page(researcher, study, "results:file", "thresholds.csv")))))
    assert [row["reader_id"] for row in own] == ["R01", "R02", "R03"]
    report = text_of(page(researcher, study, "results:file", "report.html"))
    assert visibility.statement(found) in words(report)
    assert report.count("data:image/svg+xml") >= 2
    assert "logistic psychometric function" in words(report)


def test_measures_that_were_taken_later_are_ranked_and_told_until_then_they_are_named(researcher, study, monkeypatch):
    def ranked() -> set[str]:
        return {row["measure"] for row in analysis_of(study).to_json()["predictors"]}

    assert ranked() == {"l0", "l1", "l2", "linf"}
    text = words(page(researcher, study).content.decode())
    assert "Not ranked, because the images of this study have no such measures: CIEDE2000, 1 − MS-SSIM, cvvdp." in text
    assert measure_study(study=study) > 0
    assert ranked() == {"l0", "l1", "l2", "linf", "ciede2000", "ms_ssim_loss"}
    found = analysis_of(study).to_json()["visibility"][0]
    assert {"ciede2000", "ms_ssim_loss"} <= {row["measure"] for row in found["measures"]}
    text = words(page(researcher, study).content.decode())
    assert "From 216 answers" in text and "no such measures: cvvdp." in text
    rows = list(csv.DictReader(io.StringIO(text_of(page(researcher, study, "results:file", "stimuli.csv")))))
    assert all((float(row["ciede2000"]) == 0) == (row["arm"] == "original") for row in rows)

    monkeypatch.setattr("core.extras.Extra.load", lambda self: [])
    monkeypatch.setattr(
        "study.protocol.predicting.lost_quality", lambda original, shown, size: float(np.std(shown - original))
    )
    monkeypatch.setattr("study.results.tidy.pixels_per_degree", lambda screen, viewing: 40)
    predict_study(study=study, sizes=[40])
    assert "cvvdp_loss" in ranked()


@pytest.fixture
def cvvdp(monkeypatch):
    """The package cvvdp, put in the place of the real one, which is an extra: the quality that it finds lost grows with
    the change."""

    class Metric:
        def __init__(self, *, display_geometry, **_):
            self.size = display_geometry

        def predict(self, shown, original, dim_order):
            assert dim_order == "HWC"
            return 10 - float(np.abs(shown.astype(float) - original).mean()) / self.size, None

    package = module_from_spec(ModuleSpec("pycvvdp", None))
    package.vvdp_display_geometry, package.cvvdp = (lambda _, ppd: ppd), Metric
    monkeypatch.setitem(sys.modules, "pycvvdp", package)
    predictor._metric.cache_clear()
    yield
    predictor._metric.cache_clear()


@pytest.fixture
def without_cvvdp(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycvvdp", None)
    predictor._metric.cache_clear()


def asked(client, study) -> str:
    response = client.post(reverse("results:predict", args=[study.slug]))
    assert response["Location"] == reverse("results:results", args=[study.slug])
    return words(client.get(response["Location"]).content.decode())


def test_a_button_asks_for_predictions_on_the_readers_displays_and_a_job_makes_them(researcher, cvvdp):
    study = unblinded(read_through(SCREEN))
    assert (
        "84 images have no prediction by cvvdp for the readers’ displays (20 pixels per degree) yet. Predict"
        in words(page(researcher, study).content.decode())
    )
    assert "predicts by cvvdp what is seen of 84 images" in asked(researcher, study)
    assert asked(researcher, study) and Job.objects.count() == 1, "asked for twice, made once"
    job = Job.objects.get()
    assert run_attempt(job.pk, job.attempt) == "done", Job.objects.get().error
    assert Job.objects.get().result == {"study": study.slug, "pixels_per_degree": [20], "predicted": 84}
    for row in Stimulus.objects.all():
        assert (row.predicted["20"] > 0) == (row.arm != "original")
    assert "cvvdp_loss" in {row["measure"] for row in analysis_of(study).to_json()["predictors"]}
    assert "by cvvdp for the readers’ displays" not in words(page(researcher, study).content.decode())
    researcher.post(reverse("results:predict", args=[study.slug]))
    assert Job.objects.count() == 1, "nothing is left to predict"


@pytest.mark.usefixtures("without_cvvdp")
def test_without_the_package_the_page_and_the_job_say_how_to_get_it(researcher):
    study, how = unblinded(read_through(SCREEN)), "need the package cvvdp: pip install -r requirements-sight.txt"
    text = page(researcher, study).content.decode()
    assert how in text and reverse("results:predict", args=[study.slug]) not in text
    assert words(text).count(how) == 1
    assert asked(researcher, study).count(how) == 2, "the answer to who asks all the same, and the page's own words"
    assert not Job.objects.exists()
    job = submit(kind="predict_visibility", arguments={"study": study.slug})  # a worker may lack what the page has
    assert run_attempt(job.pk, job.attempt) == "failed" and how in Job.objects.get().error
    assert not Stimulus.objects.exclude(predicted={}).exists()


def test_where_no_display_was_measured_the_page_says_that_nothing_can_be_predicted(researcher, study, cvvdp):
    assert "none held a card to the screen" in words(page(researcher, study).content.decode())
    assert "measured screen and distance" in asked(researcher, study)
    assert not Job.objects.exists()


def test_nothing_is_predicted_by_a_job_before_the_arms_are_open(researcher, cvvdp):
    study = read_through(SCREEN)
    researcher.post(reverse("results:predict", args=[study.slug]))
    assert not Job.objects.exists()


def test_what_is_not_known_is_said_with_its_reason():
    found = {"index": None, "reasons": {"index": "no flip of the model is known: nobody looked for one"}}
    assert visibility.statement(found) == "No blind-spot index: no flip of the model is known: nobody looked for one."
    found = {
        "index": 0.4,
        "index_ci95": None,
        "factor": None,
        "reasons": {"factor": "no flip was found on 9 of 12 patches"},
    }
    assert visibility.statement(found).endswith("No safety factor: no flip was found on 9 of 12 patches.")
    few = "6 slides or patients; with fewer than 10 their spread is not known well enough"
    found["reasons"] |= {"index_ci95": few, "threshold_ci95": few}
    assert f"There is no interval, so this says nothing of other readers, patches or slides: {few}. No safety" in (
        visibility.statement(found)
    )


def test_a_study_without_ladders_has_no_such_section():
    empty = {"visibility": []}
    assert visibility.page_rows(empty) == visibility.rows(empty) == visibility.reader_rows(empty) == []
    assert visibility.figure(empty) is None
    assert np.isnan(visibility._above_guessing([np.nan])).all()
