"""Saliency on networks whose answer is known."""

import numpy as np
import pytest
import torch
from torch import nn

from core.errors import InvalidInput
from model.learning.plots.interpretation import short
from model.learning.saliency import mass_inside, mass_shift, saliency
from tests.model.test_training import dots, tiny

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3)).astype(np.uint8)


class Linear(nn.Module):
    """Two class scores, each a weighted sum of pixels."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)))

    def forward(self, images):
        return torch.einsum("nchw,kchw->nk", images, self.weight)


@pytest.mark.parametrize("method", ["gradient", "smoothgrad"])
def test_the_saliency_of_a_linear_model_is_its_weights(method):
    network = Linear()
    for class_ in (0, 1):
        maps = saliency(network, IMAGES, class_, method=method)
        expected = network.weight[class_].abs().amax(0).detach().numpy()
        np.testing.assert_allclose(maps, np.broadcast_to(expected, maps.shape), rtol=1e-5)


def test_each_image_may_ask_about_a_class_of_its_own():
    network = Linear()
    maps = saliency(network, IMAGES, np.array([0, 1, 0]), batch_size=2)
    for row, class_ in enumerate((0, 1, 0)):
        expected = network.weight[class_].abs().amax(0).detach().numpy()
        np.testing.assert_allclose(maps[row], expected, rtol=1e-5)


def test_the_gradient_agrees_with_finite_differences():
    network, (images, _) = tiny().double(), dots(n=1, size=12)
    maps = saliency(network.float(), images, 1)
    x = torch.from_numpy(images).permute(0, 3, 1, 2).double() / 255
    network.double()
    for y, column in ((3, 4), (7, 7)):
        slopes = []
        for channel in range(3):
            step = torch.zeros_like(x)
            step[0, channel, y, column] = 1e-6
            with torch.no_grad():
                slopes.append(float((network(x + step) - network(x - step))[0, 1]) / 2e-6)
        assert maps[0, y, column] == pytest.approx(max(map(abs, slopes)), rel=1e-3)


def test_smoothgrad_is_decided_by_its_seed():
    images, _ = dots(n=2, size=12)
    one, same, other = (saliency(tiny(), images, method="smoothgrad", samples=2, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one, same) and not np.array_equal(one, other)


class Region(nn.Module):
    """The score is the mean of a feature map that is the red channel."""

    def __init__(self):
        super().__init__()
        self.red = nn.Conv2d(3, 1, 1, bias=False)
        nn.init.zeros_(self.red.weight)
        self.red.weight.data[0, 0] = 1.0

    def forward(self, images):
        score = self.red(images).mean((1, 2, 3))
        return torch.stack([-score, score], 1)


def test_grad_cam_points_to_where_the_feature_is_and_not_against_it():
    images = np.zeros((1, 8, 8, 3), np.uint8)
    images[0, 2:4, 5:7, 0] = 255
    maps = saliency(Region(), images, 1, method="gradcam")[0]
    assert maps[2:4, 5:7].sum() == pytest.approx(maps.sum()) and maps.sum() > 0
    assert saliency(Region(), images, 0, method="gradcam").sum() == 0


def test_grad_cam_needs_a_feature_map_and_methods_have_names():
    with pytest.raises(InvalidInput, match="feature map"):
        saliency(Linear(), IMAGES, method="gradcam")
    with pytest.raises(InvalidInput, match="not one of"):
        saliency(Linear(), IMAGES, method="lime")


def test_the_mass_inside_is_a_share_and_unknown_for_an_empty_map():
    maps = np.ones((2, 4, 4), np.float32)
    maps[1] = 0
    masks = np.zeros((2, 4, 4), bool)
    masks[:, :2, :2] = True
    found = mass_inside(maps, masks)
    assert found[0] == pytest.approx(0.25) and np.isnan(found[1])


def test_the_shift_of_mass_and_its_interval():
    rng = np.random.default_rng(0)
    masks = np.zeros((30, 6, 6), bool)
    masks[:, :3] = True
    masks[29] = False  # no nuclei outlined: says nothing
    before, after = np.ones((2, 30, 6, 6), np.float32)
    before[:, :3] = 3  # three quarters inside
    after[:, :3] = rng.uniform(0.8, 1.2, (30, 1, 1))
    found = mass_shift(before, after, masks, seed=1)
    assert found["n"] == 29 and found["before"] == pytest.approx(0.75) and found["area"] == pytest.approx(0.5)
    assert found["change"] == pytest.approx(found["after"] - found["before"])
    assert found["total"] == pytest.approx(float(np.median(after.sum((1, 2)) / before.sum((1, 2)))), rel=0.05)
    assert found["low"] < found["change"] < found["high"] < 0 and found["left"] == 1
    assert found == mass_shift(before, after, masks, seed=1)


def test_without_nuclei_nothing_is_claimed():
    with pytest.raises(InvalidInput, match="nothing can be said"):
        mass_shift(np.ones((1, 4, 4), np.float32), np.ones((1, 4, 4), np.float32), np.zeros((1, 4, 4), bool))


def test_long_patch_names_fit_beside_their_row():
    assert short("season3/slide 7/a.png") == "a.png"
    long = short("set/" + "0123456789" * 5 + "_77.jpeg")
    assert len(long) <= 31 and long.startswith("0123456789") and long.endswith("_77.jpeg")
