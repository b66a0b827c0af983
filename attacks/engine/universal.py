"""Universal perturbations (Foote et al. 2021, section 3.3, eq. 2): one delta that flips many images at once.

    delta <- project(delta + step(sum of the gradients of the loss at x_i + delta, i in the batch))

over the training positives, several passes. ``paper`` keeps to the letter: one example at a time, the raw
cross-entropy gradient, no budget unless one is given. Our rule takes mini-batches, the margin loss, leaves out examples
that are flipped already, and gives momentum's direction a step of fixed RMS; see docs/attacks.md for what each brings.
The loss "features" needs no labels: it moves what enters the network's head away from where it was.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from attacks.engine.api import check_images
from attacks.engine.constraints import project, size
from attacks.engine.curves import share
from attacks.engine.display import rounded
from attacks.engine.norms import MEASURED, check_reachable
from attacks.engine.passes import Passes, gap_of_label
from attacks.engine.recipe import UniversalRecipe, universal_recipe
from attacks.engine.results import PerturbationSet
from core.errors import InvalidInput, Progress, no_progress


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
    recipe, passes = universal_recipe(**settings), Passes(network, device=device)
    labels = check_images(passes, images, labels)
    if not recipe.paper:
        check_reachable(recipe.norm, recipe.budget, *images.shape[2:])
    return learn(passes, images, labels, recipe, progress=progress)


def learn(
    passes: Passes, images: Tensor, labels: Tensor, recipe: UniversalRecipe, *, progress: Progress = no_progress
) -> Universal:
    """``universal`` on prepared passes; labels int64 (n,)."""
    started = time.perf_counter()
    right = (passes.judge(images).argmax(1) == labels).nonzero()[:, 0]  # the others need no perturbation
    if recipe.loss == "features":
        right = torch.arange(len(images))
    if not len(right):
        raise InvalidInput("The network gets every image wrong already: there is none to learn a perturbation on.")
    draw = torch.Generator().manual_seed(recipe.seed)
    delta = torch.zeros(1, *images.shape[1:], device=passes.device)  # (1, 3, h, w)
    direction = torch.zeros_like(delta)
    step_count = recipe.passes * math.ceil(len(right) / recipe.batch)
    history, steps = [], 0
    for number in range(recipe.passes):
        flipped = 0
        for part in right[torch.randperm(len(right), generator=draw)].split(recipe.batch):
            x, y = passes.floats(images[part]), labels[part].to(passes.device)  # (b, 3, h, w), (b,)
            logits, gradient = _ascend(passes, x, look(delta, recipe), y, recipe, draw)
            gap = gap_of_label(logits, y)  # (b,), above 0 where another class leads
            flipped += int((gap > 0).sum())

            useful = ((gap < recipe.lead) | (recipe.loss == "features")).to(gradient.dtype).reshape(-1, 1, 1, 1)
            if useful.any():
                direction = recipe.momentum * direction + (useful * gradient).mean(0, keepdim=True)
                moved = delta + step(direction, recipe, steps / step_count)
                delta = project(moved, recipe.norm, recipe.budget).clamp(-255, 255)  # eq. 2
            steps += 1
            progress(steps, step_count)
        history.append(_after_pass(number + 1, flipped / len(right), look(delta, recipe)))
    whole = rounded(delta, recipe.norm, recipe.budget, "nearest" if recipe.paper else "aware")
    return Universal(
        delta=whole[0].to(torch.int16).cpu(),
        history=history,
        settings=recipe.as_dict(),
        passes=dict(passes.count),
        seconds=time.perf_counter() - started,
    )


def _ascend(
    passes: Passes, x: Tensor, delta: Tensor, y: Tensor, recipe: UniversalRecipe, draw: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Logits (b, classes) and the gradient of the loss, (b, 3, h, w), at images (b, 3, h, w) with ``delta`` on them."""
    if recipe.loss != "features":
        return passes.ascend((x + delta).clamp(0, 255), y, recipe.loss)
    if not delta.any():  # nothing has moved yet, so that there is no way away: a first step at random
        delta = torch.randint(0, 2, tuple(delta.shape), generator=draw).to(x) * 2 - 1
    return passes.ascend_features((x + delta).clamp(0, 255), passes.features(x))


def _after_pass(number: int, flipped: float, delta: Tensor) -> dict[str, float]:
    """A line of the history: the share flipped when last seen in this pass, the norms of ``delta`` (1, 3, h, w)."""
    return {"pass": number, "flipped_when_seen": flipped} | {norm: float(size(delta, norm)) for norm in MEASURED}


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


def random_signs(learned: Universal, *, seed: int) -> Universal:
    """Noise to compare with: every component's magnitude kept, its sign and its place drawn at random."""
    draw = np.random.default_rng(seed)
    values = learned.delta.numpy().reshape(3, -1)
    values = values[:, draw.permutation(values.shape[1])] * draw.choice([-1, 1], size=values.shape)
    delta = torch.from_numpy(values.astype(np.int16)).reshape(learned.delta.shape)
    return Universal(delta=delta, history=[], settings={"noise_seed": seed})


def judged(passes: Passes, images: Tensor, labels: Tensor, learned: Universal) -> PerturbationSet:
    """The perturbation on uint8 images (n, 3, h, w), seen or not, judged on the displayed bytes."""
    started = time.perf_counter()
    before = passes.judge(images)
    wrong = before.argmax(1) != labels
    return PerturbationSet.of_whole_numbers(
        passes,
        images,
        torch.where(wrong.reshape(-1, 1, 1, 1), images, learned.on(images)),
        labels,
        before=before,
        started=started,
        steps=(~wrong).to(torch.int64).numpy(),
        settings=learned.settings,
    )


def flipped_share(perturbed: PerturbationSet) -> dict[str, Any]:
    """Of the images that were right before, the share that is flipped on displayed bytes."""
    return share(int(perturbed.flipped.sum()), int((~perturbed.already_wrong).sum()))


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
        learned = learn(passes, images[order[:k]], labels[order[:k]], recipe)
        rows.append({"training": k} | learned.norms() | flipped_share(judged(passes, *unseen, learned)))
        progress(place + 1, len(sizes))
    return rows
