"""The frame of every search whose proposals are displayed images: judge, search a batch at a time, judge again."""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from attacks.engine.passes import Passes
from attacks.engine.results import PerturbationSet
from core.errors import Progress, no_progress

ROUNDED = 1e-6
"""By which a length of whole grey levels, added up in float32, may seem to exceed its budget."""

Search = Callable[[list[int], Tensor, Tensor, Callable[[], None]], tuple[Tensor, Tensor | int]]
"""``rows``, images (b, 3, h, w) in 0-255 units, classes (b,), and what to call at every pass (a job is stopped from
there); returns displayed images, uint8 (b, 3, h, w), and the steps taken, (b,) or one number for all."""


def search_batches(
    passes: Passes,
    images: Tensor,
    labels: Tensor,
    search: Search,
    *,
    settings: dict[str, Any],
    confidence: float = 0.0,
    progress: Progress = no_progress,
) -> PerturbationSet:
    """Search for each uint8 image (n, 3, h, w) whose class, int64 (n,), the network gets right; the others are
    reported, and left as they are."""
    started = time.perf_counter()
    logits = []
    for part in images.split(passes.batch):
        logits.append(passes.judge(part))
        progress(0, len(images))
    before = torch.cat(logits)
    right = (before.argmax(1) == labels).nonzero()[:, 0]
    displayed, steps = images.clone(), torch.zeros(len(images), dtype=torch.int64)
    done = len(images) - len(right)
    for rows in right.split(passes.batch) if len(right) else ():
        x, y = passes.floats(images[rows]), labels[rows].to(passes.device)

        def tell(done: int = done) -> None:
            progress(done, len(images))

        displayed[rows], steps[rows] = search(rows.tolist(), x, y, tell)
        done += len(rows)
    progress(done, len(images))
    return PerturbationSet.of_whole_numbers(
        passes,
        images,
        displayed,
        labels,
        before=before,
        started=started,
        steps=steps.numpy(),
        confidence=confidence,
        settings=settings,
    )
