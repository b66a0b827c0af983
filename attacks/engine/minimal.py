"""Minimal perturbations: for each image the smallest displayed perturbation, by one adaptive run.

A walker (``ddn``, ``fmn``, ``sigma_zero``) proposes whole-number images; its budget shrinks while the image is flipped
and grows while it is not. The smallest flipped proposal is kept, and judged by a float32 forward pass in the end.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from attacks.engine.api import check_images
from attacks.engine.constraints import size
from attacks.engine.ddn import DecoupledDirection
from attacks.engine.display import to_bytes
from attacks.engine.fmn import FewestLevels, LowestCap
from attacks.engine.norms import MEASURED, Norm
from attacks.engine.passes import MARGIN, Passes, gap_of_label
from attacks.engine.results import PerturbationSet
from attacks.engine.sigma_zero import SigmaZero
from core.errors import InvalidInput, Progress, no_progress


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
DEFAULT_STEPS = {"l0": 100, "l1": 50, "l1-rescaled": 50, "l2": 50, "linf": 30}


@dataclass(frozen=True)
class MinimalRecipe:
    """Everything that determines the bytes, but for network, images and device.

    ``rescaled`` (L1 only) searches along the paper's rescaled direction instead of for the true minimum of L1, which
    is sparse and about a quarter as large.
    """

    norm: Norm
    rescaled: bool
    steps: int
    seed: int

    @property
    def search(self) -> str:
        return f"{self.norm}-rescaled" if self.rescaled else self.norm

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"search": self.search}


def minimal_recipe(*, norm: str, rescaled: bool = False, steps: int | None = None, seed: int = 0) -> MinimalRecipe:
    """A checked recipe; InvalidInput names what is out of range."""
    if norm not in MEASURED:
        raise InvalidInput(
            f"A minimal perturbation is minimal in one of {', '.join(MEASURED)}; {norm!r} is none of them."
        )
    if rescaled and norm != "l1":
        raise InvalidInput(f"Only L1 has a rescaled form of its own (section 2.2); {norm} has not.")
    if steps is not None and steps < 2:
        raise InvalidInput(f"A minimal perturbation takes at least 2 steps, not {steps}.")
    chosen = steps or DEFAULT_STEPS["l1-rescaled" if rescaled else norm]
    return MinimalRecipe(norm, rescaled, chosen, seed)


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
    passes: Passes, images: Tensor, labels: Tensor, recipe: MinimalRecipe, *, progress: Progress = no_progress
) -> PerturbationSet:
    """``minimal`` on prepared passes; labels int64 (n,)."""
    started = time.perf_counter()
    before = passes.judge(images)
    already_wrong = before.argmax(1) != labels
    displayed, steps = images.clone(), torch.zeros(len(images), dtype=torch.int64)
    todo = (~already_wrong).nonzero()[:, 0]
    done = len(images) - len(todo)
    progress(done, len(images))
    for part in todo.split(passes.batch) if len(todo) else ():
        x = images[part].to(passes.device, torch.float32)
        smallest = descend(passes, x, labels[part].to(passes.device), recipe)
        displayed[part] = to_bytes(smallest)
        steps[part] = recipe.steps
        done += len(part)
        progress(done, len(images))
    made = {"steps": steps.numpy(), "settings": recipe.as_dict()}
    return PerturbationSet.of_whole_numbers(passes, images, displayed, labels, before=before, started=started, **made)


def descend(passes: Passes, x: Tensor, y: Tensor, recipe: MinimalRecipe) -> Tensor:
    """The smallest flipped proposal of each image, (b, 3, h, w) whole numbers; the original where there was none."""
    walker = WALKERS[recipe.search](x)
    smallest, length = x.clone(), torch.full((len(x),), torch.inf, device=x.device)
    for step in range(recipe.steps):
        seen = walker.shown()
        logits, gradient = passes.ascend(seen, y)
        gap = gap_of_label(logits, y)
        flipped = gap >= 2 * MARGIN
        reach = size(seen - x, recipe.norm)
        better = flipped & (reach < length)
        smallest[better], length[better] = seen[better], reach[better]
        if (length <= least(recipe.norm, x)).all():
            break  # no displayed perturbation is smaller
        walker.walk(gradient, gap, flipped, step / recipe.steps)
    return smallest


def least(norm: Norm, x: Tensor) -> float:
    """The norm of one grey level in one component of one image: nothing smaller can be shown."""
    components = x[0].numel()
    return {"l0": 3 / components, "l1": 1 / components, "l2": components**-0.5, "linf": 1.0}[norm] * (1 + 1e-6)
