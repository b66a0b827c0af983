"""Features, their map, and who the neighbours are."""

import numpy as np
import pytest
import torch

from core.errors import InvalidInput
from model.learning.embedding import Projection, company, features
from tests.model.test_training import dots, tiny


def clouds(n=30, seed=0):
    """Two clouds far apart in eight dimensions."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(2 * n, 8)).astype(np.float32)
    points[n:, 0] += 12
    return points


def test_features_are_what_enters_the_head():
    network, (images, _) = tiny(), dots(n=5)
    found = features(network, images, batch_size=2)
    assert found.shape == (5, 8) and found.dtype == np.float32
    with torch.inference_mode():
        logits = network(torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255).numpy()
        again = network.head(torch.from_numpy(found)).numpy()
    np.testing.assert_allclose(again, logits, atol=1e-5)


def test_pca_keeps_the_direction_that_differs_most():
    projection = Projection(clouds(), method="pca")
    first = projection.points[:, 0]
    assert (first[:30].max() < first[30:].min()) or (first[:30].min() > first[30:].max())
    assert projection.explained[0] > 0.7 > projection.explained[1]


@pytest.mark.parametrize("method", ["pca", pytest.param("umap", marks=pytest.mark.slow)])
def test_a_track_ends_at_the_attacked_images_own_point(method):
    fitted = clouds()
    projection = Projection(fitted, method=method, seed=3)
    track = np.linspace(fitted[0], fitted[40], 6).astype(np.float32)
    track[-1] *= 1 + 1e-6  # the same image in another batch differs in its last digit
    points = projection.project(track)
    np.testing.assert_array_equal(points[0], projection.points[0])
    np.testing.assert_array_equal(points[-1], projection.points[40])
    assert not np.allclose(points[2], projection.points[0])
    again = Projection(fitted, method=method, seed=3).project(track)
    np.testing.assert_allclose(again, points)


def test_adversarial_negatives_among_true_negatives_are_counted():
    originals, negative = clouds(), np.arange(60) < 30
    among_negatives, among_positives = originals[:4] + 0.01, originals[30:34] + 0.01
    assert company(among_negatives, originals, negative, k=5)["true_negatives_nearby"] == 1
    found = company(among_positives, originals, negative, k=5)
    assert found["true_negatives_nearby"] == 0 and found["chance"] == 0.5
    half = company(np.concatenate([among_negatives, among_positives]), originals, negative, k=5)
    assert half["majority"] == 0.5 and half["low"] < 0.5 < half["high"] and half["n"] == 8


def test_without_flips_or_patches_there_is_nothing_to_map():
    with pytest.raises(InvalidInput, match="no adversarial negative"):
        company(np.empty((0, 8), np.float32), clouds(), np.arange(60) < 30)
    with pytest.raises(InvalidInput, match="too few"):
        Projection(clouds()[:3])
    with pytest.raises(InvalidInput, match="umap, pca"):
        Projection(clouds(), method="tsne")
