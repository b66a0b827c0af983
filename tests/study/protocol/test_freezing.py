"""What freezing makes sure of: the images are those that were stored, differ, and still get their stored verdicts."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connections

from attacks.models import Attack, Perturbation
from attacks.services import run_attack
from core.errors import InvalidInput
from core.images import encode_png, read_pixels, sha256_of
from jobs.models import Job
from jobs.running import run_attempt
from model.models import Classifier
from study.models import Presentation, Stimulus, Study
from study.protocol.building import StudySettings, build_study
from study.protocol.life import freeze_study, open_study
from study.protocol.verdicts import judge_again
from tests import factories
from tests.attacks.conftest import learned, make_classifier  # noqa: F401
from tests.pool import attacked_pool

pytestmark = pytest.mark.django_db

SMALL = StudySettings(positives=3, negatives=0, copies=1, min_gap=1, washout_hours=0, practice=0, examples=0)


def draft(attack: Attack) -> Study:
    return build_study(name="Small", attack=attack, seed=1, actor="test", settings=SMALL, freeze=False)


def replace_file(name: str, content: bytes) -> None:
    default_storage.delete(name)
    default_storage.save(name, ContentFile(content))


@pytest.fixture
def real_attack(make_classifier) -> Attack:  # noqa: F811
    return run_attack(classifier=make_classifier(test=24), norm="linf", budget=24, positives_only=True)


def test_a_study_is_not_built_from_perturbed_images_that_were_replaced_by_their_originals():
    attack = attacked_pool()
    for row in Perturbation.objects.select_related("patch"):
        with row.patch.image.open() as file:
            replace_file(row.image.name, file.read())
    with pytest.raises(InvalidInput, match="has changed since it was stored"):
        draft(attack)
    assert not Study.objects.exists() and not Stimulus.objects.exists()


def test_a_stimulus_that_changed_after_building_stops_the_freezing():
    study = draft(attacked_pool())
    stimulus = Stimulus.objects.filter(arm="perturbed").first()
    pixels = read_pixels(stimulus.image.name, sha256=stimulus.sha256)
    replace_file(stimulus.image.name, encode_png(255 - pixels))
    with pytest.raises(InvalidInput, match=rf"{stimulus.image.name} has changed since it was stored"):
        freeze_study(study=study, actor="test")
    study.refresh_from_db()
    assert study.state == "draft" and not Presentation.objects.exists()


def test_a_stimulus_whose_file_is_gone_stops_the_freezing():
    study = draft(attacked_pool())
    default_storage.delete(Stimulus.objects.first().image.name)
    with pytest.raises(InvalidInput, match="is missing from the file store"):
        freeze_study(study=study, actor="test")


def test_a_case_whose_arms_are_the_same_bytes_is_refused_by_name():
    study = draft(attacked_pool())
    original, perturbed = Stimulus.objects.filter(case__number=2).order_by("arm").select_related("case")
    with original.image.open() as file:
        content = file.read()
    replace_file(perturbed.image.name, content)
    Stimulus.objects.filter(pk=perturbed.pk).update(sha256=sha256_of(content))  # and the row was changed with it
    with pytest.raises(InvalidInput, match=rf"Case 2 \({original.case.patch_id}\): its arms original and perturbed"):
        freeze_study(study=study, actor="test")


def test_verdicts_are_judged_again_by_the_classifier_and_the_protocol_says_so(real_attack):
    study = freeze_study(study=draft(real_attack), actor="test", judge=judge_again)
    said = "6 stored verdicts were judged again by classifier 'small' and hold."
    assert study.protocol["verdicts_checked"] == said
    assert study.events.get(action="frozen").detail["verdicts"] == said
    assert study.protocol["stimuli_checked"].startswith("6 stimuli")


def test_a_study_that_is_built_and_frozen_at_once_is_judged_as_a_draft_is(real_attack):
    at_once = build_study(name="Small", attack=real_attack, seed=1, actor="test", settings=SMALL, judge=judge_again)
    said = "6 stored verdicts were judged again by classifier 'small' and hold."
    assert at_once.protocol["verdicts_checked"] == said and at_once.state == "open"
    assert at_once.protocol["stimuli_checked"].startswith("6 stimuli")


def test_a_study_whose_verdicts_do_not_hold_is_not_built(own_files, real_attack):
    Perturbation.objects.update(prob_after=0.9)
    with pytest.raises(InvalidInput, match=r"case 1 .* arm perturbed: .* but 0.9 is stored"):
        build_study(name="Small", attack=real_attack, seed=1, actor="test", settings=SMALL, judge=judge_again)
    assert not Study.objects.exists() and not Stimulus.objects.exists()
    assert not [path for path in (own_files / "stimuli").rglob("*") if path.is_file()]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("freezing", ["with the building", "of a draft"])
def test_others_write_while_the_network_judges(freezing):
    """Judging a thousand images takes minutes, and SQLite has one writer at a time: no reader may wait for it."""

    def write_elsewhere() -> str:
        try:
            return factories.user("ada").username
        finally:
            connections.close_all()

    def judge(source, cases, *, progress) -> str:
        with ThreadPoolExecutor(1) as other:
            return f"{other.submit(write_elsewhere).result()} wrote; {sum(len(shown) for _, shown in cases)} judged."

    attack = attacked_pool()
    if freezing == "with the building":
        study = build_study(name="Small", attack=attack, seed=1, actor="test", settings=SMALL, judge=judge)
    else:
        study = freeze_study(study=draft(attack), actor="test", judge=judge)
    assert study.protocol["verdicts_checked"] == "ada wrote; 6 judged."


def test_a_stimulus_that_does_not_fool_the_classifier_any_more_is_refused_by_name(real_attack):
    study = draft(real_attack)
    perturbed = Stimulus.objects.filter(arm="perturbed").select_related("case").order_by("case__number")[1]
    original = Stimulus.objects.get(case=perturbed.case, arm="original")
    pixels = read_pixels(original.image.name, sha256=original.sha256).copy()
    pixels[0, 0] ^= 1  # another image, which the classifier judges as it judges the original
    replace_file(perturbed.image.name, encode_png(pixels))
    Stimulus.objects.filter(pk=perturbed.pk).update(sha256=sha256_of(encode_png(pixels)))
    with pytest.raises(InvalidInput, match=rf"case 2 \({perturbed.case.patch_id}\), arm perturbed: .* is stored"):
        freeze_study(study=study, actor="test", judge=judge_again)
    study.refresh_from_db()
    assert study.state == "draft"


def test_a_row_that_says_that_nothing_was_fooled_is_refused(real_attack):
    study = draft(real_attack)
    perturbed = Stimulus.objects.filter(arm="perturbed").select_related("case").first()
    original = Stimulus.objects.get(case=perturbed.case, arm="original")
    pixels = read_pixels(original.image.name, sha256=original.sha256).copy()
    pixels[0, 0] ^= 1
    replace_file(perturbed.image.name, encode_png(pixels))
    Stimulus.objects.filter(pk=perturbed.pk).update(
        sha256=sha256_of(encode_png(pixels)), model_prob=original.model_prob, model_label=original.model_label
    )
    with pytest.raises(InvalidInput, match="does not belong to a pool of flipped patches"):
        freeze_study(study=study, actor="test", judge=judge_again)


@pytest.mark.parametrize("loss", ["row", "file"])
def test_where_the_classifier_is_gone_the_protocol_says_that_nothing_was_judged_again(real_attack, loss):
    study = draft(real_attack)
    if loss == "row":
        Classifier.objects.update(weights_sha256="0" * 64)
    else:
        default_storage.delete(Classifier.objects.get().weights.name)
    frozen = freeze_study(study=study, actor="test", judge=judge_again)
    assert "could not be judged again" in frozen.protocol["verdicts_checked"]


def test_a_patch_image_that_was_changed_is_not_shown(client):
    attack = attacked_pool()
    client.force_login(factories.user("rita", "researcher"))
    row = attack.perturbations.first()
    assert client.get(f"/perturbed/{row.pk}.png").status_code == 200
    replace_file(row.image.name, encode_png(np.zeros((32, 32, 3), dtype=np.uint8)))
    assert client.get(f"/perturbed/{row.pk}.png").status_code == 404


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("opened", [False, True])
def test_a_freezing_whose_worker_was_lost_after_its_end_ends_well_and_changes_nothing(opened):
    study = freeze_study(study=draft(attacked_pool()), actor="test")
    if opened:
        study = open_study(study=study, actor="test")
    job = Job.objects.create(
        kind="freeze_study", title="x", code_version="t", attempt=2, arguments={"study": study.slug, "actor": "test"}
    )
    assert run_attempt(job.pk, 2) == "done", Job.objects.get().error
    after = Study.objects.get()
    assert (after.state, after.protocol_sha256) == (study.state, study.protocol_sha256)
    assert after.events.filter(action="frozen").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_first_request_to_freeze_a_frozen_study_fails_and_says_so():
    study = freeze_study(study=draft(attacked_pool()), actor="test")
    job = Job.objects.create(
        kind="freeze_study", title="x", code_version="t", arguments={"study": study.slug, "actor": "test"}
    )
    assert run_attempt(job.pk, 1) == "failed"
    assert "is frozen; this needs a study that is draft" in Job.objects.get().error
