"""Projected gradient descent on small real classifiers: verdicts, budgets, early ends, repeatability."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from attacks.engine import attack
from attacks.engine.bookkeeping import start_noise
from attacks.engine.constraints import project
from attacks.engine.display import hwc, shown, within_pixels
from attacks.engine.passes import Passes, folded, gap_of_label, lost, reached
from attacks.engine.pgd import look, pgd, step
from attacks.engine.recipe import recipe
from core.errors import InvalidInput
from core.images import decode_png, encode_png
from tests.attacks.networks import SmallNet, patches, trained


def answer(network, displayed):
    """Class of each image, asked one at a time from decoded PNG files."""
    decoded = [decode_png(encode_png(picture)) for picture in hwc(displayed)]
    with torch.inference_mode():
        return np.array([int(network(torch.tensor(p / 255).float().permute(2, 0, 1)[None]).argmax()) for p in decoded])


@settings(max_examples=25, deadline=None)
@given(
    norm=st.sampled_from(["none", "l0", "l1", "l2", "linf"]),
    share=st.floats(0.004, 0.3),
    rule=st.sampled_from([None, "raw", "sign", "l2"]),
    loss=st.sampled_from(["ce", "margin"]),
    rounding=st.sampled_from(["aware", "nearest", "truncate"]),
    confidence=st.sampled_from([0.0, 0.7, 0.99]),
    random_start=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_stored_bytes_keep_the_budget_and_no_verdict_can_be_disputed(norm, share, seed, **options):
    network = trained()
    images, labels = patches(10, seed=seed)
    labels[0] = 1 - labels[0]  # one that the network gets wrong
    budget = {"none": None, "l0": share}.get(norm, share * 255)
    result = attack(network, images, labels, norm=norm, budget=budget, steps=8, batch_size=4, seed=seed,
                   step_rule=options.pop("rule"), **options)  # fmt: skip
    if budget is not None:
        assert (result.norms[norm] <= budget).all()
    wrong = answer(network, result.displayed) != labels.numpy()
    assert np.array_equal(result.flipped, wrong & ~result.already_wrong)
    assert result.already_wrong[0] and torch.equal(result.displayed[0], images[0])
    assert (result.reached <= result.flipped).all()
    assert (result.after[np.arange(10), 1 - labels][result.reached] >= options["confidence"]).all()


def plain_descent(passes, images, labels, settings):
    """Equation 1 with nothing around it: image by image, a gradient and a verdict in every step; uint8 (n, 3, h, w)."""
    displayed = images.clone()
    for number in range(len(images)):
        x, y = images[[number]].float(), labels[[number]]
        delta = torch.zeros_like(x)
        if settings.random_start:
            delta = torch.from_numpy(start_noise(settings, number, tuple(x.shape[1:])))[None]
        seen = x
        for _ in range(settings.steps if lost(passes.logits(x), 1 - y) else 0):
            _, gradient = passes.ascend(seen, y, settings.loss)
            delta = project(delta + step(gradient, settings), settings.norm, settings.budget)
            delta = within_pixels(x, delta)
            seen = look(x, delta, settings)
            if reached(passes.logits(seen), y, settings.confidence):
                break
        if seen is not x:
            displayed[number] = shown(x, delta, settings.norm, settings.budget, settings.rounding)[0].to(torch.uint8)
    return displayed


@pytest.mark.parametrize("options", [
    {"norm": "none", "confidence": 0.99},
    {"norm": "l0", "budget": 0.05, "step_rule": "sign", "random_start": True},
    {"norm": "l1", "budget": 2, "step_rule": "l2", "random_start": True},
    {"norm": "l2", "budget": 3},
    {"norm": "l2", "budget": 3, "loss": "ce", "rounding": "truncate", "step_rule": "sign"},
    {"norm": "linf", "budget": 8, "confidence": 0.9},
    {"norm": "linf", "budget": 8, "paper": True, "step_size": 3e4},
    {"norm": "none", "paper": True, "step_size": 3e4},
])  # fmt: skip
def test_the_bookkeeping_changes_no_byte_of_the_plain_loop_of_equation_1(options):
    images, labels = patches(12, seed=8)
    labels[3] = 1 - labels[3]  # the network gets this image wrong: it is left as it is
    settings = recipe(steps=10, seed=4, **options)
    passes = Passes(trained(), device="cpu")
    passes.batch = 1  # as in the plain loop: another batch size may round a gradient differently
    result = pgd(passes, images, labels, settings)
    plain = Passes(trained(), device="cpu")
    assert torch.equal(result.displayed, plain_descent(plain, images, labels, settings))
    assert len(set(result.steps.tolist())) > 2  # images end at different steps, so that places are taken again
    assert passes.count["forward"] < plain.count["forward"]


@pytest.mark.parametrize("confidence", [0.0, 0.95])
def test_without_a_budget_every_image_flips_with_the_confidence_asked_for(confidence):
    images, labels = patches(24, seed=3)
    result = attack(trained(), images, labels, norm="none", confidence=confidence)
    attacked = ~result.already_wrong
    assert attacked.sum() >= 22
    assert result.reached[attacked].all() and result.flipped[attacked].all()
    assert (result.after[np.arange(24), 1 - labels][attacked] >= max(confidence, 0.5)).all()


def test_images_end_as_soon_as_they_flip():
    images, labels = patches(16, seed=3)
    quick = attack(trained(), images, labels, norm="none")
    sure = attack(trained(), images, labels, norm="none", confidence=0.99)
    assert (quick.steps <= sure.steps).all() and quick.steps.sum() < sure.steps.sum()
    assert quick.norms["l2"].mean() < sure.norms["l2"].mean()


def test_an_image_does_not_depend_on_who_shares_its_batch():
    images, labels = patches(12, seed=4)
    options = {"norm": "linf", "budget": 12, "random_start": True, "seed": 5}
    together = attack(trained(), images, labels, batch_size=5, **options)
    alone = [attack(trained(), images[[n]], labels[[n]], first=n, **options) for n in range(12)]
    assert np.array_equal(together.flipped, [bool(single.flipped[0]) for single in alone])
    same = [torch.equal(together.displayed[n], single.displayed[0]) for n, single in enumerate(alone)]
    assert sum(same) >= 11  # a gradient within rounding of zero may take another sign in another batch


def test_same_seed_gives_the_same_bytes_and_another_seed_others():
    images, labels = patches(8, seed=4)
    options = {"norm": "l2", "budget": 3, "random_start": True}
    first, again, other = (attack(trained(), images, labels, seed=seed, **options) for seed in (1, 1, 2))
    assert torch.equal(first.displayed, again.displayed) and not torch.equal(first.displayed, other.displayed)


def test_already_wrong_images_are_reported_and_left_as_they_are():
    images, labels = patches(8, seed=4)
    right = torch.from_numpy(answer(trained(), images))
    result = attack(trained(), images, 1 - right, norm="linf", budget=8)
    assert result.already_wrong.all() and not result.flipped.any() and torch.equal(result.displayed, images)
    assert result.summary()["attacked"] == 0 and result.passes["gradient"] <= 8


class Close(nn.Module):
    """A plane through a cloud of images, each within 0.4 grey levels of it (along a pattern of signs)."""

    def __init__(self, images):
        super().__init__()
        self.pattern = torch.randn(images.shape[1:], generator=torch.Generator().manual_seed(0)).sign()
        self.middle = self.along(images / 255).median()

    def along(self, x):
        return (x * self.pattern).mean((1, 2, 3)) * 255

    def forward(self, x):
        return torch.stack([torch.zeros(len(x)), 10 * (self.along(x) - self.middle)], 1)


def test_cap_of_half_a_grey_level_fools_numbers_but_shows_nothing():
    """Section 3.2 calls 0.5 the minimum to change a pixel value; on 8-bit pictures it changes none."""
    images, _ = patches(64, seed=6)
    images = images[::2]
    network = Close(images)
    far = (network.along(images / 255) - network.middle).abs()
    images = images[(far < 0.4) & (far > 0.01)]
    labels = network(images / 255).argmax(1)
    assert len(images) > 20
    options = {"norm": "linf", "step_rule": "sign"}
    half = attack(network, images, labels, budget=0.5, step_size=0.5, rounding="nearest", **options)
    assert half.flipped_float.all() and not half.flipped.any() and half.norms["linf"].max() == 0
    afterwards = attack(network, images, labels, budget=1, step_size=0.45, rounding="nearest", **options)
    assert afterwards.flipped_float.all() and not afterwards.flipped.any()
    aware = attack(network, images, labels, budget=1, step_size=0.45, **options)
    assert aware.flipped.all() and set(aware.norms["linf"]) == {1.0}


def test_equal_magnitudes_below_one_level_are_shown_in_part_rather_than_not_at_all():
    images, labels = patches(12, seed=6)
    result = attack(Close(images), images, labels, norm="l2", budget=0.5, step_rule="sign", step_size=0.2, steps=5)
    reach = result.norms["l2"][~result.already_wrong]
    assert (reach > 0).all() and (reach <= 0.5).all()


def test_more_than_two_classes_the_second_best_counts():
    images, labels = patches(12, seed=7)
    network = trained(classes=4)
    result = attack(network, images, labels, norm="none")
    assert result.after.shape == (12, 4) and result.flipped[~result.already_wrong].all()
    assert (answer(network, result.displayed) != labels.numpy())[result.flipped].all()


def test_network_is_left_as_it_was():
    network = trained()
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    attack(network, *patches(4), norm="linf", budget=8)
    assert network.training and all(value.requires_grad for value in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    network.eval()


def test_folding_changes_nothing_but_rounding_errors():
    network = trained()
    fast = folded(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fast.modules())
    x = patches(8)[0] / 255
    assert torch.allclose(fast(x), network(x), atol=1e-4)


class Branching(nn.Module):
    """What torch cannot trace: the way depends on the data."""

    def __init__(self):
        super().__init__()
        self.network = trained()

    def forward(self, x):
        return self.network(x) if x.sum() > 0 else self.network(-x)


def test_networks_that_cannot_be_folded_are_attacked_too():
    result = attack(Branching(), *patches(6, seed=3), norm="none")
    assert result.flipped[~result.already_wrong].all()


def test_gap_and_confidence_on_numbers():
    logits, labels = torch.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, 3.0005]]), torch.tensor([0, 1])
    assert gap_of_label(logits, labels).tolist() == pytest.approx([-1.0, 0.0005], abs=1e-6)
    assert reached(logits, labels, 0.0).tolist() == [False, False]  # a lead of 0.0005 could be disputed
    assert reached(torch.tensor([[0.0, 1.0]]), torch.tensor([0]), 0.73).item()
    assert not reached(torch.tensor([[0.0, 1.0]]), torch.tensor([0]), 0.74).item()


def test_gradient_points_to_where_the_label_is_lost():
    passes = Passes(trained())
    images, labels = patches(4)
    logits, gradient = passes.ascend(images.float(), labels)
    moved = images.float() + 0.01 * gradient / gradient.abs().amax((1, 2, 3), keepdim=True)
    gain = gap_of_label(passes.logits(moved), labels) - gap_of_label(logits, labels)
    assert (gain > 0).all()


@pytest.mark.parametrize(
    ("images", "labels", "says"),
    [
        (torch.rand(2, 3, 8, 8), [0, 1], "uint8"),
        (np.zeros((2, 3, 8, 8), np.uint8), [0, 1], "uint8 tensor"),
        (torch.zeros(2, 8, 8, 3, dtype=torch.uint8), [0, 1], "permute"),
        (torch.zeros(3, 8, 8, dtype=torch.uint8), [0], "shape"),
        (torch.zeros(0, 3, 8, 8, dtype=torch.uint8), [], "at least 1"),
        (torch.zeros(2, 3, 32, 32, dtype=torch.uint8), [0, 1, 1], "2 images but 3 labels"),
        (torch.zeros(2, 3, 32, 32, dtype=torch.uint8), [0, 2], "Label 2 of image 1"),
        (torch.zeros(2, 3, 32, 32, dtype=torch.uint8), [0, 0.5], "whole numbers"),
    ],
)
def test_images_and_labels_of_the_wrong_kind_are_refused(images, labels, says):
    with pytest.raises(InvalidInput, match=says):
        attack(trained(), images, labels, norm="linf", budget=8)


def test_network_that_cannot_answer_is_refused():
    images, labels = patches(2)
    with pytest.raises(InvalidInput, match="two classes"):
        attack(SmallNet(classes=1).eval(), images, labels, norm="linf", budget=8)
    broken = SmallNet()
    with torch.no_grad():
        broken.leave.weight[0, 0] = float("nan")
    with pytest.raises(InvalidInput, match=r"leave\.weight holds values that are not finite"):
        attack(broken, images, labels, norm="linf", budget=8)


def test_progress_ends_at_the_number_of_images():
    calls = []
    attack(trained(), *patches(9), norm="linf", budget=4, batch_size=2, steps=3, progress=lambda *at: calls.append(at))
    assert calls[0] == (0, 9) and calls[-1] == (9, 9) and calls == sorted(calls)


def test_a_long_attack_is_heard_from_at_every_pass_so_that_it_can_be_stopped():
    class Stop(Exception):
        pass

    passes, heard = Passes(trained(), device="cpu"), []

    def stop_at_the_tenth(done, total):
        heard.append(done)
        if len(heard) == 10:
            raise Stop

    endless = recipe(norm="linf", budget=1.0, steps=10_000, confidence=0.999999, seed=0)
    with pytest.raises(Stop):
        pgd(passes, *patches(4), endless, progress=stop_at_the_tenth)
    assert heard == [0] * 10 and passes.count["gradient"] <= 4 * 10


def test_norms_recipes_curves_and_pairs_need_no_torch():
    parts = ", ".join(f"attacks.engine.{part}" for part in ("norms", "recipe", "curves", "pairs", "controls"))
    code = f"import sys, {parts}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
