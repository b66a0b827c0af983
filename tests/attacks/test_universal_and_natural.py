"""One perturbation for many images, and natural changes to read its energy against."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from attacks.engine.natural import LADDER, NaturalTable, blur, brightness, changes, eosin, haematoxylin, jpeg, noise
from attacks.engine.passes import Passes
from attacks.engine.recipe import universal_recipe
from attacks.engine.universal import (
    by_training_size,
    flipped_share,
    judged,
    random_signs,
    share,
    universal,
)
from core.errors import InvalidInput
from tests.attacks.networks import patches, trained
from tests.attacks.test_pgd import answer


@pytest.fixture(scope="module")
def positives():
    """Training and unseen positives: images and labels of each."""
    images, labels = patches(160, seed=21)
    images, labels = images[labels == 1], labels[labels == 1]
    return (images[:48], labels[:48]), (images[48:], labels[48:])


def test_one_perturbation_within_its_budget_flips_unseen_images_and_noise_of_its_size_does_not(positives):
    seen, unseen = positives
    learned = universal(trained(), *seen, norm="linf", budget=24)
    assert learned.delta.abs().max() <= 24 and learned.delta.dtype == torch.int16
    passes = Passes(trained())
    ours, random = (flipped_share(judged(passes, *unseen, delta)) for delta in (learned, random_signs(learned, seed=0)))
    assert ours["share"] > 0.5 and random["share"] < 0.2
    result = judged(passes, *unseen, learned)
    assert np.array_equal(
        answer(trained(), result.displayed) != unseen[1].numpy(), result.flipped | result.already_wrong
    )


def test_noise_to_compare_with_keeps_every_magnitude(positives):
    learned = universal(trained(), *positives[0], norm="l2", budget=10, passes=2)
    noise = random_signs(learned, seed=1)
    assert noise.norms() == learned.norms()
    assert sorted(noise.delta.abs().flatten().tolist()) == sorted(learned.delta.abs().flatten().tolist())
    assert not torch.equal(noise.delta, learned.delta)


def test_papers_rule_takes_one_example_at_a_time_and_the_raw_gradient(positives):
    seen, _ = positives
    recipe = universal_recipe(norm="none", paper=True)
    assert (recipe.batch, recipe.momentum, recipe.loss, recipe.lead) == (1, 0.0, "ce", math.inf)
    learned = universal(trained(), *seen, norm="none", paper=True, passes=1, step_size=3.0)
    right = int((Passes(trained()).judge(seen[0]).argmax(1) == seen[1]).sum())
    assert learned.passes["gradient"] == right and len(learned.history) == 1
    # Two hand-made steps of eq. 2 on two examples give the same.
    two = (seen[0][:2], seen[1][:2])
    short = universal(trained(), *two, norm="none", paper=True, passes=1, step_size=200.0, seed=4)
    delta, passes = torch.zeros(1, *seen[0].shape[1:]), Passes(trained())
    for n in torch.randperm(2, generator=torch.Generator().manual_seed(4)).tolist():
        _, gradient = passes.ascend((two[0][[n]] + delta).clamp(0, 255), two[1][[n]], "ce")
        delta = delta + 200.0 * gradient
    assert torch.equal(short.delta, delta.round()[0].to(torch.int16))


def test_same_seed_gives_the_same_perturbation(positives):
    first, same, other = (universal(trained(), *positives[0], budget=8, passes=1, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.delta, same.delta) and not torch.equal(first.delta, other.delta)


def test_success_by_training_size_learns_on_that_many(positives):
    passes = Passes(trained())
    recipe = universal_recipe(budget=16, passes=2)
    rows = by_training_size(passes, *positives, recipe, [1, 16])
    assert [row["training"] for row in rows] == [1, 16] and all(row["linf"] <= 16 for row in rows)
    with pytest.raises(InvalidInput, match="training size of 49"):
        by_training_size(passes, *positives, recipe, [49])


def test_wilson_interval_of_the_published_counts():
    low, high = stats.binomtest(319, 376).proportion_ci(method="wilson")
    published = share(319, 376)
    assert (published["low"], published["high"]) == (low, high) and published["share"] == pytest.approx(0.848, abs=5e-4)
    assert share(0, 0)["share"] is None


def test_images_that_are_wrong_already_teach_nothing(positives):
    images, labels = positives[0]
    with pytest.raises(InvalidInput, match="none to learn"):
        universal(trained(), images, 1 - labels, budget=8)


# --- Natural changes ------------------------------------------------------------------------------------------------

GREY = torch.full((2, 3, 8, 8), 100, dtype=torch.uint8)


def test_brightness_scales_and_stops_at_white():
    assert brightness(GREY, 1.2, 0).unique().tolist() == [120]
    assert brightness(GREY, 3.0, 0).unique().tolist() == [255]


def test_noise_has_the_spread_asked_for_and_comes_from_its_seed():
    grey = torch.full((4, 3, 64, 64), 128, dtype=torch.uint8)
    assert (noise(grey, 4, 0).float() - 128).std().item() == pytest.approx(4, rel=0.02)
    assert torch.equal(noise(grey, 4, 1), noise(grey, 4, 1)) and not torch.equal(noise(grey, 4, 1), noise(grey, 4, 2))


def test_stains_move_by_their_own_density_only():
    """A patch of pure haematoxylin gets darker with more haematoxylin and does not move with more eosin."""
    stain = torch.tensor([0.650, 0.704, 0.286])
    pure = (256 * 10 ** -(0.5 * stain / stain.norm()) - 1).round().reshape(1, 3, 1, 1).expand(1, 3, 4, 4)
    pure = pure.to(torch.uint8)
    more = haematoxylin(pure, 1.5, 0)
    expected = 256 * 10 ** -(0.75 * stain / stain.norm()) - 1
    assert more[0, :, 0, 0].float().tolist() == pytest.approx(expected.tolist(), abs=2)
    assert (eosin(pure, 1.5, 0).int() - pure.int()).abs().max() <= 2
    assert (haematoxylin(pure, 1.0, 0).int() - pure.int()).abs().max() <= 1


def test_jpeg_and_blur_leave_flat_patches_alone_and_change_busy_ones():
    busy, _ = patches(2)
    assert (jpeg(GREY, 75, 0).int() - 100).abs().max() <= 1 and torch.equal(blur(GREY, 1, 0), GREY)
    errors = [(jpeg(busy, quality, 0).int() - busy.int()).abs().float().mean() for quality in (95, 50)]
    assert 0 < errors[0] < errors[1]
    assert blur(busy, 2, 0).float().std() < blur(busy, 0.5, 0).float().std() < busy.float().std()


def test_table_counts_flips_of_those_that_were_right_and_measures_bytes():
    images, labels = patches(40, seed=8)
    labels[0] = 1 - labels[0]
    table = NaturalTable(Passes(trained()), changes(["brightness"]), seed=0)
    table.add(images, labels)
    right = answer(trained(), images) == labels.numpy()
    for row, factor in zip(table.rows(), LADDER["brightness"][2]):
        changed = brightness(images, factor, 0)
        wrong = answer(trained(), changed) != labels.numpy()
        assert row["flipped"] == (wrong & right).sum() and row["of"] == right.sum()
        difference = (changed.int() - images.int())[torch.from_numpy(right)].abs()
        assert row["l1"] == pytest.approx(difference.float().mean().item(), rel=1e-5)
        assert row["linf"] == pytest.approx(difference.amax((1, 2, 3)).float().mean().item())


def test_every_change_gives_bytes_of_the_same_shape():
    images, _ = patches(3)
    for change in changes():
        changed = change(images, 0)
        assert changed.dtype == torch.uint8 and changed.shape == images.shape, change
    assert len({(change.name, change.strength) for change in changes()}) == len(changes()) > 20
    with pytest.raises(InvalidInput, match="fog"):
        changes(["fog"])
