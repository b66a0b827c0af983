"""L0 and L1 within a budget: as strong as the searches for the smallest, true on the displayed bytes."""

import numpy as np
import pytest
import torch

from attacks.engine import attack
from attacks.engine.minimal import minimal
from attacks.engine.passes import Passes
from attacks.engine.recipe import recipe
from attacks.engine.sparse import onto_l1_ball_in_range
from core.errors import InvalidInput
from tests.attacks.networks import hardened, patches, trained

SPREAD = {"l0": "sign", "l1": "l2"}


@pytest.fixture(scope="module")
def right():
    images, labels = patches(30, seed=77)
    keep = Passes(hardened()).judge(images).argmax(1) == labels
    return images[keep], labels[keep]


@pytest.mark.parametrize(("norm", "steps"), [("l1", 100), ("l0", None)])
def test_the_default_finds_what_the_smallest_perturbations_promise_and_more_than_the_papers_rule(right, norm, steps):
    smallest = minimal(hardened(), *right, norm=norm, steps=steps)
    length = np.where(smallest.flipped, smallest.norms[norm], np.inf)
    spread = 0
    for quantile in (0.4, 0.7):
        budget = float(np.quantile(length, quantile, method="lower")) * 1.001
        found = attack(hardened(), *right, norm=norm, budget=budget)
        assert found.norms[norm].max() <= budget
        assert found.flipped.sum() >= (length <= budget).sum() - 1
        spread += int(found.flipped.sum())
        spread -= int(attack(hardened(), *right, norm=norm, budget=budget, step_rule=SPREAD[norm]).flipped.sum())
    assert spread >= 2


def test_the_smallest_l1_is_no_weaker_than_the_attack_within_a_budget(right):
    smallest = minimal(hardened(), *right, norm="l1")
    length = np.where(smallest.flipped, smallest.norms["l1"], np.inf)
    for budget in (0.5, 1.0, 2.0):
        found = attack(hardened(), *right, norm="l1", budget=budget, warn=False)
        assert (length <= budget * 1.02).sum() >= found.flipped.sum() - 1


@pytest.mark.parametrize(("norm", "budget"), [("l0", 0.05), ("l1", 1.5)])
@pytest.mark.parametrize("random_start", [False, True])
def test_images_end_at_their_flip_with_the_confidence_asked_for_on_the_bytes(norm, budget, random_start):
    images, labels = patches(12, seed=4)
    labels[3] = 1 - labels[3]
    options = {"norm": norm, "budget": budget, "random_start": random_start, "batch_size": 5}
    found, sure = (attack(trained(), images, labels, confidence=c, **options) for c in (0.0, 0.9))
    assert found.already_wrong[3] and torch.equal(found.displayed[3], images[3])
    judged = Passes(trained()).judge(sure.displayed).softmax(1).numpy()[np.arange(12), 1 - labels.numpy()]
    assert (judged[sure.reached] >= 0.9).all() and sure.reached.sum() <= found.reached.sum()
    assert np.array_equal(found.reached, found.flipped) and found.flipped.sum() >= 6
    assert (found.steps[found.flipped] < 100).all() and found.norms[norm].max() <= budget
    again = attack(trained(), images, labels, **options)
    assert torch.equal(again.displayed, found.displayed)


def test_the_projection_uses_the_budget_that_the_range_of_pixels_leaves():
    draw = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (6, 3, 8, 8), generator=draw).float()
    x[:2] = 250  # little room above
    delta = 60 * torch.randn(6, 3, 8, 8, generator=draw)
    near = onto_l1_ball_in_range(delta, x, 3.0)
    assert torch.allclose(near.abs().mean((1, 2, 3)), torch.full((6,), 3.0), atol=1e-3)
    assert (x + near).min() >= 0 and (x + near).max() <= 255
    for _ in range(50):  # nothing that is allowed lies nearer
        other = (near + 2 * torch.randn(near.shape, generator=draw)).clamp(-x, 255 - x)
        other = other * (3.0 / other.abs().mean((1, 2, 3), keepdim=True)).clamp_max(1)
        assert ((delta - near).square().sum((1, 2, 3)) <= (delta - other).square().sum((1, 2, 3)) + 1e-2).all()
    assert torch.equal(onto_l1_ball_in_range(near / 2, x, 3.0), near / 2)


def test_the_projection_takes_the_same_off_every_component():
    delta = torch.tensor([[3.0, 0, 0], [0, 0, 0], [-1, 0, 0], [0, 0, 6]]).T.reshape(1, 3, 2, 2)
    near = onto_l1_ball_in_range(delta, torch.full_like(delta, 128), 5 / 12)
    known = torch.tensor([[1.0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 4]]).T.reshape(1, 3, 2, 2)
    assert torch.allclose(near, known, atol=1e-5)


def test_the_papers_rules_stay_under_their_names():
    assert recipe(norm="l1", budget=1).step_rule == recipe(norm="l0", budget=0.1).step_rule == "sparse"
    assert recipe(norm="l1", budget=1, paper=True).step_rule == "raw"
    assert recipe(norm="l1", budget=1, rounding="nearest").step_rule == "l2"
    assert recipe(norm="l0", budget=0.1, step_size=8).step_rule == "sign"
    assert (recipe(norm="l1", budget=1).steps, recipe(norm="l2", budget=1).steps) == (100, 50)
    with pytest.raises(InvalidInput, match="sparse rule is for L0 and L1"):
        recipe(norm="l2", budget=1, step_rule="sparse")
