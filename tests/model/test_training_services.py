"""Classifiers and cross-validations as rows and files: recorded, resumable, whole or not at all."""

import io
import json
import os
import time

import numpy as np
import pytest
import torch
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from core.errors import InvalidInput
from model import crossval_services
from model.crossval_services import cross_validate
from model.evaluation_selectors import table_1a
from model.figures import plane_of_classifier
from model.import_services import import_classifier
from model.learning import evaluation
from model.learning.prediction import predict
from model.learning.resume import STALE
from model.models import Classifier, CrossValidation, FoldResult
from model.selectors import dataset_arrays
from model.stored_network import stored_network
from model.training_services import train_classifier
from tests.model.datasets import small_dataset

pytestmark = pytest.mark.django_db
SMALL = {"arch": "shufflenet_v2_x0_5", "init": "random", "preset": "quick", "epochs": 1}


def stored_weights():
    return set(default_storage.listdir("weights")[1]) if default_storage.exists("weights") else set()


def command(*args, **options):
    out = io.StringIO()
    call_command(*args, json=True, stdout=out, stderr=io.StringIO(), **options)
    return json.loads(out.getvalue())


def test_a_classifier_keeps_everything_that_made_it():
    dataset, said = small_dataset(), []
    made = train_classifier(dataset=dataset, name="first", seed=5, say=said.append, **SMALL)
    train, test = made.split["train"], made.split["test"]
    assert sorted(train + test) == sorted(dataset.patches.values_list("id", flat=True))
    assert made.split["grouped"] is True and [line.split(":")[0] for line in said] == ["Train split", "Test split"]
    assert made.settings["groups"]["test"] == {"tumour": 2, "no_tumour": 2} and "only 2 groups" in said[1]
    groups = dict(dataset.patches.values_list("id", "group"))
    assert not {groups[patch] for patch in train} & {groups[patch] for patch in test}
    assert made.seed == 5 and made.settings["preset"] == "quick" and made.settings["epochs"] == 1
    assert made.initialisation == "random" and len(made.history) == 1
    assert made.settings["machine"]["torch"] == torch.__version__
    assert set(made.metrics) >= {"n", "accuracy", "auc", "confusion", "colour_only"}


def test_the_stored_weights_give_the_stored_probabilities():
    dataset = small_dataset()
    made = train_classifier(dataset=dataset, seed=1, **SMALL)
    again = predict(stored_network(made), dataset_arrays(dataset, made.split["test"]))
    stored = [made.test_probabilities[str(patch)] for patch in made.split["test"]]
    np.testing.assert_allclose(again, stored, atol=1e-5)  # float32 in batches of another size
    truth = dict(dataset.patches.values_list("id", "tumour"))
    labels = np.array([truth[patch] for patch in made.split["test"]])
    assert evaluation.metrics(labels, again)["auc"] == made.metrics["auc"]


def test_equal_settings_give_equal_weights():
    dataset = small_dataset()
    hashes = [train_classifier(dataset=dataset, name=name, seed=2, **SMALL).weights_sha256 for name in "ab"]
    assert hashes[0] == hashes[1]


def test_patches_without_slides_are_warned_of():
    said = []
    made = train_classifier(dataset=small_dataset(groups=False), say=said.append, **SMALL)
    assert made.split["grouped"] is False
    assert any("No slide or patient" in line for line in said) and said == made.settings["notes"]


def test_a_taken_name_and_bad_settings_change_nothing():
    dataset = small_dataset()
    train_classifier(dataset=dataset, name="taken", **SMALL)
    before = stored_weights()
    for wrong, message in (
        ({"name": "taken"}, "exists"),
        ({"arch": "resnet19"}, "resnet19"),
        ({"epochs": 0}, "epochs"),
        ({"test_share": 1.5}, "test_share"),
        ({"seed": -1}, "seed"),
        ({"weights": "nowhere.pt"}, "nowhere.pt cannot be read"),
    ):
        with pytest.raises(InvalidInput, match=message):
            train_classifier(dataset=dataset, **(SMALL | {"name": "other"} | wrong))
    assert Classifier.objects.count() == 1 and stored_weights() == before


def test_a_failed_row_leaves_no_file(monkeypatch):
    dataset, before = small_dataset(), stored_weights()

    def fail(**fields):
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(Classifier.objects, "create", fail)
    with pytest.raises(RuntimeError):
        train_classifier(dataset=dataset, **SMALL)
    assert stored_weights() == before


def test_the_trajectory_gives_a_plane_through_the_trained_weights():
    made = train_classifier(dataset=small_dataset(), trajectory=True, **(SMALL | {"epochs": 3}))
    plane = plane_of_classifier(made)
    assert plane.coordinates.shape == (4, 2)
    trained = torch.cat([value.detach().reshape(-1) for value in stored_network(made).body.parameters()])
    assert torch.equal(plane.final, trained)
    with pytest.raises(InvalidInput, match="two epochs"):
        train_classifier(dataset=made.dataset, name="short", trajectory=True, **SMALL)


def test_weights_can_be_brought_along_and_are_judged_on_every_patch(tmp_path):
    dataset = small_dataset()
    made = train_classifier(dataset=dataset, **SMALL)
    file = tmp_path / "ours.pt"
    file.write_bytes(default_storage.open(made.weights.name).read())
    brought = import_classifier(dataset=dataset, arch=made.arch, weights=file, shrink=2)
    assert brought.name == f"ours-{made.arch}" and brought.weights_sha256 == made.weights_sha256
    assert brought.split["train"] == [] and len(brought.split["test"]) == 24
    assert brought.test_probabilities[str(made.split["test"][0])] == pytest.approx(
        made.test_probabilities[str(made.split["test"][0])], abs=1e-5
    )
    with pytest.raises(InvalidInput, match="does not fit resnet18"):
        import_classifier(dataset=dataset, arch="resnet18", weights=file, name="wrong")


# --- Cross-validation ---


def folds_of(validation):
    return {
        (row.run, row.fold): (row.accuracy, row.auc, json.dumps(row.predictions)) for row in validation.results.all()
    }


def test_a_killed_cross_validation_goes_on_and_gives_the_same_numbers(monkeypatch):
    dataset, settings = small_dataset(), SMALL | {"runs": 2, "folds": 2}
    whole = folds_of(cross_validate(dataset=dataset, **settings))
    CrossValidation.objects.all().delete()

    calls, real = [], crossval_services.run_fold

    def killed_at_the_third(*args, **options):
        calls.append((options["run"], options["fold"]))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*args, **options)

    monkeypatch.setattr(crossval_services, "run_fold", killed_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        cross_validate(dataset=dataset, **settings)
    begun = CrossValidation.objects.get()
    assert begun.completed_at is None and FoldResult.objects.count() == 2

    again = cross_validate(dataset=dataset, **settings)
    assert again.pk == begun.pk and again.completed_at is not None
    assert calls[2:] == [(1, 0), (1, 0), (1, 1)]  # the finished ones are not done again
    assert folds_of(again) == whole


def test_parts_share_the_folds_and_the_last_one_completes():
    dataset, settings = small_dataset(), SMALL | {"runs": 1, "folds": 3}
    second = cross_validate(dataset=dataset, part=(1, 2), **settings)
    assert [(row.run, row.fold) for row in second.results.all()] == [(0, 1)] and second.completed_at is None
    first = cross_validate(dataset=dataset, part=(0, 2), **settings)
    assert first.pk == second.pk and first.results.count() == 3 and first.completed_at is not None
    finished = first.completed_at
    assert cross_validate(dataset=dataset, **settings).completed_at == finished
    with pytest.raises(InvalidInput, match="part"):
        cross_validate(dataset=dataset, part=(2, 2), **settings)


def test_other_settings_are_another_cross_validation():
    dataset = small_dataset()
    one = cross_validate(dataset=dataset, runs=1, folds=2, **SMALL)
    other = cross_validate(dataset=dataset, runs=1, folds=2, **(SMALL | {"seed": 1}))
    assert one.pk != other.pk
    assert folds_of(one) != folds_of(other)


def test_table_1a_is_made_of_the_folds():
    validation = cross_validate(dataset=small_dataset(), runs=2, folds=2, **SMALL)
    table = table_1a(validation)
    values = [row["auc"] for row in table["per_fold"]]
    assert table["auc"]["mean"] == pytest.approx(np.mean(values))
    assert table["auc"]["sd"] == pytest.approx(np.std(values, ddof=1))
    assert np.sum(table["confusion"]) == 48  # every patch once per run
    assert table["paper"]["auc"]["mean"] == 0.96 and table["complete"] and table["warning"] == ""
    assert 0 <= table["colour_only"]["auc"]["mean"] <= 1
    for row in validation.results.all():
        assert [epoch["epoch"] for epoch in row.details["history"]] == [1], "its training is kept, epoch by epoch"


# --- Commands ---


def test_the_commands_print_one_document():
    small_dataset()
    options = {"preset": "quick", "epochs": 1, "arch": SMALL["arch"], "init": "random"}
    trained = command("train", "small", name="mine", **options)
    assert trained["classifier"] == "mine" and 0 <= trained["test"]["auc"] <= 1
    assert trained["train_patches"] + trained["test_patches"] == 24
    table = command("cross_validate", "small", runs=1, folds=2, **options)
    assert table["complete"] and {"roc", "confusion"} == set(table["figures"])
    with pytest.raises(CommandError, match="No data set called 'none'"):
        call_command("train", "none")
    with pytest.raises(CommandError, match="two numbers"):
        command("cross_validate", "small", part="1", **options)


def test_the_table_for_people_names_the_published_values():
    small_dataset()
    out = io.StringIO()
    options = {"preset": "quick", "epochs": 1, "arch": SMALL["arch"], "init": "random", "runs": 1, "folds": 2}
    call_command("cross_validate", "small", stdout=out, stderr=io.StringIO(), **options)
    text = out.getvalue()
    assert "0.890 ± 0.014" in text and "0.960 ± 0.004" in text and "colour only" in text


class Killed(BaseException):
    """As a process that ends between two batches."""


@pytest.mark.parametrize("preset", ["quick", "paper"])
def test_a_killed_training_goes_on_after_its_last_epoch_and_gives_the_same_weights(preset, settings, tmp_path):
    settings.HOME = tmp_path
    dataset, options = small_dataset(), SMALL | {"epochs": 3, "preset": preset}
    whole = train_classifier(dataset=dataset, name="whole", **options)
    assert not list(tmp_path.glob("training/*"))
    batches, seen, said = 0, [], []

    def kill(done, total):
        nonlocal batches
        batches = total // 3
        if done == 2 * batches + 1:
            raise Killed

    with pytest.raises(Killed):
        train_classifier(dataset=dataset, name="again", progress=kill, **options)
    assert not Classifier.objects.filter(name="again").exists() and len(list(tmp_path.glob("training/*.pt"))) == 1
    other = train_classifier(dataset=dataset, name="other", seed=1, **options)  # does not take what is not its own
    again = train_classifier(
        dataset=dataset, name="again", progress=lambda done, total: seen.append(done), say=said.append, **options
    )
    assert min(seen) == 2 * batches + 1 and any("goes on" in line for line in said)
    assert again.weights_sha256 == whole.weights_sha256 != other.weights_sha256
    assert again.history == whole.history and not list(tmp_path.glob("training/*"))


def test_the_state_of_a_training_that_nobody_went_on_with_is_removed_by_the_next_one(settings, tmp_path):
    settings.HOME = tmp_path
    (tmp_path / "training").mkdir()
    old, half, fresh = (tmp_path / "training" / name for name in ("old.pt", "old.77", "fresh.pt"))
    for file in (old, half, fresh):
        file.write_bytes(b"a state")
    for file in (old, half):
        os.utime(file, (time.time() - STALE - 60,) * 2)
    train_classifier(dataset=small_dataset(), name="next", **SMALL | {"epochs": 1, "preset": "quick"})
    assert list(tmp_path.glob("training/*")) == [fresh]
