"""Verdicts are the given network's: whatever folding does to it, and whatever the size of its logits."""

import numpy as np
import pytest
import torch
from torch import nn

from attacks.engine import attack
from attacks.engine.minimal import minimal
from attacks.engine.passes import MARGIN, Passes, folded, gap_of_label, margin_for
from attacks.engine.pgd import pgd
from attacks.engine.recipe import recipe
from tests.attacks.networks import patches, trained


class TwoNormalisations(nn.Module):
    """One convolution in front of two batch normalisations, as of two data sets' statistics: folding it is wrong."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.conv = nn.Conv2d(3, 8, 3, 2, 1, bias=False)
        self.one, self.two = nn.BatchNorm2d(8), nn.BatchNorm2d(8)
        self.leave = nn.Linear(16, 2)
        images, labels = patches(256, seed=1)
        optimiser = torch.optim.Adam(self.parameters(), 0.02)
        for _ in range(30):
            optimiser.zero_grad()
            nn.functional.cross_entropy(self(images / 255), labels).backward()
            optimiser.step()
        self.two.running_var *= 4  # the second one's data set has another spread
        self.eval()

    def forward(self, x):
        return self.leave(
            torch.cat([torch.relu(norm(self.conv((x - 0.7) / 0.2))).mean((2, 3)) for norm in (self.one, self.two)], 1)
        )


def test_a_convolution_shared_by_two_normalisations_is_not_folded_and_no_wrong_image_counts_as_flipped():
    network = TwoNormalisations()
    images, labels = patches(48, seed=9)
    with torch.inference_mode():
        right = (network(images / 255).argmax(1) == labels).numpy()
    labels[:8] = 1 - labels[:8]
    right[:8] = ~right[:8]
    passes = Passes(network, fold=True)
    passes.check(images)
    found = pgd(passes, images, labels, recipe(norm="linf", budget=8, steps=10))
    assert np.array_equal(found.already_wrong, ~right) and not (found.flipped & ~right).any()
    assert not passes.folded
    logits, _ = passes.ascend(images.float(), labels)
    assert torch.allclose(logits, passes.logits(images.float()), atol=1e-5)


def test_gradients_are_compared_with_the_given_network_even_where_nothing_was_checked():
    images, labels = patches(8, seed=9)
    passes = Passes(TwoNormalisations(), fold=True)
    logits, _ = passes.ascend(images.float(), labels)
    assert torch.allclose(logits, passes.logits(images.float()), atol=1e-5)


class Sometimes(nn.Module):
    """Answers as the trained network does, unless an image has a certain first pixel: only the given one knows."""

    def __init__(self):
        super().__init__()
        self.network = trained()

    def forward(self, x):
        logits = self.network(x)
        marked = (x[:, 0, 0, 0] > 0.999)[:, None]
        return torch.where(marked, logits.flip(1), logits)


def test_already_wrong_is_judged_by_the_given_network_though_the_first_images_agree():
    images, labels = patches(24, seed=3)
    images[:, 0, 0, 0] = 10
    network = Sometimes().eval()
    with torch.inference_mode():
        labels = network(images / 255).argmax(1)
    images[12, 0, 0, 0] = 255  # beyond the first eight: the folded network was not compared on it
    passes = Passes(network, fold=True)
    passes.check(images)
    assert passes.folded
    passes._fast = folded(trained())  # as if folding had lost what the mark does
    found = pgd(passes, images, labels, recipe(norm="linf", budget=8, steps=5))
    assert found.already_wrong.tolist() == [number == 12 for number in range(24)] and not found.flipped[12]


def test_on_a_cpu_gradients_are_the_given_networks_to_the_last_bit_and_an_original_needs_no_pass_of_its_own():
    images, labels = patches(24, seed=3)
    passes = Passes(trained(), device="cpu")
    _, gradient = passes.ascend(images.float(), labels)
    pixels = images.float().contiguous(memory_format=torch.channels_last).requires_grad_(True)
    gap_of_label(passes.network(pixels / 255), labels).sum().backward()
    assert torch.equal(gradient, pixels.grad)
    runs = {fold: Passes(trained(), device="cpu", fold=fold) for fold in (None, True)}
    found = {fold: pgd(one, images, labels, recipe(norm="linf", budget=8, steps=10)) for fold, one in runs.items()}
    assert np.array_equal(found[None].flipped, found[True].flipped) and found[None].flipped.sum() > 12
    assert runs[None].count["forward"] <= runs[True].count["forward"] - 12


class Scaled(nn.Module):
    def __init__(self, scale, shift=0.0):
        super().__init__()
        self.network, self.scale, self.shift = trained(), scale, shift

    def forward(self, x):
        return self.network(x) * self.scale + self.shift


@pytest.mark.parametrize("scale", [1e-4, 0.05, 1.0, 1e4])
def test_the_size_of_the_logits_changes_no_verdict(scale):
    images, labels = patches(16, seed=3)
    usual = attack(trained(), images, labels, norm="linf", budget=8, steps=20)
    found = attack(Scaled(scale).eval(), images, labels, norm="linf", budget=8, steps=20)
    assert usual.flipped.sum() > 5 and abs(int(found.flipped.sum()) - int(usual.flipped.sum())) <= 1
    smallest = minimal(Scaled(scale).eval(), images[:4], labels[:4], norm="l2")
    assert smallest.flipped.all()


def test_the_margin_is_a_share_of_the_leads_and_never_below_what_float32_differs_by():
    leads = torch.tensor([[0.0, 8.0], [3.0, 0.0]])
    assert margin_for(leads) == MARGIN
    assert margin_for(leads / 80) == pytest.approx(MARGIN / 10)
    assert margin_for(leads * 1e4) == pytest.approx(4e-6 * 8e4)
    assert margin_for(leads + 1e4) == pytest.approx(4e-6 * 10008)
    assert attack(trained(), *patches(4), norm="linf", budget=8, steps=2).summary()["margin"] == MARGIN


class Through(torch.autograd.Function):
    """Rounds, and hands the gradient straight through."""

    @staticmethod
    def forward(ctx, x):
        return (x * 15).round() / 15

    @staticmethod
    def backward(ctx, gradient):
        return gradient


class StraightThrough(nn.Module):
    def __init__(self):
        super().__init__()
        self.network = trained()

    def forward(self, x):
        return self.network(Through.apply(x))


def test_a_gradient_that_the_network_defines_itself_is_not_lost_in_folding():
    images, _ = patches(16, seed=5)
    network = StraightThrough().eval()
    labels = network(images / 255).argmax(1)
    assert attack(network, images, labels, norm="linf", budget=24, steps=20, warn=False).flipped.sum() >= 12
