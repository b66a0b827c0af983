"""The blind spot on the results page, in the report and in the files, of a study that was read."""

import csv
import io
import re

import numpy as np
import pytest
from django.core.cache import cache
from django.urls import reverse

from core.models import User
from study.models import Presentation, Study
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


@pytest.fixture
def study() -> Study:
    """Three readers who see changes from 3 grey levels on; the model flips at 1."""
    made = ladders.opened(ladder_=Study.Ladder.FIXED, noise=False, cases=12, identical=4, readers=("ann", "bob", "eve"))

    def right(shown: Presentation) -> float:
        level = max(shown.stimulus.l2 or 0, shown.second.l2 or 0)
        return 0.5 + 0.48 / (1 + (level / 3) ** -4) if level else 0.5

    answer_all(made, right=right)
    return unblinded(made)


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

    monkeypatch.setattr("study.protocol.predicting.demand_installed", lambda: None)
    monkeypatch.setattr(
        "study.protocol.predicting.lost_quality", lambda original, shown, size: float(np.std(shown - original))
    )
    monkeypatch.setattr("study.results.tidy.pixels_per_degree", lambda screen, viewing: 40)
    predict_study(study=study, sizes=[40])
    assert "cvvdp_loss" in ranked()


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


def test_a_study_without_ladders_has_no_such_section():
    empty = {"visibility": []}
    assert visibility.page_rows(empty) == visibility.rows(empty) == visibility.reader_rows(empty) == []
    assert visibility.figure(empty) is None
    assert np.isnan(visibility._above_guessing([np.nan])).all()
