"""How different stimuli look is measured on their bytes when a study is built, and fixed with its protocol."""

import json

import pytest
from django.core.management import CommandError, call_command

from attacks.engine.perceptual import measures_of
from attacks.models import Perturbation
from core.images import read_pixels
from core.models import User
from study.models import Stimulus, Study
from study.protocol.building import StudySettings, build_study
from study.protocol.measuring import measure_study
from study.protocol.verification import verify
from tests.pool import attacked_pool

pytestmark = pytest.mark.django_db
NONE = {"ciede2000": None, "ms_ssim_loss": None}


@pytest.fixture(autouse=True)
def judged(monkeypatch):
    """The pool's classifier has no weights."""
    monkeypatch.setattr("study.protocol.controls.Controls.answer", lambda controls, pixels: 0.5)


def built(**settings) -> Study:
    asked = {"positives": 4, "negatives": 0, "practice": 0, "examples": 0, "copies": 1, "min_gap": 1}
    attack = attacked_pool(positives=8, negatives=4)
    reader = User.objects.create_user("ann", role=User.Role.READER)
    return build_study(
        name="Small", attack=attack, seed=5, actor="test", settings=StudySettings(**(asked | settings)),
        readers=[reader], judge=lambda *_, **__: "judged",
    )  # fmt: skip


def measured(study: Study) -> dict[int, tuple[float, float]]:
    rows = Stimulus.objects.filter(case__study=study)
    return {row.pk: (row.ciede2000, row.ms_ssim_loss) for row in rows}


def of_bytes(study: Study) -> dict[int, tuple[float, float]]:
    found = {}
    for case in study.cases.all():
        pixels = {row: read_pixels(row.image.name, sha256=row.sha256) for row in case.stimuli.all()}
        original = next(shown for row, shown in pixels.items() if row.arm == "original")
        found |= {row.pk: tuple(measures_of(original, shown).values()) for row, shown in pixels.items()}
    return found


def test_every_arm_is_measured_on_its_bytes_and_the_protocol_holds_it():
    study = built(noise=True)
    found = measured(study)
    assert found == of_bytes(study) and len(found) == 12
    assert sum(values == (0.0, 0.0) for values in found.values()) == 4, "the originals"
    case = study.protocol["cases"][0]
    stimulus = study.cases.get(number=case["number"]).stimuli.get(arm="noise")
    assert case["measured"]["noise"]["ciede2000"] == stimulus.ciede2000 > 0
    assert verify(study).problems == []
    Stimulus.objects.filter(pk=stimulus.pk).update(ciede2000=0.01)
    (problem,) = verify(study).problems
    assert (
        "ciede2000" in problem.where
        and f"it is 0.01, but the frozen protocol (arm noise) says {stimulus.ciede2000}" in problem.what
    )
    Stimulus.objects.filter(pk=stimulus.pk).update(**NONE)
    assert len(verify(study).problems) == 2


def test_a_study_of_before_is_measured_by_the_command_and_still_verifies(capsys):
    study = built(noise=True)
    expected = measured(study)
    Stimulus.objects.update(**NONE)
    protocol = study.protocol
    for case in protocol["cases"]:
        for numbers in case["measured"].values():
            del numbers["ciede2000"], numbers["ms_ssim_loss"]
    Study.objects.filter(pk=study.pk).update(protocol=protocol)
    before = {str(problem) for problem in verify(study).problems}  # its SHA-256 is not that of the shortened one
    call_command("measures", study=study.slug, json=True)
    assert json.loads(capsys.readouterr().out)["studies"] == {study.slug: 12}
    assert measured(study) == expected
    assert {str(problem) for problem in verify(study).problems} == before
    assert measure_study(study=study) == 0


def test_the_command_measures_all_that_has_no_measures(capsys):
    study = built()
    call_command("measures", json=True)
    assert json.loads(capsys.readouterr().out) == {"attacks": {"pool": 12}, "pairs": {}, "studies": {study.slug: 0}}
    assert not Perturbation.objects.filter(ciede2000=None).exists()
    with pytest.raises(CommandError, match="No pairs called 'x'"):
        call_command("measures", pairs="x")
