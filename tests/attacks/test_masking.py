"""Hidden gradients are named, not reported as robustness; a sound network is not suspected."""

import pytest
import torch
from torch import nn

from attacks.engine import attack
from attacks.engine.recipe import recipe
from tests.attacks.networks import hardened, patches, trained


class Before(nn.Module):
    """A stage in front of a trained network."""

    def __init__(self, stage, network=None):
        super().__init__()
        self.network, self.stage = network or trained(), stage

    def forward(self, x):
        return self.network(self.stage(x))


class After(nn.Module):
    """A stage behind it."""

    def __init__(self, stage):
        super().__init__()
        self.network, self.stage = trained(), stage

    def forward(self, x):
        return self.stage(self.network(x))


def blocks(x):
    """Rounded coefficients of 4 x 4 blocks, as JPEG does."""
    freq = torch.fft.fft2(x.unfold(2, 4, 4).unfold(3, 4, 4))
    back = torch.fft.ifft2(torch.complex((freq.real * 6).round() / 6, (freq.imag * 6).round() / 6)).real
    return back.permute(0, 1, 2, 4, 3, 5).reshape(x.shape)


class Jumps(torch.autograd.Function):
    """Rounds to sixteen levels and hands back a gradient that has nothing to do with it."""

    @staticmethod
    def forward(ctx, x):
        return (x * 15).round() / 15

    @staticmethod
    def backward(ctx, gradient):
        return -gradient


FAULTY = {
    "rounded input": Before(lambda x: (x * 15).round() / 15),
    "rounded blocks": Before(blocks),
    "rounded input, other gradient": Before(Jumps.apply),
    "clipped input": Before(lambda x: x.clamp(0, 0.45)),
    "softmax inside": After(lambda z: 100 * (8 * z).softmax(1) - 50),
    "rounded logits": After(lambda z: z + ((z * 4).round() / 4 - z)),
}


@pytest.mark.parametrize("fault", FAULTY)
def test_a_network_that_hides_its_gradient_is_flagged(fault):
    network = FAULTY[fault].eval()
    images, _ = patches(24, seed=5)
    with torch.inference_mode():
        labels = network(images / 255).argmax(1)
    if fault == "clipped input":
        labels = labels.clone()
    found = attack(network, images, labels, norm="linf", budget=6, steps=20)
    told = found.summary()["warnings"]
    assert told and all(one["name"] and "no evidence of robustness" in one["text"] for one in told)


@pytest.mark.parametrize(("norm", "budget"), [("linf", 4), ("l2", 2), ("l1", 1), ("l0", 0.02), ("none", None)])
@pytest.mark.parametrize("network", [trained, hardened, lambda: trained(classes=4)])
def test_a_sound_network_is_not_suspected(network, norm, budget):
    images, labels = patches(24, seed=5)
    assert attack(network(), images, labels, norm=norm, budget=budget, steps=30).warnings == []


def test_the_same_signs_are_seen_again_and_the_attack_is_not_changed_by_asking():
    images, labels = patches(16, seed=5)
    network = FAULTY["rounded input"].eval()
    options = {"norm": "linf", "budget": 6, "steps": 5}
    asked, again = (attack(network, images, labels, **options) for _ in range(2))
    silent = attack(network, images, labels, warn=False, **options)
    assert asked.warnings == again.warnings and silent.warnings == []
    assert torch.equal(asked.displayed, silent.displayed) and asked.passes == silent.passes
    assert recipe(norm="linf", budget=6).as_dict().keys() == asked.settings.keys()
