"""Walks within a budget, on displayed images: the loop of every attack that finds its own step length.

L0, L1      few components (``sparse``)
L2, Linf    steps of adaptive length (``apgd``)

A proposal that the gradient pass calls flipped is judged by a float32 forward pass; an image that is done leaves.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from attacks.engine.apgd import AdaptiveSteps
from attacks.engine.batches import ROUNDED, search_batches
from attacks.engine.bookkeeping import start_noise
from attacks.engine.constraints import project, size
from attacks.engine.ddn import per_image
from attacks.engine.display import to_bytes, within_pixels
from attacks.engine.passes import LOSS_FUNCTIONS, Passes, reached
from attacks.engine.recipe import Recipe
from attacks.engine.results import PerturbationSet
from attacks.engine.sparse import FewPixels, SparseSteps
from core.errors import Progress, no_progress


class Walker(Protocol):
    """One batch's search within a budget. Images are (b, 3, h, w) in 0-255 units."""

    def shown(self) -> Tensor:
        """The next proposal: whole numbers 0-255."""
        ...

    def walk(self, gradient: Tensor, value: Tensor, flipped: Tensor, step: int, steps: int) -> None:
        """Move on, given the gradient of the loss at the proposal, the loss (b,), and whether it is flipped (b,)."""
        ...

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows only, given by their numbers."""
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
    """Attack uint8 images (n, 3, h, w) with classes int64 (n,) ; as ``attacks.engine.pgd.pgd``."""

    def search(rows: list[int], x: Tensor, y: Tensor, tell: Callable[[], None]) -> tuple[Tensor, Tensor]:
        walker = WALKERS[recipe.norm](x, _start(x, recipe, [first + row for row in rows]), recipe)
        return _descend(passes, walker, x, y, recipe, tell=tell)

    return search_batches(
        passes, images, labels, search, settings=recipe.as_dict(), confidence=recipe.confidence, progress=progress
    )


def _descend(
    passes: Passes, walker: Walker, x: Tensor, y: Tensor, recipe: Recipe, *, tell: Callable[[], None]
) -> tuple[Tensor, Tensor]:
    """The flipped proposal of each image, uint8 (b, 3, h, w), where there was none the one with the largest loss within
    the budget; and the number of steps taken, (b,)."""
    found, steps = to_bytes(x), torch.zeros(len(x), dtype=torch.int64)
    nearest, best = x, torch.full((len(x),), -torch.inf, device=x.device)
    rows = torch.arange(len(x))  # of those that still walk
    for step in range(recipe.steps + 1):
        tell()
        seen = walker.shown()
        logits, gradient = passes.ascend(seen, y, recipe.loss)
        value = LOSS_FUNCTIONS[recipe.loss](logits, y)
        flipped = reached(logits, y, recipe.confidence, passes.margin)
        inside = size(seen - x, recipe.norm) <= recipe.budget * (1 + ROUNDED)
        better = inside & ((value > best) | flipped)
        best = torch.where(better, value, best)
        nearest = torch.where(per_image(better), seen, nearest)
        over = (flipped & inside).cpu()  # the one wait for a GPU in a step that flips nothing
        ended = torch.zeros_like(over)
        if step and over.any():
            asked = _rows_of(over, x)
            ended[over] = reached(passes.logits(seen[asked]), y[asked], recipe.confidence, passes.margin).cpu()
        steps[rows] = step
        if ended.all() or step == recipe.steps:
            break
        walker.walk(gradient, value, flipped, step, recipe.steps)
        if ended.any():
            found[rows[ended]] = to_bytes(nearest[_rows_of(ended, x)])
            stay = _rows_of(~ended, x)
            walker.keep(stay)
            x, y, best, nearest, rows = x[stay], y[stay], best[stay], nearest[stay], rows[~ended]
    found[rows] = to_bytes(nearest)
    return found, steps


def _rows_of(chosen: Tensor, like: Tensor) -> Tensor:
    """The numbers of the chosen rows, (b,) bool on the CPU, as an index of ``like``, without waiting for a GPU."""
    return chosen.nonzero()[:, 0].to(like.device, non_blocking=True)


def _start(x: Tensor, recipe: Recipe, numbers: list[int]) -> Tensor:
    """Where the walk begins, (b, 3, h, w): nothing changed, or noise within the budget."""
    if not recipe.random_start:
        return torch.zeros_like(x)
    noise = np.stack([start_noise(recipe, number, tuple(x.shape[1:])) for number in numbers])
    delta = torch.from_numpy(noise).to(x.device)
    return within_pixels(x, project(delta, recipe.norm, recipe.budget))


WALKERS: dict[str, Callable[[Tensor, Tensor, Recipe], Walker]] = {
    "l0": FewPixels,
    "l1": lambda x, delta, recipe: SparseSteps(x, delta, recipe.budget),
    "l2": AdaptiveSteps,
    "linf": AdaptiveSteps,
}
