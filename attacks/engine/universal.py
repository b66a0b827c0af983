"""Universal perturbations (section 3.3, eq. 2): one delta that flips many images at once.

    delta <- project(delta + step(sum of the gradients of the loss at x_i + delta, i in the batch))

over the training positives, several passes. ``paper`` keeps to the letter: one example at a time, the raw
cross-entropy gradient, no budget unless one is given. Our rule takes mini-batches, the margin loss, leaves out examples
that are flipped already, and gives momentum's direction a step of fixed RMS; see docs/attacks.md for what each brings.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from attacks.engine.api import check_images
from attacks.engine.constraints import check_budget, project, size
from attacks.engine.curves import share
from attacks.engine.display import rounded
from attacks.engine.norms import MEASURED, Norm
from attacks.engine.passes import LOSSES, Loss, Passes, gap_of_label
from attacks.engine.results import PerturbationSet
from core.errors import InvalidInput, Progress, no_progress


@dataclass(frozen=True)
class UniversalRecipe:
    """Everything that determines the bytes, but for network, images and device. Lengths are in 0-255 units.

    passes      times that every example is seen
    batch       examples per step
    step_size   raw (paper): times the gradient; else RMS of the first step, annealed to a tenth
    momentum    share of the direction so far that is kept (0: none)
    lead        examples whose other class leads by this many logits are left out of the step (infinite: never)
    """

    norm: Norm
    budget: float
    paper: bool
    passes: int
    batch: int
    step_size: float
    momentum: float
    loss: Loss
    lead: float
    seed: int

    def as_dict(self) -> dict[str, Any]:
        """For storing: plain JSON, infinities as null."""
        return {key: None if value == math.inf else value for key, value in asdict(self).items()}


@dataclass(frozen=True)
class Universal:
    """One perturbation in whole grey levels, and how it grew."""

    delta: Tensor  # int16 (3, h, w), on the CPU
    history: list[dict[str, float]]  # per pass: its norms, and the share flipped when last seen in that pass
    settings: dict[str, Any]
    passes: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    def on(self, images: Tensor) -> Tensor:
        """uint8 (n, 3, h, w) with the perturbation added and cut to 0-255."""
        return (images.to(torch.int16) + self.delta).clamp(0, 255).to(torch.uint8)

    def norms(self) -> dict[str, float]:
        """Of the perturbation itself; on an image it can be less, where pixels are black or white already."""
        return {norm: float(size(self.delta[None], norm)) for norm in MEASURED}


def universal_recipe(
    *,
    norm: str = "linf",
    budget: float | None = None,
    paper: bool = False,
    passes: int | None = None,
    batch: int | None = None,
    step_size: float | None = None,
    momentum: float | None = None,
    loss: str | None = None,
    lead: float | None = None,
    seed: int = 0,
) -> UniversalRecipe:
    """A checked recipe with the defaults of the paper's rule or of ours; InvalidInput names what is out of range."""
    limit = check_budget(norm, budget)
    found = UniversalRecipe(
        norm=norm,  # type: ignore[arg-type]
        budget=limit,
        paper=paper,
        passes=(5 if paper else 10) if passes is None else passes,
        batch=(1 if paper else 16) if batch is None else batch,
        step_size=(1000.0 if paper else default_step(norm, limit)) if step_size is None else step_size,
        momentum=(0.0 if paper else 0.9) if momentum is None else momentum,
        loss=("ce" if paper else "margin") if loss is None else loss,  # type: ignore[arg-type]
        lead=(math.inf if paper else 1.0) if lead is None else lead,
        seed=seed,
    )
    if found.loss not in LOSSES:
        raise InvalidInput(f"The loss {found.loss!r} is not one of {', '.join(LOSSES)}.")
    if not 0 <= found.momentum < 1:
        raise InvalidInput(f"Momentum is from 0 up to, but not, 1; {found.momentum:g} is not.")
    if found.passes < 1 or found.batch < 1 or not found.step_size > 0:
        raise InvalidInput("Passes and batch are at least 1, and the step size is above 0.")
    return found


def default_step(norm: str, budget: float) -> float:
    """A tenth of the budget in RMS; one grey level without a budget. An L0 share allows 16 levels in its pixels."""
    if norm == "none":
        return 1.0
    return 16.0 if norm == "l0" else budget / 10


def universal(
    network: nn.Module,
    images: Tensor,
    labels: Any,
    *,
    device: str | torch.device | None = None,
    progress: Progress = no_progress,
    **settings: Any,
) -> Universal:
    """One perturbation learned on uint8 images (n, 3, h, w) (the training positives) with ``labels`` (n,).

    ``settings``: see ``universal_recipe``. Images that the network gets wrong already are left out. Raises
    InvalidInput as ``attacks.engine.attack`` does, and if no image is left.
    """
    passes = Passes(network, device=device)
    return learn(passes, images, check_images(passes, images, labels), universal_recipe(**settings), progress=progress)


def learn(
    passes: Passes, images: Tensor, labels: Tensor, recipe: UniversalRecipe, *, progress: Progress = no_progress
) -> Universal:
    """``universal`` on prepared passes; labels int64 (n,)."""
    started = time.perf_counter()
    right = (passes.judge(images).argmax(1) == labels).nonzero()[:, 0]
    if not len(right):
        raise InvalidInput("The network gets every image wrong already: there is none to learn a perturbation on.")
    draw = torch.Generator().manual_seed(recipe.seed)
    delta = torch.zeros(1, *images.shape[1:], device=passes.device)
    direction = torch.zeros_like(delta)
    batches = math.ceil(len(right) / recipe.batch)
    history = []
    for number in range(recipe.passes):
        flipped = 0
        order = right[torch.randperm(len(right), generator=draw)]
        for place, part in enumerate(order.split(recipe.batch)):
            x, y = images[part].to(passes.device, torch.float32), labels[part].to(passes.device)
            logits, gradient = passes.ascend((x + look(delta, recipe)).clamp(0, 255), y, recipe.loss)
            gap = gap_of_label(logits, y)
            flipped += int((gap > 0).sum())

            useful = (gap < recipe.lead).to(gradient.dtype).reshape(-1, 1, 1, 1)
            done = (number * batches + place) / (recipe.passes * batches)
            if useful.any():
                direction = recipe.momentum * direction + (useful * gradient).mean(0, keepdim=True)
                delta = project(delta + step(direction, recipe, done), recipe.norm, recipe.budget)
                delta = delta.clamp(-255, 255)
            progress(number * batches + place + 1, recipe.passes * batches)
        whole = look(delta, recipe)
        history.append(
            {"pass": number + 1, "flipped_when_seen": flipped / len(right)}
            | {norm: float(size(whole, norm)) for norm in MEASURED}
        )
    whole = rounded(delta, recipe.norm, recipe.budget, "nearest" if recipe.paper else "aware")
    return Universal(
        delta=whole[0].to(torch.int16).cpu(),
        history=history,
        settings=recipe.as_dict(),
        passes=dict(passes.count),
        seconds=time.perf_counter() - started,
    )


def look(delta: Tensor, recipe: UniversalRecipe) -> Tensor:
    """What the network meets while learning: whole grey levels, but floats for the paper's rule."""
    return delta if recipe.paper else rounded(delta, recipe.norm, recipe.budget)


def step(direction: Tensor, recipe: UniversalRecipe, done: float) -> Tensor:
    """The step along ``direction`` (1, 3, h, w): raw for the paper's rule, else of fixed RMS, annealed to a tenth."""
    if recipe.paper:
        return recipe.step_size * direction
    length = recipe.step_size * (0.1 + 0.9 * (1 + math.cos(math.pi * done)) / 2)
    if recipe.norm == "linf":
        return length * direction.sign()
    return length * direction / size(direction, "l2").clamp_min(1e-30)


def random_signs(found: Universal, *, seed: int) -> Universal:
    """Noise to compare with: every component's magnitude kept, its sign and its place drawn at random."""
    draw = np.random.default_rng(seed)
    values = found.delta.numpy().reshape(3, -1)
    values = values[:, draw.permutation(values.shape[1])] * draw.choice([-1, 1], size=values.shape)
    delta = torch.from_numpy(values.astype(np.int16)).reshape(found.delta.shape)
    return Universal(delta=delta, history=[], settings={"noise_seed": seed})


def judged(passes: Passes, images: Tensor, labels: Tensor, found: Universal) -> PerturbationSet:
    """The perturbation on uint8 images (n, 3, h, w), seen or not, judged on the displayed bytes."""
    started = time.perf_counter()
    before = passes.judge(images)
    wrong = before.argmax(1) != labels
    displayed = torch.where(wrong.reshape(-1, 1, 1, 1), images, found.on(images))
    made = {"steps": (~wrong).to(torch.int64).numpy(), "settings": found.settings}
    return PerturbationSet.of_whole_numbers(passes, images, displayed, labels, before=before, started=started, **made)


def flipped_share(found: PerturbationSet) -> dict[str, Any]:
    """Of the images that were right before, the share that is flipped on displayed bytes."""
    return share(int(found.flipped.sum()), int((~found.already_wrong).sum()))


def by_training_size(
    passes: Passes,
    seen: tuple[Tensor, Tensor],
    unseen: tuple[Tensor, Tensor],
    recipe: UniversalRecipe,
    sizes: Sequence[int],
    *,
    progress: Progress = no_progress,
) -> list[dict[str, Any]]:
    """Success on unseen images against the number of training images: the first k of one seeded order, for each k."""
    images, labels = seen
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(recipe.seed))
    rows = []
    for place, k in enumerate(sizes):
        if not 1 <= k <= len(images):
            raise InvalidInput(
                f"A training size of {k} is not from 1 to {len(images)}, the number of training positives."
            )
        found = learn(passes, images[order[:k]], labels[order[:k]], recipe)
        rows.append({"training": k} | found.norms() | flipped_share(judged(passes, *unseen, found)))
        progress(place + 1, len(sizes))
    return rows
