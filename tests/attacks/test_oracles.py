"""Beside other people's attacks, where they are installed (scripts/bench-peers.sh; then run with .venv-bench).

Norms beside adv-lib's DDN, FMN and sigma-zero, success beside torchattacks' PGD and APGD-CE.
"""

import numpy as np
import pytest
import torch

from attacks.engine import attack
from attacks.engine.constraints import displayed_norms
from attacks.engine.minimal import minimal
from attacks.engine.passes import Passes, lost
from tests.attacks.networks import patches, trained

pytestmark = pytest.mark.slow
IMAGES = 48


@pytest.fixture(scope="module")
def right():
    """Correctly classified patches and their classes."""
    images, labels = patches(64, seed=31)
    keep = Passes(trained()).judge(images).argmax(1) == labels
    return images[keep][:IMAGES], labels[keep][:IMAGES]


def shown(floats):
    """A peer's floats in [0, 1] as a person would see them."""
    return (255 * floats).round().clamp(0, 255).to(torch.uint8)


def median_displayed(images, labels, floats, norm):
    """Median norm on displayed bytes, infinite where those bytes do not flip, and the share that do."""
    displayed = shown(floats)
    flipped = lost(Passes(trained()).judge(displayed), labels).numpy()
    return float(np.median(np.where(flipped, displayed_norms(images, displayed)[norm], np.inf))), flipped.mean()


@pytest.mark.parametrize(("norm", "p", "steps"), [("l1", 1, 200), ("l2", 2, None), ("linf", float("inf"), None)])
def test_minimal_norms_are_no_larger_than_fmns_and_all_can_be_shown(right, norm, p, steps):
    """FMN's floats lie on the boundary, few of them beyond it: ours may cost what whole grey levels cost."""
    advlib = pytest.importorskip("adv_lib.attacks")
    images, labels = right
    ours = minimal(trained(), images, labels, norm=norm, steps=steps)
    floats = advlib.fmn(trained(), images / 255, labels, norm=p, steps=50)
    theirs = 255 * (floats - images / 255).flatten(1)
    reach = {1: theirs.abs().mean(1), 2: theirs.square().mean(1).sqrt()}.get(p, theirs.abs().amax(1)).mean().item()
    assert ours.flipped.all()
    assert ours.norms[norm].mean() <= reach + (1.0 if norm == "linf" else 0.02 * reach)
    median, success = median_displayed(images, labels, floats, norm)
    assert success < 1 and np.median(ours.norms[norm]) <= median


def test_minimal_l2_is_no_larger_than_ddns(right):
    advlib = pytest.importorskip("adv_lib.attacks")
    images, labels = right
    ours = minimal(trained(), images, labels, norm="l2")
    median, _ = median_displayed(images, labels, advlib.ddn(trained(), images / 255, labels, steps=50), "l2")
    assert ours.flipped.all() and np.median(ours.norms["l2"]) <= median * 1.01


def test_minimal_l0_changes_no_more_pixels_than_sigma_zero(right):
    sigma_zero = pytest.importorskip("adv_lib.attacks.sigma_zero").sigma_zero
    images, labels = right
    ours = minimal(trained(), images, labels, norm="l0")
    median, _ = median_displayed(images, labels, sigma_zero(trained(), images / 255, labels, num_steps=100), "l0")
    assert ours.flipped.all() and np.median(ours.norms["l0"]) <= median


@pytest.mark.parametrize("cap", [8, 16])
def test_success_on_displayed_bytes_is_no_lower_than_torchattacks(right, cap):
    torchattacks = pytest.importorskip("torchattacks")
    images, labels = right
    ours = attack(trained(), images, labels, norm="linf", budget=cap, steps=10, step_size=2)
    torch.manual_seed(0)
    for peer in (
        torchattacks.PGD(trained(), eps=cap / 255, alpha=2 / 255, steps=10),
        torchattacks.APGD(trained(), eps=cap / 255, steps=10, loss="ce"),
    ):
        theirs = lost(Passes(trained()).judge(shown(peer(images / 255, labels))), labels).float().mean()
        assert ours.flipped.mean() >= float(theirs) - 1 / IMAGES
