"""What the engine offers to callers: ``attack(network, images, labels, norm=..., budget=...)``, and its checks."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from attacks.engine.masking import warnings_about
from attacks.engine.norms import check_reachable
from attacks.engine.passes import Passes
from attacks.engine.pgd import pgd
from attacks.engine.recipe import recipe
from attacks.engine.results import PerturbationSet
from core.errors import InvalidInput, Progress, no_progress


def attack(
    network: nn.Module,
    images: Tensor,
    labels: Any,
    *,
    norm: str,
    budget: float | None = None,
    device: str | torch.device | None = None,
    batch_size: int | None = None,
    amp: bool = False,
    first: int = 0,
    warn: bool = True,
    progress: Progress = no_progress,
    **settings: Any,
) -> PerturbationSet:
    """Perturb each image until the network's answer on the displayed bytes is another than its label (eq. 1).

    network   takes floats (n, 3, h, w) in [0, 1], answers with logits (n, classes), two classes or more; it is copied
              and left as it is
    images    uint8 (n, 3, h, w)
    labels    (n,) reference classes
    norm      "none", "l0", "l1", "l2" or "linf"; ``budget`` in 0-255 units on displayed bytes (l0: share of pixels)
    settings  ``steps, step_rule, step_size, loss, confidence, rounding, random_start, paper, seed``: see
              ``attacks.engine.recipe``
    warn      ask a few images whether what did not flip is robust, or the gradient hidden: ``warnings`` of the result
    amp       bfloat16 gradients on CUDA, where they are TF32 otherwise; verdicts are float32

    The same arguments on the same device with the same number of threads give the same bytes. Raises InvalidInput for
    images of another type or shape, labels out of range, settings out of range, weights that are not finite.
    """
    chosen = recipe(norm=norm, budget=budget, **settings)
    passes = Passes(network, device=device, amp=amp)
    passes.batch = batch_size or passes.batch
    targets = check_images(passes, images, labels)
    if chosen.rounding == "aware":  # the others judge on floats, too, and may show what rounding does
        check_reachable(norm, chosen.budget, *images.shape[2:])
    found = pgd(passes, images, targets, chosen, first=first, progress=progress)
    if not warn:
        return found
    right = ~found.already_wrong
    told = warnings_about(passes, images[right], targets[right], found.flipped[right], chosen, seed=chosen.seed)
    return replace(found, warnings=[one.as_dict() for one in told])


def check_images(passes: Passes, images: Any, labels: Any) -> Tensor:
    """The labels as int64 (n,) on the CPU, or InvalidInput about the images, the labels or the network's answer."""
    if not isinstance(images, Tensor) or images.dtype != torch.uint8:
        actual = f"a tensor of {images.dtype}" if isinstance(images, Tensor) else type(images).__name__
        raise InvalidInput(f"Images must be a uint8 tensor (n, 3, h, w) of values 0-255, not {actual}.")
    if images.ndim != 4 or images.shape[1] != 3 or not images.numel():
        hint = "; channels come second: images.permute(0, 3, 1, 2)" if images.ndim == 4 and images.shape[3] == 3 else ""
        raise InvalidInput(
            f"Images must have shape (n, 3, h, w) with n of at least 1, not {tuple(images.shape)}{hint}."
        )
    targets = torch.as_tensor(np.asarray(labels)).reshape(-1)
    if len(targets) != len(images):
        raise InvalidInput(f"There are {len(images)} images but {len(targets)} labels.")
    if targets.is_floating_point() and not (targets == targets.round()).all():
        raise InvalidInput("Labels must be whole numbers: the index of each image's class.")
    targets = targets.to(torch.int64)
    classes = passes.classes(images[:1])
    passes.check(images)
    if targets.min() < 0 or targets.max() >= classes:
        row = int(((targets < 0) | (targets >= classes)).nonzero()[0])
        raise InvalidInput(f"Label {int(targets[row])} of image {row} is not one of the network's {classes} classes.")
    return targets
