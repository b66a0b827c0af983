"""Numbers and curves against hand-made answers; folds as pure functions."""

import numpy as np
import pytest
import torch

from core.errors import InvalidInput
from model.learning import baseline, crossval, evaluation
from model.learning.crossval import Plan, run_fold
from model.learning.prediction import predict
from model.learning.spread import spread_of_folds
from model.learning.training import TrainSettings
from tests.model.test_training import dots, tiny

TRUTH = np.array([0, 0, 0, 1, 1, 1, 1])
GIVEN = np.array([0.1, 0.2, 0.9, 0.3, 0.6, 0.7, 0.8], dtype=np.float32)


def test_metrics_of_a_hand_made_case():
    found = evaluation.metrics(TRUTH, GIVEN)
    assert found["confusion"] == [[2, 1], [1, 3]]
    assert found["accuracy"] == pytest.approx(5 / 7)
    assert found["auc"] == pytest.approx(8 / 12)  # pairs in the right order, of 3 x 4
    assert (found["n"], found["positives"]) == (7, 4)
    assert found["brier"] == pytest.approx(float(np.mean((GIVEN - TRUTH) ** 2)))


def test_a_probability_of_one_half_is_called_tumour():
    assert evaluation.metrics(np.array([0, 1]), np.array([0.4, 0.5]))["accuracy"] == 1


def test_one_class_alone_has_no_auc():
    with pytest.raises(InvalidInput, match="one class"):
        evaluation.metrics(np.ones(3), np.ones(3))


def test_curves_begin_and_end_where_they_must_and_enclose_the_auc():
    x, y = evaluation.roc(TRUTH, GIVEN)
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(y, x) == pytest.approx(8 / 12)
    recall, precision = evaluation.precision_recall(TRUTH, GIVEN)
    assert recall[0] == 0 and recall[-1] == 1 and np.all(np.diff(recall) >= 0)
    assert precision[-1] == pytest.approx(4 / 7)


def test_calibration_of_an_honest_forecaster_has_no_error():
    given = np.repeat([0.25, 0.75], 400)
    truth = np.concatenate([np.arange(400) % 4 == 0, np.arange(400) % 4 != 0])
    table = evaluation.calibration(truth, given)
    assert table["predicted"] == [0.25] * 5 + [0.75] * 5 == table["observed"]
    assert table["ece"][0] == pytest.approx(0) and table["count"] == [80] * 10
    assert all(low < share < high for low, share, high in zip(table["low"], table["observed"], table["high"]))


def test_calibration_of_few_patches_takes_fewer_bins():
    table = evaluation.calibration(np.arange(20) % 2, np.linspace(0, 1, 20))
    assert table["count"] == [10, 10] and table["predicted"][0] < 0.5 < table["predicted"][1]


def test_calibration_error_of_an_overconfident_forecaster():
    table = evaluation.calibration(np.arange(100) % 2, np.ones(100))
    assert table["ece"][0] == pytest.approx(0.5)


def test_the_spread_over_folds_and_runs():
    found = spread_of_folds([(0, 0.8), (0, 0.9), (1, 0.9), (1, 1.0)])
    assert found["mean"] == pytest.approx(0.9)
    assert found["sd"] == pytest.approx(np.std([0.8, 0.9, 0.9, 1.0], ddof=1))
    assert found["sd_of_runs"] == pytest.approx(np.std([0.85, 0.95], ddof=1))
    assert spread_of_folds([(0, 0.8)])["sd"] is None


def test_predictions_do_not_depend_on_the_batch_and_leave_the_mode():
    images, _ = dots(n=9)
    network = tiny().train()
    one, other = (predict(network, images, batch_size=size) for size in (2, 9))
    np.testing.assert_allclose(one, other, atol=1e-6)
    assert one.dtype == np.float32 and network.training
    with torch.inference_mode():
        pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
        expected = network.eval()(pixels).softmax(1)[:, 1].numpy()
    np.testing.assert_allclose(one, expected, atol=1e-6)


def test_colour_alone_tells_stains_apart_and_knows_nothing_of_position():
    rng = np.random.default_rng(0)
    images = rng.integers(100, 200, (40, 8, 8, 3)).astype(np.uint8)
    labels = np.arange(40) % 2
    images[labels == 1, :, :, 0] += 40
    given = baseline.colour_probabilities(images, labels, np.arange(20), np.arange(20, 40))
    assert evaluation.metrics(labels[20:], given)["auc"] == 1
    moved = images.reshape(40, 64, 3)[:, rng.permutation(64)].reshape(images.shape)
    np.testing.assert_allclose(baseline.colour_features(moved), baseline.colour_features(images))
    plain = np.concatenate([images.mean((1, 2)), images.std((1, 2))], 1)
    np.testing.assert_allclose(baseline.colour_features(images), plain, rtol=1e-12)


@pytest.fixture
def tiny_networks(monkeypatch):
    """Folds train networks in miniature."""

    def build(arch, *, init, weights, seed, image_size, shrink=1):
        return tiny(seed), "random"

    monkeypatch.setattr(crossval, "build_network", build)


PLAN = Plan(
    settings=TrainSettings(optimiser="adamw", learning_rate=5e-3, epochs=2, batch_size=8),
    runs=2,
    folds=2,
    init="random",
)


def test_a_fold_is_a_function_of_its_arguments_in_any_order(tiny_networks):
    images, labels = dots(n=32)
    later = run_fold(images, labels, None, PLAN, run=1, fold=1)
    run_fold(images, labels, None, PLAN, run=0, fold=0)
    again = run_fold(images, labels, None, PLAN, run=1, fold=1)
    assert np.array_equal(later.probabilities, again.probabilities) and np.array_equal(later.rows, again.rows)
    assert later.auc == again.auc and 0 <= later.baseline_auc <= 1
    assert np.sum(later.confusion) == len(later.rows) == 16


def test_the_folds_of_a_run_hold_out_every_patch_once_and_differ_between_runs(tiny_networks):
    images, labels = dots(n=32)
    rows = {pair: run_fold(images, labels, None, PLAN, run=pair[0], fold=pair[1]).rows for pair in PLAN.pairs()}
    assert sorted([*rows[0, 0], *rows[0, 1]]) == list(range(32))
    assert not np.array_equal(rows[0, 0], rows[1, 0])
