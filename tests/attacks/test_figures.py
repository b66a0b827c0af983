"""Figures of real classifiers and attacks in miniature: drawn once, with their data, the same bytes every time."""

import io
import json
import shutil

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from attacks import figures as of_attacks
from attacks import gallery
from attacks.models import Attack
from attacks.selectors import displayed_pixels, gain_of
from attacks.services import run_attack
from core import figure_store
from core.errors import InvalidInput
from core.images import read_pixels
from model import figures as of_models
from model.crossval_services import cross_validate
from model.models import Classifier
from model.training_services import train_classifier
from tests.model.datasets import small_dataset

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_files")]
SMALL = {"arch": "shufflenet_v2_x0_5", "init": "random", "preset": "quick", "learning_rate": 3e-3}


@pytest.fixture
def classifier() -> Classifier:
    dataset = small_dataset(n=40, masks=True)
    return train_classifier(dataset=dataset, name="net", test_share=0.5, trajectory=True, epochs=4, **SMALL)


@pytest.fixture
def attack(classifier) -> Attack:
    found = run_attack(classifier=classifier, norm="linf", budget=64.0, name="strong", steps=12, step_size=4.0)
    assert found.summary["flipped_positives"] >= 2, "the miniature must have something to show"
    return found


def test_every_figure_of_a_classifier_and_its_cross_validation(classifier):
    names = {recipe.name for recipe in gallery.figures_of(classifier)}
    assert names == {"roc", "precision-recall", "calibration", "confusion", "training", "landscape"}
    for name in names - {"landscape"}:
        made = of_attacks.make(name, classifier)
        assert made.fresh and made.caption
        assert made.files["svg"].read_text().lstrip().startswith("<?xml")
        assert made.files["png"].read_bytes().startswith(b"\x89PNG")
        assert len(made.files["csv"].read_text().splitlines()) > 1
    validation = cross_validate(dataset=classifier.dataset, runs=1, folds=2, epochs=1, **SMALL)
    made = of_attacks.make("folds", validation)
    assert made.numbers["auc"]["mean"] == pytest.approx(np.mean([row.auc for row in validation.results.all()]))


def test_a_second_look_does_not_draw_again_and_a_new_one_gives_the_same_bytes(classifier, monkeypatch):
    first = of_attacks.make("roc", classifier)
    bytes_ = {kind: path.read_bytes() for kind, path in first.files.items()}
    monkeypatch.setattr(of_models, "render", lambda *args: pytest.fail("drawn again"))
    again = of_attacks.make("roc", classifier)
    assert not again.fresh and again.files == first.files
    monkeypatch.undo()
    shutil.rmtree(figure_store.folder())
    renewed = of_attacks.make("roc", classifier)
    assert renewed.fresh and {kind: path.read_bytes() for kind, path in renewed.files.items()} == bytes_


def test_the_data_behind_a_roc_curve_are_the_test_patches(classifier):
    import pandas as pd

    table = pd.read_csv(of_attacks.make("roc", classifier).files["csv"])
    assert len(table) == len(classifier.split["test"])
    np.testing.assert_allclose(sorted(table["p_tumour"]), sorted(classifier.test_probabilities.values()))


def test_the_loss_landscape_of_a_recorded_training(classifier):
    made = of_attacks.make("landscape", classifier, steps=3, patches=8, edge=0)
    assert 0 < sum(made.numbers["explained_variance"]) <= 1.0001
    table = made.files["csv"].read_text().splitlines()
    assert sum(line.startswith("surface") for line in table) == 9
    assert sum(line.startswith("path") for line in table) == 5
    del classifier.settings["trajectory"]
    assert "landscape" not in {recipe.name for recipe in gallery.figures_of(classifier)}
    with pytest.raises(InvalidInput, match="--trajectory"):
        of_attacks.make("landscape", classifier, steps=4)


def test_pairs_and_saliency_show_flipped_patches(attack):
    pairs = of_attacks.make("pairs", attack)
    assert pairs.numbers["shown"] == 2 and pairs.wide != of_attacks.make("roc", attack.classifier).wide
    made = of_attacks.make("saliency", attack, count=2)
    assert made.numbers["gain"] == pairs.numbers["gain"] == gain_of(attack), "figures 1 and 3 can be compared"
    assert made.numbers["shown"] == 2 and "one colour scale" in made.caption
    mass = of_attacks.make("saliency-mass", attack)
    assert mass.numbers["n"] == attack.summary["flipped_positives"]
    assert mass.numbers["low"] <= mass.numbers["change"] <= mass.numbers["high"]


def test_the_map_of_features_has_every_point_and_tracks_that_end_on_one(attack):
    import pandas as pd

    made = of_attacks.make("embedding", attack, method="pca", tracks=1)
    table = pd.read_csv(made.files["csv"])
    counts = table["kind"].value_counts()
    kinds = ("true positive", "true negative", "false positive", "false negative")
    assert sum(counts.get(kind, 0) for kind in kinds) == len(attack.classifier.split["test"])
    truth = attack.perturbations.values_list("patch__tumour", "already_wrong")
    for kind, tumour, wrong in zip(kinds, (True, False, False, True), (False, False, True, True)):  # by the model
        assert counts.get(kind, 0) == sum(one == (tumour, wrong) for one in truth), kind
    assert counts["adversarial negative"] == attack.summary["flipped_positives"]
    track = table[table["kind"] == "track"]
    assert len(track) >= 2
    last, first = track.iloc[-1], track.iloc[0]
    ends = table[table["kind"] == "adversarial negative"][["x", "y"]].to_numpy()
    starts = table[table["kind"] == "true positive"][["x", "y"]].to_numpy()
    assert np.isclose(ends, [last["x"], last["y"]]).all(1).any()
    assert np.isclose(starts, [first["x"], first["y"]]).all(1).any()
    assert 0 <= made.numbers["company"]["true_negatives_nearby"] <= 1


def test_a_track_goes_from_the_original_to_the_stored_bytes(attack):
    row = max(of_attacks.flipped_rows(attack, True), key=lambda row: row.steps)
    images = of_attacks.track_images(attack, row)
    assert len(images) == max(2, row.steps + 1)
    np.testing.assert_array_equal(images[-1], displayed_pixels(row))
    np.testing.assert_array_equal(images[0], read_pixels(row.patch.image.name, sha256=row.patch.sha256))
    assert (images[-1] != images[0]).any()  # in between the largest change may shrink, too: nothing promises otherwise


def test_a_track_with_a_random_start_is_the_attacked_images_own(classifier, monkeypatch):
    made = run_attack(
        classifier=classifier, norm="linf", budget=64.0, name="noisy", steps=12, step_size=4.0, random_start=True
    )
    rows = [row for row in of_attacks.flipped_rows(made, True) if row.steps > 1]
    row, asked = rows[-1], []
    engine = of_attacks.run_attack
    monkeypatch.setattr(of_attacks, "run_attack", lambda *args, **more: asked.append(more) or engine(*args, **more))
    of_attacks.track_images(made, row)
    order = list(made.perturbations.order_by("patch__index").values_list("patch_id", flat=True))
    assert {more["first"] for more in asked} == {order.index(row.patch_id)} != {0}


def test_the_universal_perturbation_is_found_behind_clipped_pixels():
    delta = np.random.default_rng(0).integers(-9, 10, (6, 6, 3)).astype(np.int16)
    originals = np.random.default_rng(1).integers(0, 256, (12, 6, 6, 3)).astype(np.uint8)
    originals[:6, 0], originals[6:, 0] = 0, 128  # black, where nothing can be taken away
    pairs = [
        of_attacks.Pair("", one, np.clip(one + delta, 0, 255).astype(np.uint8), 1.0, 0.0, True) for one in originals
    ]
    np.testing.assert_array_equal(of_attacks.universal_delta(pairs), delta)


def test_what_cannot_be_drawn_is_said(classifier, attack):
    for name, subject, options, message in (
        ("roc", attack, {}, "classifier or a cross-validation"),
        ("pairs", classifier, {}, "made of an attack"),
        ("fig9", classifier, {}, "fig2a = embedding"),
        ("pairs", attack, {"edge": 3}, "no such option"),
        ("saliency", attack, {"method": "lime"}, "lime|not one of"),
        ("universal", attack, {}, "not universal"),
    ):
        with pytest.raises(InvalidInput, match=message):
            of_attacks.make(name, subject, **options)
    assert not figure_store.folder().exists()


def test_the_command_writes_picture_and_data(classifier, tmp_path):
    out = io.StringIO()
    options = {"classifier": "net", "json": True, "stdout": out, "stderr": io.StringIO()}
    call_command("figure", "confusion", out=tmp_path / "c.png", data=tmp_path / "c.csv", **options)
    told = json.loads(out.getvalue())
    assert told["cached"] is False and np.sum(told["numbers"]["confusion"]) == len(classifier.split["test"])
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "c.csv").read_text().startswith("truth")
    with pytest.raises(CommandError, match="must end in"):
        call_command("figure", "roc", out=tmp_path / "c.gif", **options)
    with pytest.raises(CommandError, match="one of --attack"):
        call_command("figure", "roc", stdout=out)
