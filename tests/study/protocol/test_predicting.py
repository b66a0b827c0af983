"""What readers are predicted to see: an optional extra, at the size at which each reader saw the images."""

import sys

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from attacks.engine import predictor
from core.errors import InvalidInput
from study.models import Stimulus
from study.protocol.predicting import predict_study
from study.statistics.visibility.display import pixels_per_degree
from tests import ladders

SCREEN = {"pixels_per_mm": 3.78, "distance_cm": 60, "scale": 2}


@pytest.mark.parametrize(
    ("session", "answer", "expected"),
    [
        (SCREEN, {}, 20),  # 96 dots per inch at 60 cm: 40 dots, two for each pixel of the image
        (SCREEN, {"scale": 1}, 40),
        (SCREEN | {"distance_cm": 120}, {"scale": 1}, 79),
        ({"scale": 2}, {"scale": 2}, None),
        ({"pixels_per_mm": 3.78, "scale": 2}, {}, None),
        (None, None, None),
    ],
)
def test_card_distance_and_scale_give_the_pixels_per_degree(session, answer, expected):
    assert pixels_per_degree(session, answer) == expected


@pytest.fixture
def not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycvvdp", None)
    predictor._metric.cache_clear()
    yield
    predictor._metric.cache_clear()


@pytest.mark.django_db
@pytest.mark.usefixtures("not_installed")
def test_without_the_package_the_command_says_how_to_get_it_and_nothing_is_stored():
    study = ladders.draft(noise=False)
    with pytest.raises(CommandError, match=r"need the package cvvdp: pip install -r requirements-sight.txt"):
        call_command("predict_visibility", study.slug, pixels_per_degree=[40])
    assert not Stimulus.objects.exclude(predicted={}).exists()


@pytest.mark.django_db
def test_without_a_measured_display_the_study_says_that_the_size_is_not_known():
    study = ladders.draft(noise=False)
    with pytest.raises(InvalidInput, match="no reader of study 'small' measured screen and distance"):
        predict_study(study=study)


@pytest.mark.django_db
def test_every_stimulus_is_predicted_once_per_size_and_kept(monkeypatch):
    asked = []
    monkeypatch.setattr("core.extras.Extra.load", lambda self: [])
    monkeypatch.setattr("study.protocol.predicting.lost_quality", lambda one, other, size: asked.append(size) or 0.25)
    study = ladders.draft(noise=False)
    assert predict_study(study=study, sizes=[40])["predicted"] == Stimulus.objects.count()
    assert len(asked) == Stimulus.objects.exclude(arm="original").count()
    assert predict_study(study=study, sizes=[40, 20])["predicted"] == Stimulus.objects.count()
    for row in Stimulus.objects.all():
        assert row.predicted == dict.fromkeys(("40", "20"), 0.0 if row.arm == "original" else 0.25)


def test_the_predictor_sees_more_of_stronger_and_of_larger_changes():
    pytest.importorskip("pycvvdp")
    rng = np.random.default_rng(0)
    original = rng.integers(60, 200, (64, 64, 3), dtype=np.uint8)
    block = np.kron(rng.integers(-1, 2, (8, 8, 3)), np.ones((8, 8, 1))).astype(int)
    weak, strong = (np.clip(original + size * block, 0, 255).astype(np.uint8) for size in (4, 16))
    assert predictor.lost_quality(original, original, 40) == 0
    assert 0 < predictor.lost_quality(original, weak, 40) < predictor.lost_quality(original, strong, 40)
    assert predictor.lost_quality(original, strong, 40) != predictor.lost_quality(original, strong, 10)
