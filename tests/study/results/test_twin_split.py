"""A study whose twins lie in different sets goes through the analysis, the results page and every export."""

import io

import pytest
from django.core.management import call_command

from study.results.analysis import analysis_of
from tests import factories
from tests.study.answered import answer_all, open_study_of, unblinded

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_is_judged(monkeypatch):
    """The pool's classifier has no weights; what it says of controls is not asked here."""
    monkeypatch.setattr("study.protocol.controls.Controls.answer", lambda controls, pixels: None)


@pytest.mark.parametrize(
    "asked",
    [{}, {"noise": True, "copies": 3}, {"catch": 2}, {"copies": 4, "questions": ("perturbed_response",)}],
    ids=["two arms", "three arms", "catch images", "four sets"],
)
def test_every_part_of_the_results_stands(client, tmp_path, asked):
    study = open_study_of(readers=2, positives=6, **{"negatives": 6, "arm_order": "twin-split"} | asked)
    answer_all(study)
    study = unblinded(study)
    found = analysis_of(study).to_json()
    assert (found["n"]["patches"], found["n"]["positives"], found["n"]["negatives"]) == (12, 6, 6)
    assert set(found["controls"]) == ({"noise"} if "noise" in asked else set())
    assert not [warning for warning in found["warnings"] if "catch" in warning]
    assert found["primary"]["delta"] is not None
    client.force_login(factories.user("rita", "researcher"))
    assert client.get(f"/studies/{study.slug}/results/").status_code == 200
    out, err = io.StringIO(), io.StringIO()
    call_command("export_study", study.slug, str(tmp_path / "out"), stdout=out, stderr=err)
    assert {"analysis.json", "report.html", "presentations.csv"} <= {file.name for file in (tmp_path / "out").iterdir()}
