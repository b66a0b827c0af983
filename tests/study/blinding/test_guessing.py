"""Could the schedule be guessed? With a secret no seed tells it; without one, small seeds and dates do."""

import json
from datetime import UTC, date, datetime

import numpy as np
import pytest
from django.core import serializers

from study.blinding.audit import CLEAR, LEAK, examine_guesses
from study.blinding.auditing import draw_labels, guess_labels
from study.blinding.guess import Guessed, guesses
from study.blinding.redraw import Drawn
from study.blinding.scratch import Copy, _copy
from study.models import Assignment, Presentation, Study
from tests import factories
from tests.conftest import SECRET
from tests.study.protocol.test_secret import as_before_secrets

DESIGNS = {
    "paper": {"arm_order": "paper"},
    "twin-split": {"arm_order": "twin-split"},
    "pair": {"task": "pair", "copies": 3},
}
designs = pytest.mark.parametrize("design", DESIGNS)


def opened(design: str, seed: int, **fields) -> Study:
    fields = {"cases": 12, "size": 8, "guides": 0, "readers": ("ann", "ben")} | DESIGNS[design] | fields
    return factories.open_study(seed=seed, **fields)


def row_of(study: Study, code: str = "R01"):
    """The channel's row of the report, for one reader of the study."""
    rows = Presentation.objects.filter(reading_set__assignment__study=study, reading_set__assignment__code=code)
    rows = rows.select_related("reading_set__assignment__reader", "stimulus__case", "second__case")
    copy = Copy("", "", list(rows.order_by("reading_set__number", "position")))
    return examine_guesses(guess_labels(copy, study), draw_labels(copy, study, [], seed=0, redraws=999))


@pytest.mark.django_db
@designs
def test_no_seed_tells_a_schedule_that_was_drawn_with_a_secret_not_even_the_recorded_one(design):
    row = row_of(opened(design, seed=0))
    assert row.verdict == CLEAR and row.arm.auc < 0.9 and row.values > 2000, row
    assert "tried without the secret" in row.example


@pytest.mark.django_db
@designs
@pytest.mark.parametrize("code", ["R01", "R02"])
def test_a_schedule_without_a_secret_is_told_by_its_seed(design, code):
    row = row_of(as_before_secrets(opened(design, seed=4_711_000_123)), code)
    n = {"paper": 48, "twin-split": 24, "pair": 36}[design]
    assert row.verdict == LEAK and (row.arm.auc, row.twins.auc, row.twins.p) == (1.0, 1.0, 0.001)
    assert f"the recorded seed puts most arms right, {n} of {n}" in row.example


@pytest.mark.django_db
def test_a_date_as_seed_is_found_by_who_does_not_know_it():
    study = as_before_secrets(opened("twin-split", seed=20260302))
    study.created_at, study.seed = datetime(2026, 3, 9, tzinfo=UTC), 5
    row = row_of(study)
    assert row.verdict == LEAK and "the date 02 March 2026 as 20260302 puts most arms right, 24 of 24" in row.example


def test_small_seeds_dates_in_three_spellings_and_public_numbers_are_tried():
    tried = guesses(77, date(2026, 11, 27), public=(123_456,))
    assert tried[77] == "the recorded seed" and tried[0] == "seed 0" and tried[999] == "seed 999"
    assert {20261127, 27112026, 11272026, 20251127, 20261201, 123_456} <= set(tried)


def test_a_schedule_that_follows_from_a_guess_in_part_is_found_and_chance_is_not():
    rng = np.random.default_rng(0)
    guessed = np.where(rng.random((80, 500)) < 0.5, "original", "perturbed")
    drawn = np.where(rng.random((80, 1000)) < 0.5, "original", "perturbed")
    labels = Guessed([f"seed {n}" for n in range(500)], guessed, guessed)
    assert examine_guesses(labels, Drawn(drawn, drawn)).verdict == CLEAR
    drawn[:64, 0] = guessed[:64, 417]
    row = examine_guesses(labels, Drawn(drawn, drawn))
    assert row.verdict == LEAK and "seed 417 puts most arms right" in row.example


@pytest.mark.django_db
@pytest.mark.parametrize("plant", ["", "seed"])
def test_the_audits_copy_of_a_study_holds_neither_secret_nor_seed_nor_protocol(plant):
    study = opened("paper", seed=4_711_000_123)
    assignments = list(Assignment.objects.filter(study=study))
    *_, rows = _copy(Study.objects.get(pk=study.pk), assignments, plant, "password", 0)
    text = serializers.serialize("json", rows)
    assert SECRET not in text and str(study.seed) not in text and "schedulesecret" not in text
    assert {row["fields"]["seed"] for row in json.loads(text) if "seed" in row["fields"]} == {0}
