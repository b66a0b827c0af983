"""Verdicts: who decides when an image is done, and what is written down about it."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attacks.engine.constraints import displayed_norms
from attacks.engine.display import shown, to_bytes
from attacks.engine.passes import MARGIN, Passes, gap_of_label, lost, reached
from attacks.engine.pool import Pool, Rows
from attacks.engine.recipe import Recipe
from attacks.engine.results import PerturbationSet

NEAR = 50 * MARGIN
"""An original whose label leads by less is given a float32 forward pass before it is attacked."""


class Outcome:
    """The results of an attack while it runs; verdicts come from float32 forward passes of the network as given."""

    def __init__(self, passes: Passes, images: Tensor, labels: Tensor, recipe: Recipe):
        n, classes = len(images), passes.classes(images[:1])
        self.passes, self.recipe, self.images, self.labels = passes, recipe, images, labels
        self.displayed = images.clone()
        self.already_wrong, self.flipped_float, self.flipped, self.reached = np.zeros((4, n), dtype=bool)
        self.before, self.after = np.zeros((2, n, classes), dtype=np.float32)
        self.steps = np.zeros(n, dtype=np.int64)
        self.done = 0

    def still_right(self, pool: Pool, rows: Rows, logits: Tensor) -> NDArray[np.bool_]:
        """Which rows go on, (b,) bool, after a gradient pass gave these ``logits``; the others wait for a verdict."""
        y = pool.y[pool.place(rows)]
        fresh = (pool.steps[rows] == 0) & ~pool.judged[rows]
        self.before[pool.index[rows[fresh]]] = logits.softmax(1).cpu().numpy()[fresh]
        near = (gap_of_label(logits, y) > -NEAR).cpu().numpy()
        over = reached(logits, y, self.recipe.confidence).cpu().numpy()
        doubtful = np.where(pool.steps[rows] == 0, near, over) & ~pool.judged[rows]
        pool.suspect[rows[doubtful]] = True
        return ~doubtful

    def judge(self, pool: Pool, rows: Rows) -> None:
        """A float32 forward pass for these rows: done, or back to wait for a gradient."""
        place = pool.place(rows)
        logits = self.passes.logits(pool.seen[place])
        fresh = pool.steps[rows] == 0
        wrong = fresh & (logits.argmax(1) != pool.y[place]).cpu().numpy()
        self.before[pool.index[rows[fresh]]] = logits.softmax(1).cpu().numpy()[fresh]
        self.already_wrong[pool.index[rows[wrong]]] = True
        pool.delta[pool.place(rows[wrong])] = 0  # a random start waits there
        over = reached(logits, pool.y[place], self.recipe.confidence).cpu().numpy()
        ended = wrong | (~fresh & (over | (pool.steps[rows] >= self.recipe.steps)))
        self._write(pool, rows[ended], logits[torch.from_numpy(ended).to(logits.device)])
        pool.suspect[rows] = False
        pool.judged[rows] = True

    def _write(self, pool: Pool, rows: Rows, logits: Tensor) -> None:
        """Write down rows that ended; ``logits`` (b, classes) are those of the image that the attack looked at.

        The other image - the float one of an attack aware of rounding, the rounded one of an attack that is not - is
        asked about where it differs.
        """
        if not len(rows):
            return
        place, index, aware = pool.place(rows), pool.index[rows], self.recipe.rounding == "aware"
        x, seen, y = pool.x[place], pool.seen[place], pool.y[place]
        if aware:
            other = x + pool.delta[place]
        else:
            other = shown(x, pool.delta[place], self.recipe.norm, self.recipe.budget, self.recipe.rounding)
        differs = (other != seen).flatten(1).any(1)
        other_logits = logits.clone()
        if differs.any():
            other_logits[differs] = self.passes.logits(other[differs])
        on_float, on_bytes = (other_logits, logits) if aware else (logits, other_logits)

        attacked = ~self.already_wrong[index]
        self.displayed[torch.from_numpy(index)] = to_bytes(seen if aware else other)
        self.flipped_float[index] = lost(on_float, y).cpu().numpy() & attacked
        self.flipped[index] = lost(on_bytes, y).cpu().numpy() & attacked
        self.reached[index] = reached(on_bytes, y, self.recipe.confidence).cpu().numpy() & attacked
        self.after[index] = on_bytes.softmax(1).cpu().numpy()
        self.steps[index] = pool.steps[rows]
        self.done += len(rows)
        pool.release(rows)

    def result(self, seconds: float) -> PerturbationSet:
        """Everything written down, with the norms measured on the bytes."""
        return PerturbationSet(
            displayed=self.displayed,
            labels=self.labels.numpy(),
            already_wrong=self.already_wrong,
            flipped_float=self.flipped_float,
            flipped=self.flipped,
            reached=self.reached,
            before=self.before,
            after=self.after,
            steps=self.steps,
            norms=displayed_norms(self.images, self.displayed),
            settings=self.recipe.as_dict(),
            passes=dict(self.passes.count),
            seconds=seconds,
        )
