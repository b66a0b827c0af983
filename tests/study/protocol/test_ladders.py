"""Building a study with ladders: levels from an attack's images, measured and judged on their bytes."""

from dataclasses import replace

import numpy as np
import pytest

from attacks.engine.pairs import norms_of
from core.errors import InvalidInput
from core.images import read_pixels
from core.models import User
from study.models import Slot, Study
from study.protocol.building import StudySettings, build_study
from study.protocol.documents import facts
from study.protocol.ladders import smallest_flip
from study.protocol.preregistration import as_markdown
from study.protocol.schedules import Plan, demand_gap
from study.results.tidy import presentation_rows
from tests.pool import attacked_pool

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def judged(monkeypatch):
    """The pool's classifier has no weights. Instead: an image is a tumour unless it holds very dark values often."""
    monkeypatch.setattr(
        "study.protocol.controls.Controls.answer", lambda controls, pixels: 0.9 if (pixels < 6).mean() < 0.05 else 0.2
    )


def built(**settings) -> Study:
    asked = {"positives": 4, "negatives": 0, "practice": 0, "examples": 0, "task": "pair", "copies": 1, "levels": 5}
    reader = User.objects.create_user("ann", role=User.Role.READER)
    return build_study(
        name="Small",
        attack=attacked_pool(positives=6, negatives=0),
        seed=5,
        actor="test",
        settings=StudySettings(**(asked | settings)),
        readers=[reader],
    )


def pixels_of(stimulus) -> np.ndarray:
    return read_pixels(stimulus.image.name, sha256=stimulus.sha256)


def test_every_level_has_norms_and_verdict_of_its_bytes_and_noise_the_same_energy():
    study = built(ladder="fixed", noise=True)
    sizes = study.ladders["perturbed"]["sizes"]
    assert sizes == study.ladders["noise"]["sizes"] == [2, 4, 8, 16, 32]  # from half of the usual flip, in Linf
    for case in study.cases.all():
        by_arm = {stimulus.arm: stimulus for stimulus in case.stimuli.all()}
        assert len(by_arm) == 11
        original = pixels_of(by_arm["original"])
        for step, size in enumerate(sizes, start=1):
            level, noise = by_arm[f"perturbed:{step:02d}"], by_arm[f"noise:{step:02d}"]
            for stimulus in (level, noise):
                measured = norms_of(original, pixels_of(stimulus))
                assert measured == {norm: getattr(stimulus, norm) for norm in measured}
                assert (stimulus.norm, stimulus.budget) == ("linf", size)
                shown = pixels_of(stimulus)
                assert stimulus.model_prob == (0.9 if (shown < 6).mean() < 0.05 else 0.2)
            assert level.linf == size
            assert noise.l2 == pytest.approx(level.l2, rel=0.05)  # what leaves 0 to 255 is clipped


def test_the_smallest_flip_is_that_of_the_levels_and_the_attack():
    study = built(ladder="fixed", noise=True)
    for case in study.cases.all():
        wrong = [s.linf for s in case.stimuli.filter(arm__startswith="perturbed:") if not s.model_label]
        assert case.flips["perturbed"] == {"flip": min([4.0, *wrong])}  # the attack's own image flips at 4
        noise = list(case.stimuli.filter(arm__startswith="noise:"))
        fooled = [s.linf for s in noise if not s.model_label]
        assert case.flips["noise"] == ({"flip": min(fooled)} if fooled else {"limit": max(s.linf for s in noise)})


def test_what_counts_as_a_flip():
    assert smallest_flip([(1.0, 0.9), (2.0, 0.4), (4.0, 0.6), (8.0, 0.1)], True) == {"flip": 2.0}
    assert smallest_flip([(1.0, 0.9), (8.0, 0.8)], True) == {"limit": 8.0}
    assert smallest_flip([(1.0, 0.1), (8.0, 0.8)], False) == {"flip": 8.0}
    assert smallest_flip([(1.0, None)], True) == {}


def test_an_adaptive_study_is_frozen_with_its_ladders_and_said_in_its_protocol():
    study = built(ladder="adaptive", trials=12, lowest=1, highest=20)
    assert study.state == "open"
    assert set(study.ladders) == {"perturbed"}
    assert study.ladders["perturbed"]["sizes"][0] == 1 and study.ladders["perturbed"]["sizes"][-1] == 20
    assert study.identical == 1 and Slot.objects.count() == 13
    assert Plan.of(study).shown_per_set == 13
    rows = dict(row for section in facts(study) for row in section["rows"])
    assert rows["Levels"].startswith("adaptive")
    assert "12 pairs of each ladder" in rows["Next level"]
    assert study.protocol["cases"][0]["flips"]
    said = as_markdown(study)
    assert "next level by least expected entropy" in said and "stop after 12 pairs" in said
    assert "lapse weights 0.4, 0.3, 0.15, 0.1, 0.05" in said


def test_the_tidy_table_says_ladder_level_and_flip():
    study = built(ladder="fixed", identical=2)
    Study.objects.filter(pk=study.pk).update(state="unblinded")
    rows = list(presentation_rows(Study.objects.get(pk=study.pk)))
    assert len(rows) == 4 * 5 + 2
    for row in rows:
        if row["arm"] == "pair-original":
            assert (row["level"], row.get("ladder"), row.get("flip")) == (0.0, None, None)
        else:
            assert (row["arm"], row["ladder"]) == ("pair", "perturbed")
            assert row["level"] == row["linf"] in study.ladders["perturbed"]["sizes"]
            assert (row["flip"] is None) != (row["flip_limit"] is None)
    assert sum(row["arm"] == "pair-original" for row in rows) == 2


@pytest.mark.parametrize(
    ("asked", "field", "why"),
    [
        ({"ladder": "fixed", "task": "labelling"}, "ladder", "pairs"),
        ({"ladder": "fixed", "catch": 2}, "catch", "strongest level"),
        ({"ladder": "fixed", "lowest": 8, "highest": 4}, "highest", "above the weakest"),
        ({"ladder": "fixed", "identical": 5}, "identical", "4 cases"),
        ({"ladder": "fixed", "levels": 8, "lowest": 1, "highest": 6}, "levels", "whole grey levels"),
        ({"ladder": "adaptive", "trials": 3}, "trials", "10"),
    ],
)
def test_what_cannot_be_built_is_refused_at_its_setting(asked, field, why):
    with pytest.raises(InvalidInput, match=why) as refused:
        built(**asked)
    assert refused.value.field == field
    assert not Study.objects.exists()


@pytest.mark.parametrize(
    ("asked", "largest"),
    [
        ({"ladder": "fixed", "levels": 4, "identical": 0}, 4),
        ({"ladder": "adaptive", "trials": 20, "identical": 4}, 4),
        ({"task": "bias"}, None),
        ({}, None),
    ],
)
def test_the_gap_is_checked_for_the_pairs_that_will_be_shown_before_anything_is_built(asked, largest):
    settings = StudySettings(**({"positives": 4, "negatives": 0, "task": "pair", "copies": 1, "min_gap": 5} | asked))
    if largest is None:
        return demand_gap(settings, arms=2)
    with pytest.raises(InvalidInput, match=f"largest feasible gap is {largest}"):
        demand_gap(settings, arms=2)
    return demand_gap(replace(settings, min_gap=largest), arms=2)
