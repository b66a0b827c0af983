"""Minimal perturbations: for each image the smallest displayed perturbation, by one adaptive run.

A walker (``ddn``, ``fmn``, ``sigma_zero``: one paper each) proposes whole-number images; its budget shrinks while the
image is flipped and grows while it is not. The smallest flipped proposal is kept (``descend``), and judged by a float32
forward pass in the end (``search``).
"""

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from attacks.engine.api import check_images
from attacks.engine.batches import ROUNDED, search_batches
from attacks.engine.constraints import size
from attacks.engine.ddn import DecoupledDirection, per_image
from attacks.engine.display import to_bytes
from attacks.engine.fmn import FewestLevels, LowestCap
from attacks.engine.norms import Norm
from attacks.engine.passes import Passes, gap_of_label
from attacks.engine.recipe import MinimalRecipe, minimal_recipe
from attacks.engine.results import PerturbationSet
from attacks.engine.sigma_zero import SigmaZero
from core.errors import Progress, no_progress


class Walker(Protocol):
    """One batch's search. Images are (b, 3, h, w) in 0-255 units."""

    def shown(self) -> Tensor:
        """The next proposal: whole numbers 0-255."""
        ...

    def walk(self, gradient: Tensor, gap: Tensor, flipped: Tensor, done: float) -> None:
        """Move on, given the gradient of the margin at the proposal, the lead of another class (b,), whether it is
        flipped (b,), and the share of the run that is over."""
        ...


WALKERS: dict[str, Callable[[Tensor], Walker]] = {
    "l0": SigmaZero,
    "l1": FewestLevels,
    "l1-rescaled": lambda x: DecoupledDirection(x, "l1"),
    "l2": lambda x: DecoupledDirection(x, "l2"),
    "linf": LowestCap,
}


def minimal(
    network: nn.Module,
    images: Tensor,
    labels: Any,
    *,
    norm: str,
    rescaled: bool = False,
    steps: int | None = None,
    seed: int = 0,
    device: str | torch.device | None = None,
    batch_size: int | None = None,
    progress: Progress = no_progress,
) -> PerturbationSet:
    """The smallest displayed perturbation of each uint8 image (n, 3, h, w) that another class wins.

    Arguments and errors as in ``attacks.engine.attack``. Images for which none was found keep their original bytes
    and are not ``flipped``.
    """
    recipe = minimal_recipe(norm=norm, rescaled=rescaled, steps=steps, seed=seed)
    passes = Passes(network, device=device)
    passes.batch = batch_size or passes.batch
    return search(passes, images, check_images(passes, images, labels), recipe, progress=progress)


def search(
    passes: Passes,
    images: Tensor,
    labels: Tensor,
    recipe: MinimalRecipe,
    *,
    budget: float = 0.0,
    progress: Progress = no_progress,
) -> PerturbationSet:
    """``minimal`` on prepared passes; labels int64 (n,).

    With a ``budget`` a batch is done once all of it is flipped within; what is longer counts as not flipped, and keeps
    its original bytes.
    """

    def of_batch(rows: list[int], x: Tensor, y: Tensor, tell: Callable[[], None]) -> tuple[Tensor, int]:
        tell()
        found = descend(passes, x, y, recipe, enough=budget)
        if budget:
            longer = size(found - x, recipe.norm) > budget * (1 + ROUNDED)
            found = torch.where(longer.reshape(-1, 1, 1, 1), x, found)
        return to_bytes(found), recipe.steps

    return search_batches(passes, images, labels, of_batch, settings=recipe.as_dict(), progress=progress)


def descend(passes: Passes, x: Tensor, y: Tensor, recipe: MinimalRecipe, *, enough: float = 0.0) -> Tensor:
    """The smallest flipped proposal of each image, (b, 3, h, w) whole numbers; the original where there was none.

    It ends early once all of them are as short as ``enough``.
    """
    walker = WALKERS[recipe.search](x)
    smallest, length = x, torch.full((len(x),), torch.inf, device=x.device)
    for step in range(recipe.steps):
        seen = walker.shown()  # (b, 3, h, w), whole numbers
        logits, gradient = passes.ascend(seen, y)  # (b, classes), (b, 3, h, w)
        gap = gap_of_label(logits, y)  # (b,), above 0 where another class leads
        flipped = gap >= 2 * passes.margin

        reach = size(seen - x, recipe.norm)
        better = flipped & (reach < length)
        smallest, length = torch.where(per_image(better), seen, smallest), torch.where(better, reach, length)
        if (length <= max(enough, least(recipe.norm, x))).all():
            break  # by default: no displayed perturbation is smaller

        walker.walk(gradient, gap, flipped, step / recipe.steps)
    return smallest


def least(norm: Norm, x: Tensor) -> float:
    """The norm of one grey level in one component of one image: nothing smaller can be shown."""
    components = x[0].numel()
    return {"l0": 3 / components, "l1": 1 / components, "l2": components**-0.5, "linf": 1.0}[norm] * (1 + 1e-6)
