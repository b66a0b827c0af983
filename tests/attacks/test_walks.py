"""Steps of adaptive length and the black-box search: within the budget on displayed bytes, and strong."""

import numpy as np
import pytest
import torch

from attacks.engine import attack
from attacks.engine.apgd import checkpoints
from attacks.engine.minimal import search
from attacks.engine.passes import Passes
from attacks.engine.recipe import minimal_recipe, recipe
from attacks.engine.square import hill, square
from core.errors import InvalidInput
from tests.attacks.networks import hardened, patches, trained
from tests.attacks.test_pgd import answer

BUDGETS = {"linf": 8, "l2": 8, "l1": 4, "l0": 0.1}


def test_adaptive_steps_flip_more_of_a_network_that_withstands():
    images, labels = patches(100, seed=77)
    options = {"norm": "linf", "budget": 6, "steps": 100, "warn": False}
    usual, adaptive = (attack(hardened(), images, labels, step_rule=rule, **options) for rule in (None, "adaptive"))
    assert adaptive.flipped.sum() >= usual.flipped.sum() + 4
    assert adaptive.norms["linf"].max() <= 6


@pytest.mark.parametrize("loss", ["ce", "margin"])
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_adaptive_steps_end_at_a_flip_that_is_true_on_the_bytes(norm, loss):
    images, labels = patches(12, seed=4)
    options = {"norm": norm, "budget": BUDGETS[norm], "step_rule": "adaptive", "loss": loss, "random_start": True}
    found, again = (attack(trained(), images, labels, batch_size=b, warn=False, **options) for b in (5, 5))
    assert torch.equal(found.displayed, again.displayed)
    assert found.flipped.sum() >= 6 and (found.steps[found.flipped] < 100).all()
    assert found.norms[norm].max() <= BUDGETS[norm] * (1 + 1e-6)
    assert np.array_equal(answer(trained(), found.displayed) != labels.numpy(), found.flipped | found.already_wrong)


def test_adaptive_steps_are_for_l2_and_linf():
    with pytest.raises(InvalidInput, match="adaptive rule is for L2 and L∞"):
        recipe(norm="l1", budget=1, step_rule="adaptive")
    assert recipe(norm="l2", budget=1, step_rule="adaptive").steps == 100


def test_checkpoints_come_closer_together():
    found = sorted(checkpoints(100))
    assert found[:3] == [22, 41, 57] and (np.diff(found, 2) <= 0).all() and np.diff(found)[-1] in (6, 7)


@pytest.mark.parametrize("norm", BUDGETS)
def test_the_black_box_stays_within_the_budget_and_asks_for_answers_only(norm):
    images, labels = patches(8, seed=4)
    passes = Passes(trained())
    found = square(passes, images, labels, norm=norm, budget=BUDGETS[norm], queries=40, seed=1)
    assert passes.count["gradient"] == 0
    assert found.norms[norm].max() <= BUDGETS[norm] * (1 + 1e-6)
    if norm in ("linf", "l0"):  # moving mass takes more queries than these
        assert found.flipped.sum() >= 3
    assert np.array_equal(answer(trained(), found.displayed) != labels.numpy(), found.flipped | found.already_wrong)
    assert (found.steps[found.flipped] <= 40).all() and (found.steps[~found.flipped & ~found.already_wrong] == 40).all()
    alone = square(passes, images[3:5], labels[3:5], norm=norm, budget=BUDGETS[norm], queries=40, seed=1, first=3)
    assert torch.equal(alone.displayed, found.displayed[3:5])  # what is drawn depends on the image alone


def test_the_black_box_finds_more_with_more_queries():
    images, labels = patches(12, seed=4)
    few, many = (
        square(Passes(trained()), images, labels, norm="linf", budget=4, queries=queries) for queries in (3, 300)
    )
    assert many.flipped.sum() >= few.flipped.sum() + 2


def test_hills_are_high_in_the_middle_and_flat_at_the_edge():
    mound = hill(9, 4)
    assert mound[4].max() == mound.max() > 4 * mound[0].max() and torch.equal(mound, mound.flip(0))


@pytest.mark.parametrize("norm", BUDGETS)
def test_a_minimal_search_with_a_budget_counts_what_is_within_and_ends_early(norm):
    images, labels = patches(6, seed=4)
    budget = BUDGETS[norm] / 2
    chosen = minimal_recipe(norm=norm)
    whole, within = Passes(trained()), Passes(trained())
    smallest = search(whole, images, labels, chosen)
    found = search(within, images, labels, chosen, budget=budget)
    assert np.array_equal(found.flipped, smallest.flipped & (smallest.norms[norm] <= budget))
    assert found.norms[norm].max() <= budget and within.count["gradient"] <= whole.count["gradient"]
    tiny = search(within, images, labels, chosen, budget=0.9 * float(smallest.norms[norm][smallest.flipped].min()))
    assert not tiny.flipped.any() and torch.equal(tiny.displayed, images)
