"""Verdicts: when an image is done, and what is written down about it."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attacks.engine.constraints import displayed_norms
from attacks.engine.display import shown, to_bytes
from attacks.engine.passes import Passes, gap_of_label, lost, reached
from attacks.engine.pool import Batch
from attacks.engine.recipe import Recipe
from attacks.engine.results import PerturbationSet
from attacks.engine.soundness import check_finite

NEAR = 50
"""An original whose label leads by less than so many margins is given a float32 forward pass before it is attacked.
Where gradients come from a folded or a rough network, every original is."""


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

    def doubtful(self, batch: Batch, logits: Tensor) -> NDArray[np.bool_]:
        """Who needs a verdict, (b,) bool, before a step is taken: by the ``logits`` (b, classes) of a gradient pass, on
        the CPU.

        Another class leads, or the image is an original whose label hardly does.
        """
        check_finite(logits, lambda row: int(batch.index[row]))
        unseen = batch.fresh & ~batch.judged
        self.before[batch.index[unseen]] = logits.softmax(1).numpy()[unseen]
        near = (gap_of_label(logits, batch.labels) > -NEAR * self.passes.margin).numpy()
        over = reached(logits, batch.labels, self.recipe.confidence, self.passes.margin).numpy()
        return np.where(batch.fresh, near, over) & ~batch.judged

    def judge(self, batch: Batch) -> tuple[NDArray[np.bool_], Tensor]:
        """Whose attack ends, (b,) bool, by a float32 forward pass, and its logits (b, classes) on the CPU; what became
        of them is written down."""
        logits, labels = self.passes.logits(batch.seen).cpu(), batch.labels
        check_finite(logits, lambda row: int(batch.index[row]))
        fresh = batch.fresh
        wrong = fresh & (logits.argmax(1) != labels).numpy()
        self.before[batch.index[fresh]] = logits.softmax(1).numpy()[fresh]
        self.already_wrong[batch.index[wrong]] = True
        batch.pool.delta[batch.only(wrong).place] = 0  # a random start waits there
        over = reached(logits, labels, self.recipe.confidence, self.passes.margin).numpy()
        ended = wrong | (~fresh & (over | (batch.steps >= self.recipe.steps)))
        if ended.any():
            self._write(batch.only(ended), logits[torch.from_numpy(ended)])
        return ended, logits

    def _write(self, batch: Batch, logits: Tensor) -> None:
        """Write down images that ended; ``logits`` (b, classes), on the CPU, are those of the image that was looked at.

        The other image - the float one of an attack aware of rounding, the rounded one of an attack that is not - is
        asked about where it differs.
        """
        x, delta, seen, y, index = batch.x, batch.delta, batch.seen, batch.labels, batch.index
        aware = self.recipe.rounding == "aware"
        other = x + delta if aware else shown(x, delta, self.recipe.norm, self.recipe.budget, self.recipe.rounding)
        differs = (other != seen).flatten(1).any(1).cpu()
        other_logits = logits.clone()
        if differs.any():
            other_logits[differs] = self.passes.logits(other[differs]).cpu()
        on_float, on_bytes = (other_logits, logits) if aware else (logits, other_logits)

        attacked = ~self.already_wrong[index]
        self.displayed.numpy()[index] = to_bytes(seen if aware else other).numpy()  # rows copied whole
        self.flipped_float[index] = lost(on_float, y, self.passes.margin).numpy() & attacked
        self.flipped[index] = lost(on_bytes, y, self.passes.margin).numpy() & attacked
        over = reached(on_bytes, y, self.recipe.confidence, self.passes.margin)
        self.reached[index] = over.numpy() & attacked
        self.after[index] = on_bytes.softmax(1).numpy()
        self.steps[index] = batch.steps
        self.done += len(batch)

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
            norms=displayed_norms(self.images, self.displayed, device=self.passes.device),
            settings=self.recipe.as_dict(),
            margin=self.passes.margin,
            passes=dict(self.passes.count),
            seconds=seconds,
        )
