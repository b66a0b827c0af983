"""Bias pairs: two twins of equal energy, one pushed toward tumour and one away; which looks more like tumour?"""

import numpy as np
import pytest

from attacks.engine.controls import mirrored
from attacks.engine.pairs import norms_of
from core.errors import InvalidInput
from study.models import Presentation, Study
from study.protocol.building import StudySettings, build_study
from study.protocol.schedule_checks import schedule_problems
from study.protocol.verification import verify
from study.reading.answers import SentAnswer, record_answer
from study.reading.progress import progress_of
from study.results.tidy import presentation_rows
from tests import factories, ladders
from tests.pool import attacked_pool

pytestmark = pytest.mark.django_db


def built(**settings) -> Study:
    asked = {"positives": 4, "negatives": 0, "practice": 0, "examples": 0, "task": "bias", "copies": 1}
    chosen = StudySettings(**(asked | settings))
    attack = attacked_pool(positives=6, negatives=0)
    return build_study(name="Small", attack=attack, seed=5, actor="test", settings=chosen)


def test_twins_are_opposite_and_of_exactly_equal_energy():
    rng = np.random.default_rng(0)
    original = rng.integers(0, 256, (16, 16, 3)).astype(np.uint8)
    displayed = np.clip(original.astype(int) + rng.integers(-9, 10, original.shape), 0, 255).astype(np.uint8)
    one, other = mirrored(original, displayed)
    assert norms_of(original, one) == norms_of(original, other)
    assert (one.astype(int) - original == original - other.astype(int)).all()
    inside = (original >= 9) & (original <= 246)
    assert (one == displayed)[inside].all()


def test_toward_is_the_twin_that_is_more_of_a_tumour_to_the_model(monkeypatch):
    monkeypatch.setattr("study.protocol.controls.Controls.answer", lambda controls, pixels: float(pixels.mean() / 255))
    study = built()
    for case in study.cases.all():
        by_arm = {stimulus.arm: stimulus for stimulus in case.stimuli.all()}
        assert set(by_arm) == {"original", "toward", "away"}
        assert by_arm["toward"].model_prob > by_arm["away"].model_prob
        assert [by_arm["toward"].l2, by_arm["toward"].linf] == [by_arm["away"].l2, by_arm["away"].linf]


@pytest.mark.parametrize(("said", "why"), [(None, "none is known"), (0.5, "the same to the classifier")])
def test_without_a_verdict_there_is_no_twin_toward_tumour(monkeypatch, said, why):
    monkeypatch.setattr("study.protocol.controls.Controls.answer", lambda controls, pixels: said)
    with pytest.raises(InvalidInput, match=why):
        built()


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"noise": True}, "noise"),
        ({"catch": 1}, "catch"),
        ({"ladder": "fixed"}, "ladder"),
        ({"pair_display": "alternating"}, "pair_display"),
        ({"task": "labelling", "exposure_ms": 200}, "exposure_ms"),
        ({"task": "pair", "pair_display": "alternating", "exposure_ms": 200}, "exposure_ms"),
        ({"questions": ("perturbed_response",)}, "questions"),
        ({"task": "pair", "questions": ("confidence", "tumour_cell_count")}, "questions"),
    ],
)
def test_what_does_not_go_with_bias_pairs_or_exposure_is_refused(asked, field):
    with pytest.raises(InvalidInput) as refused:
        built(**asked)
    assert refused.value.field == field


def test_a_pair_is_read_and_stands_in_the_tidy_table(client):
    study = ladders.opened(task="bias", exposure_ms=200)
    assert Presentation.objects.count() == 4
    assert {row.stimulus.arm for row in Presentation.objects.all()} == {"toward", "away"}
    assignment = factories.assignment_of(study)
    client.force_login(assignment.reader)
    client.post("/reading/study/small/viewing/", {"viewing": "{}"})
    page = client.get("/reading/study/small/read/").content.decode()
    assert "Which one looks more like tumour?" in page and 'data-exposure="200"' in page
    assert "for a short time only" in client.get("/reading/study/small/instructions/").content.decode()
    toward_first = []
    for number in range(4):
        current = progress_of(assignment).current
        toward_first.append(current.stimulus.arm == "toward")
        record_answer(assignment=assignment, token=current.token, key=f"answer-{number}", sent=SentAnswer("first"))
    assert sum(toward_first) == 2
    assert not schedule_problems(study) and not verify(study).problems
    Study.objects.filter(pk=study.pk).update(state="unblinded")
    rows = list(presentation_rows(Study.objects.get(pk=study.pk)))
    assert [(row["arm"], row["truth"], row["correct"]) for row in rows] == [
        ("bias", int(not first), int(first)) for first in toward_first
    ]
