"""L0 and L1 within a budget, by few components: as strong as the best searches known, on displayed images.

Spreading a step over all components, as the paper's rescaled L1 and top-share L0 do, finds half of what is there on a
network that was trained to withstand. The defaults walk as the strongest published attacks do:

L0    sigma-zero (Cina et al. 2025; ``sigma_zero``), stopped as soon as it is flipped within the budget
L1    sparse steps of adaptive length (Croce and Hein 2021, "Mind the box"; ``SparseSteps``)

A proposal that the gradient pass calls flipped is judged by a float32 forward pass; an image that is done leaves.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from attacks.engine.bookkeeping import start_noise
from attacks.engine.constraints import project, size
from attacks.engine.ddn import per_image
from attacks.engine.display import shown, to_bytes, within_pixels
from attacks.engine.passes import LOSS_FUNCTIONS, Passes, reached
from attacks.engine.recipe import Recipe
from attacks.engine.results import PerturbationSet
from attacks.engine.sigma_zero import SigmaZero
from core.errors import Progress, no_progress

_ROUNDED = 1e-6
"""By which a length of whole grey levels, added up in float32, may seem to exceed its budget."""


class Walker(Protocol):
    """One batch's search within a budget. Images are (b, 3, h, w) in 0-255 units."""

    def shown(self) -> Tensor:
        """The next proposal: whole numbers 0-255."""
        ...

    def walk(self, gradient: Tensor, value: Tensor, flipped: Tensor, step: int, steps: int) -> None:
        """Move on, given the gradient of the loss at the proposal, the loss (b,), and whether it is flipped (b,)."""
        ...

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows only."""
        ...


def within_budget(
    passes: Passes,
    images: Tensor,
    labels: Tensor,
    recipe: Recipe,
    *,
    first: int = 0,
    progress: Progress = no_progress,
) -> PerturbationSet:
    """Attack uint8 images (n, 3, h, w) with classes int64 (n,) under L0 or L1; as ``attacks.engine.pgd.pgd``."""
    started = time.perf_counter()
    before, done = [], 0
    for part in images.split(passes.batch):
        before.append(passes.judge(part))
        progress(0, len(images))
    original = torch.cat(before)
    right = (original.argmax(1) == labels).nonzero()[:, 0]  # the others are reported, and left as they are
    displayed, steps = images.clone(), torch.zeros(len(images), dtype=torch.int64)
    done = len(images) - len(right)
    for rows in right.split(passes.batch) if len(right) else ():
        x, y = passes.floats(images[rows]), labels[rows].to(passes.device)
        walker = WALKERS[recipe.norm](x, _start(x, recipe, [first + int(row) for row in rows]), recipe)
        displayed[rows], steps[rows] = _descend(passes, walker, x, y, recipe, tell=partial(progress, done, len(images)))
        done += len(rows)
    progress(done, len(images))
    return PerturbationSet.of_whole_numbers(
        passes,
        images,
        displayed,
        labels,
        before=original,
        started=started,
        steps=steps.numpy(),
        confidence=recipe.confidence,
        settings=recipe.as_dict(),
    )


def _descend(
    passes: Passes, walker: Walker, x: Tensor, y: Tensor, recipe: Recipe, *, tell: Callable[[], None]
) -> tuple[Tensor, Tensor]:
    """The flipped proposal of each image, uint8 (b, 3, h, w), where there was none the one with the largest loss within
    the budget; and the number of steps taken, (b,)."""
    found, steps = to_bytes(x), torch.zeros(len(x), dtype=torch.int64)
    best = torch.full((len(x),), -torch.inf, device=x.device)
    rows = torch.arange(len(x))  # of those that still walk
    for step in range(recipe.steps + 1):
        tell()
        seen = walker.shown()
        logits, gradient = passes.ascend(seen, y, recipe.loss)
        value = LOSS_FUNCTIONS[recipe.loss](logits, y)
        flipped = reached(logits, y, recipe.confidence, passes.margin)
        inside = size(seen - x, recipe.norm) <= recipe.budget * (1 + _ROUNDED)
        better = inside & ((value > best) | flipped)
        best = torch.where(better, value, best)
        if better.any():
            found[rows[better.cpu()]] = to_bytes(seen[better])
        over = (flipped & inside & (step > 0)).nonzero()[:, 0]
        ended = torch.zeros(len(x), dtype=torch.bool, device=x.device)
        if len(over):
            ended[over] = reached(passes.logits(seen[over]), y[over], recipe.confidence, passes.margin)
        steps[rows] = step
        if ended.all() or step == recipe.steps:
            break
        walker.walk(gradient, value, flipped, step, recipe.steps)
        if ended.any():
            stay = ~ended
            walker.keep(stay)
            x, y, best, rows = x[stay], y[stay], best[stay], rows[stay.cpu()]
    return found, steps


def _start(x: Tensor, recipe: Recipe, numbers: list[int]) -> Tensor:
    """Where the walk begins, (b, 3, h, w): nothing changed, or noise within the budget."""
    if not recipe.random_start:
        return torch.zeros_like(x)
    noise = np.stack([start_noise(recipe, number, tuple(x.shape[1:])) for number in numbers])
    delta = torch.from_numpy(noise).to(x.device)
    return within_pixels(x, project(delta, recipe.norm, recipe.budget))


class FewPixels:
    """L0: sigma-zero."""

    def __init__(self, x: Tensor, delta: Tensor, recipe: Recipe):
        self.zero = SigmaZero(x)
        self.zero.delta = delta / 255

    def shown(self) -> Tensor:
        return self.zero.shown()

    def walk(self, gradient: Tensor, value: Tensor, flipped: Tensor, step: int, steps: int) -> None:
        self.zero.walk(gradient, value, flipped, step / steps)

    def keep(self, rows: Tensor) -> None:
        zero = self.zero
        zero.x, zero.delta, zero.tau = zero.x[rows], zero.delta[rows], zero.tau[rows]
        zero.adam.mean, zero.adam.square = zero.adam.mean[rows], zero.adam.square[rows]


class SparseSteps:
    """L1: each step changes the ``share`` of components with the steepest gradient, then the nearest perturbation
    within budget and pixel range is taken.

    Every few steps the share follows how sparse the best perturbation so far is, and where nothing has improved the
    step is shortened and the walk goes on from the best.
    """

    SHARE, SHORTEST, BY = 0.2, 0.1, 1.5  # of components at first; shortest step, as a share of the budget; reduction

    def __init__(self, x: Tensor, delta: Tensor, recipe: Recipe):
        self.x, self.delta, self.budget = x, delta, recipe.budget
        self.components = x[0].numel()
        self.best, self.value, self.earlier = delta.clone(), *torch.full((2, len(x)), -torch.inf, device=x.device)
        self.length = torch.ones(len(x), device=x.device)  # of a step, as a share of the budget
        self.share = torch.full((len(x),), self.SHARE, device=x.device)

    def shown(self) -> Tensor:
        return shown(self.x, self.delta, "l1", self.budget)

    def walk(self, gradient: Tensor, value: Tensor, flipped: Tensor, step: int, steps: int) -> None:
        better = value > self.value
        self.best = torch.where(per_image(better), self.delta, self.best)
        self.value = torch.where(better, value, self.value)
        if step and step % max(1, round(0.04 * steps)) == 0:
            self._adapt()
        room = torch.where(gradient > 0, 255 - self.x - self.delta, self.x + self.delta) >= 0.5
        steepest = self._steepest(gradient * room)
        way = steepest / per_image(size(steepest, "l1").clamp_min(1e-12))
        self.delta = onto_l1_ball_in_range(self.delta + per_image(self.length * self.budget) * way, self.x, self.budget)

    def keep(self, rows: Tensor) -> None:
        for name in ("x", "delta", "best", "value", "earlier", "length", "share"):
            setattr(self, name, getattr(self, name)[rows])

    def _adapt(self) -> None:
        sparser = ((self.best != 0).float().mean((1, 2, 3)) / self.BY).clamp(3 / self.components, self.SHARE)
        stuck = (sparser >= 0.95 * self.share) | (self.value <= self.earlier)
        self.length = torch.where(stuck, (self.length / self.BY).clamp_min(self.SHORTEST), self.length)
        self.delta = torch.where(per_image(stuck), self.best, self.delta)
        self.share, self.earlier = sparser, self.value

    def _steepest(self, gradient: Tensor) -> Tensor:
        """The signs of the ``share`` of components that are largest, (b, 3, h, w)."""
        amount = gradient.abs().flatten(1)
        count = (self.share * self.components).ceil().long().clamp(1, self.components)
        least = amount.sort(1, descending=True).values.gather(1, count[:, None] - 1)
        return gradient.sign() * (amount >= least).reshape(gradient.shape)


def onto_l1_ball_in_range(delta: Tensor, x: Tensor, budget: float) -> Tensor:
    """The nearest perturbation with mean absolute value ``budget`` at most and x + delta in 0-255, by bisection.

    Soft thresholding alone would leave unused what the range cuts off.
    """
    amount, room = delta.abs(), torch.where(delta > 0, 255 - x, x)  # (b, 3, h, w)
    fits = torch.minimum(amount, room).mean((1, 2, 3)) <= budget
    low, high = torch.zeros(len(delta), device=delta.device), amount.amax((1, 2, 3))
    for _ in range(25):
        middle = (low + high) / 2
        over = torch.minimum((amount - per_image(middle)).clamp_min(0), room).mean((1, 2, 3)) > budget
        low, high = torch.where(over, middle, low), torch.where(over, high, middle)
    threshold = torch.where(fits, 0.0, high)
    return delta.sign() * torch.minimum((amount - per_image(threshold)).clamp_min(0), room)


WALKERS: dict[str, Callable[[Tensor, Tensor, Recipe], Walker]] = {"l0": FewPixels, "l1": SparseSteps}
