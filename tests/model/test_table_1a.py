"""Table 1a is computed once: the page, the interface, the command, the job and a study's snapshot show the same."""

import io
import json

import pytest
from django.core.management import call_command
from django.utils import timezone
from django.utils.html import strip_tags

from attacks.models import Attack
from core import published
from model.selectors import accuracy_and_auc, latest_cross_validation
from study.protocol.case_sources import AttackSource
from tests import factories
from tests.model.judged import cross_validation, finish_folds, judged_classifier

pytestmark = pytest.mark.django_db


@pytest.fixture
def validation(own_files):
    classifier = judged_classifier()
    made = cross_validation(classifier)
    finish_folds(made, classifier)
    made.results.filter(fold=0).update(accuracy=0.75, auc=0.8)
    made.results.filter(fold=1).update(accuracy=0.85, auc=0.9)
    made.completed_at = timezone.now()
    made.save()
    return made


def test_the_numbers_are_mean_and_sd_over_the_folds(validation):
    found = accuracy_and_auc(validation)
    assert found["accuracy"] == {"mean": pytest.approx(0.8), "sd": pytest.approx(0.0707107), "sd_of_runs": None}
    assert found["auc"]["mean"] == pytest.approx(0.85) and found["auc"]["sd"] == pytest.approx(0.0707107)
    validation.results.filter(fold=1).delete()
    assert accuracy_and_auc(latest_cross_validation(validation.dataset))["auc"]["sd"] is None
    validation.results.all().delete()
    assert accuracy_and_auc(latest_cross_validation(validation.dataset)) == {}


def test_page_interface_command_and_snapshot_agree(client, validation, monkeypatch):
    expected = json.loads(json.dumps(accuracy_and_auc(validation)))
    client.force_login(factories.user("ora", "researcher"))

    page = strip_tags(client.get("/classifiers/").content.decode())
    assert "0.800 ± 0.071" in page and "0.850 ± 0.071" in page
    assert "0.89 ± 0.014" in page and "0.96 ± 0.004" in page and "5 × 3" in page

    (row,) = client.get("/api/v1/cross-validations/").json()["results"]
    assert row["table_1a"] == expected and row["folds_done"] == 2

    monkeypatch.setattr("model.management.commands.cross_validate.cross_validate", lambda **_: validation)
    out = io.StringIO()
    call_command("cross_validate", validation.dataset.name, runs=1, folds=2, json=True, stdout=out, stderr=out)
    told = json.loads(out.getvalue())
    assert {name: told[name] for name in expected} == expected
    assert told["paper"] == {name: published.TABLE_1A[name] for name in expected}

    attack = Attack.objects.create(
        name="a", classifier=judged(validation), norm="l2", seed=0, code_version="t", completed_at=timezone.now()
    )
    source = AttackSource([attack])
    snapshot = source.snapshot(source.pool())["table_1a"]
    assert snapshot == {"runs": 1, "folds": 2, "grouped": False, "seed": 0} | accuracy_and_auc(validation)


def judged(validation):
    return validation.dataset.classifiers.get()
