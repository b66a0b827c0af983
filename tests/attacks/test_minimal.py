"""Minimal perturbations on classifiers for which the smallest is known, and on small trained ones."""

import numpy as np
import pytest
import torch
from torch import nn

from attacks.engine import attack
from attacks.engine.constraints import displayed_norms
from attacks.engine.curves import check_budgets, plot, success_at, success_curve
from attacks.engine.minimal import minimal
from core.errors import InvalidInput
from tests.attacks.networks import patches, trained
from tests.attacks.test_pgd import answer

SEARCHES = [("l0", False), ("l1", False), ("l1", True), ("l2", False), ("linf", False)]


class Plane(nn.Module):
    """A plane in pixel space: the smallest float perturbation is known in every norm."""

    def __init__(self, shape, lead):
        super().__init__()
        draw = torch.Generator().manual_seed(0)
        self.weight = torch.randn(shape, generator=draw)
        self.lead = lead  # in grey levels times weight, by which images of one value lie on the side of class 0

    def forward(self, x):
        score = ((255 * x - 128) * self.weight).sum((1, 2, 3)) - self.lead
        return torch.stack([torch.zeros_like(score), 0.01 * score], 1)


@pytest.fixture(scope="module")
def plane():
    images = torch.full((2, 3, 12, 12), 128, dtype=torch.uint8)
    return Plane((3, 12, 12), lead=1500.0), images


def test_l2_comes_near_the_distance_to_the_plane(plane):
    network, images = plane
    result = minimal(network, images, [0, 0], norm="l2")
    known = network.lead / network.weight.norm().item() / np.sqrt(432)
    assert result.flipped.all() and (result.norms["l2"] >= known * 0.99).all()
    assert (result.norms["l2"] <= known * 1.05).all()


def test_linf_is_the_smallest_whole_cap(plane):
    network, images = plane
    result = minimal(network, images, [0, 0], norm="linf")
    known = np.ceil(network.lead / network.weight.abs().sum().item())
    assert result.norms["linf"].tolist() == [known, known] == [5.0, 5.0]


def test_l1_fills_the_steepest_components_and_beats_the_rescaled_one(plane):
    network, images = plane
    result = minimal(network, images, [0, 0], norm="l1")
    rescaled = minimal(network, images, [0, 0], norm="l1", rescaled=True)
    steep = network.weight.abs().flatten().sort(descending=True).values
    filled = (127 * steep).cumsum(0)  # each can move by 127 levels
    known = 127 * (filled < network.lead).sum().item() / 432  # without the last, partly filled one
    assert result.flipped.all() and (result.norms["l1"] >= known).all()
    assert (result.norms["l1"] <= 1.6 * (known + 127 / 432)).all()
    assert (result.norms["l1"] < 0.6 * rescaled.norms["l1"]).all()


def test_l0_counts_whole_pixels(plane):
    network, images = plane
    result = minimal(network, images, [0, 0], norm="l0")
    steep = (127 * network.weight.abs().sum(0)).flatten().sort(descending=True).values.cumsum(0)
    known = int((steep < network.lead).sum()) + 1
    assert result.flipped.all() and (result.norms["l0"] * 144 >= known).all()
    assert (result.norms["l0"] * 144 <= known + 4).all()


@pytest.mark.parametrize(("norm", "rescaled"), SEARCHES)
def test_every_flip_is_true_on_the_decoded_bytes(norm, rescaled):
    images, labels = patches(24, seed=11)
    result = minimal(trained(), images, labels, norm=norm, rescaled=rescaled)
    assert result.flipped[~result.already_wrong].all()
    assert np.array_equal(answer(trained(), result.displayed) != labels.numpy(), result.flipped | result.already_wrong)
    again = displayed_norms(images, result.displayed)
    assert all(np.array_equal(again[name], result.norms[name]) for name in again)
    assert (result.flipped_float == result.flipped).all()


@pytest.mark.parametrize(("norm", "rescaled"), SEARCHES)
def test_no_attack_at_half_the_minimum_flips_more_than_a_few(norm, rescaled):
    images, labels = patches(24, seed=11)
    result = minimal(trained(), images, labels, norm=norm, rescaled=rescaled)
    half = float(np.median(result.norms[norm])) / 2
    rule = {"step_rule": "l2"} if rescaled else {}  # what is rescaled is compared with what is rescaled
    below = attack(trained(), images, labels, norm=norm, budget=half, **rule)
    assert below.flipped.mean() <= (result.norms[norm] <= half).mean() + 0.1


def test_the_same_seed_and_images_give_the_same_bytes():
    images, labels = patches(8, seed=2)
    first, again = (minimal(trained(), images, labels, norm="l1", steps=15) for _ in range(2))
    assert torch.equal(first.displayed, again.displayed)


def test_wrong_ones_are_left_alone_and_a_search_that_fails_says_so():
    images, labels = patches(8, seed=2)
    result = minimal(trained(), images, 1 - labels, norm="l2", steps=3)
    assert result.already_wrong.all() and torch.equal(result.displayed, images)
    deaf = minimal(Deaf(), images, torch.zeros(8), norm="l2", steps=3)
    assert not deaf.flipped.any() and torch.equal(deaf.displayed, images)


class Deaf(nn.Module):
    """Answers class 0 whatever it sees."""

    def forward(self, x):
        return torch.stack([torch.ones(len(x)), 0 * x.sum((1, 2, 3))], 1)


def test_norms_and_forms_that_there_are_not_are_refused():
    images, labels = patches(2)
    with pytest.raises(InvalidInput, match="'none' is none of them"):
        minimal(trained(), images, labels, norm="none")
    with pytest.raises(InvalidInput, match="Only L1"):
        minimal(trained(), images, labels, norm="linf", rescaled=True)


# --- Curves ---------------------------------------------------------------------------------------------------------

NORMS = np.array([1.0, 2.0, 2.0, 4.0, np.inf])


def test_curve_counts_what_falls_within_each_budget():
    curve = success_curve(NORMS, search="l2")
    assert curve["budget"].tolist() == [0, 1, 2, 4] and curve["flipped"].tolist() == [0, 1, 3, 4]
    assert set(curve["of"]) == {5} and success_at(NORMS, 3.9)["share"] == 0.6
    wilson = success_at(NORMS, 2)
    assert (wilson["low"], wilson["high"]) == (pytest.approx(0.2307, abs=1e-4), pytest.approx(0.8824, abs=1e-4))


def test_long_curves_are_thinned_but_keep_their_ends():
    norms = np.random.default_rng(0).uniform(1, 9, 1000)
    curve = success_curve(norms, search="l2", points=10)
    assert len(curve) <= 41 and curve["budget"].iloc[-1] == norms.max() and curve["flipped"].iloc[-1] == 1000


def test_budgets_to_check_are_quantiles_and_whole_for_linf():
    assert check_budgets(NORMS, "l2", 1) == [2.0]
    assert check_budgets(np.array([1.2, 2.5, 3.4]), "linf", 1) == [3.0]
    assert check_budgets(np.array([np.inf]), "l2", 2) == []


def test_picture_shows_every_search_and_is_the_same_every_time():
    import pandas as pd

    curves = pd.concat([success_curve(NORMS, search=search) for search in ("l0", "l2")])
    checks = pd.DataFrame([{"search": "l2", "budget": 2.0, "share": 0.6, "low": 0.2, "high": 0.9}])
    assert plot(curves, checks, kind="png").startswith(b"\x89PNG")
    assert plot(curves, checks) == plot(curves, checks) != plot(curves[curves["search"] == "l2"], checks)
