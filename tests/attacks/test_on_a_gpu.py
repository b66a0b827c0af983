"""What attacks promise, on a GPU: the same bytes every time, float32 verdicts, exact norms. Skipped without one."""

import numpy as np
import pytest
import torch

from attacks.engine import attack
from attacks.engine.constraints import displayed_norms
from attacks.engine.minimal import minimal
from attacks.engine.passes import MARGIN, Passes, gap_of_label
from attacks.engine.universal import universal
from model.learning.network import build_network
from tests.attacks.networks import patches, trained

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
BUDGETS = {"none": None, "l0": 0.05, "l1": 2, "l2": 3, "linf": 8}


@pytest.fixture(scope="module")
def deep():
    """A ResNet-18 with random weights, whose verdicts lie near its boundary; patches with its own answers as labels."""
    network, _ = build_network("resnet18", init="random", seed=0, image_size=96)
    images, _ = patches(40, side=96, seed=5)
    return network, images, Passes(network, device="cpu").judge(images).argmax(1)


@pytest.mark.parametrize("amp", [False, True])
@pytest.mark.parametrize("norm", BUDGETS)
def test_an_attack_gives_the_same_bytes_twice(deep, norm, amp):
    network, images, labels = deep
    steps = 60 if norm == "l0" else 6  # what L0 does not flip it leaves as it was
    one, two = (
        attack(network, images, labels, norm=norm, budget=BUDGETS[norm], steps=steps, confidence=0.6, batch_size=16,
               device="cuda", amp=amp)
        for _ in range(2)
    )  # fmt: skip
    assert not torch.equal(one.displayed, images)
    assert torch.equal(one.displayed, two.displayed)
    assert np.array_equal(one.before, two.before) and np.array_equal(one.steps, two.steps)


@pytest.mark.parametrize("search", [("l0", False), ("l1", False), ("l1", True), ("l2", False), ("linf", False)])
def test_a_minimal_search_keeps_only_what_a_verdict_confirms_and_repeats(deep, search):
    network, images, labels = deep
    norm, rescaled = search
    one, two = (minimal(network, images, labels, norm=norm, rescaled=rescaled, device="cuda") for _ in range(2))
    changed = (one.displayed != images).flatten(1).any(1).numpy()
    assert changed.any() and np.array_equal(one.flipped, changed)
    assert torch.equal(one.displayed, two.displayed)


def test_a_universal_perturbation_repeats(deep):
    network, images, labels = deep
    one, two = (universal(network, images, labels, norm="linf", budget=8, passes=2, device="cuda") for _ in range(2))
    assert torch.equal(one.delta, two.delta) and one.delta.any()


@pytest.mark.parametrize("amp", [False, True])
def test_no_verdict_of_a_gpu_is_disputed_by_the_cpu(amp):
    images, labels = patches(64, seed=6)
    result = attack(trained(), images, labels, norm="linf", budget=8, device="cuda", amp=amp)
    answers = Passes(trained(), device="cpu").judge(result.displayed)
    wrong = (answers.argmax(1) != labels).numpy()
    assert np.array_equal(result.flipped, wrong & ~result.already_wrong)
    assert np.allclose(result.after, answers.softmax(1).numpy(), atol=1e-5)
    assert result.flipped.sum() >= 30


def test_logits_of_a_gpu_are_those_of_the_cpu_by_less_than_a_verdicts_margin(deep):
    network, images, labels = deep
    floats = images.float()
    cpu, gpu = Passes(network, device="cpu"), Passes(network, device="cuda")
    expected = cpu.judge(images)
    assert (gpu.judge(images) - expected).abs().max() < MARGIN / 10
    logits, gradient = gpu.ascend(floats.cuda(), labels.cuda())
    _, known = cpu.ascend(floats, labels)
    assert (gap_of_label(logits.cpu(), labels) - gap_of_label(expected, labels)).abs().max() < MARGIN / 10
    assert (gradient.cpu() - known).norm() < 1e-2 * known.norm()


def test_norms_added_up_on_a_gpu_are_those_of_the_cpu_to_the_last_bit():
    draw = torch.Generator().manual_seed(0)
    one, two = (torch.randint(0, 256, (5, 3, 224, 224), dtype=torch.uint8, generator=draw) for _ in range(2))
    two[0] = one[0]
    two[1] = 255 - one[1].bitwise_and(1) * 255
    expected, found = displayed_norms(one, two), displayed_norms(one, two, device=torch.device("cuda"))
    for norm, values in expected.items():
        assert values.dtype == found[norm].dtype and np.array_equal(values, found[norm]), norm
