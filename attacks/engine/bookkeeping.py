"""The bookkeeping of projected gradient descent: who moves next, whose verdict is due, who is done.

An image under attack waits for a gradient until there is a sign that its label is lost: a gradient pass in which
another class leads, or the forecast. Then it is a suspect and waits for a verdict: a float32 forward pass of the
network as it was handed over. Both are done a full batch at a time, and an image that is done makes room for the next.
Nothing here changes a byte (``tests/attacks/test_pgd.py`` compares with the plain loop); it saves passes.
"""

import time

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attacks.engine.forecast import Forecast
from attacks.engine.outcome import Outcome
from attacks.engine.passes import Passes
from attacks.engine.pool import Batch, Pool
from attacks.engine.recipe import Recipe
from attacks.engine.results import PerturbationSet


class Run:
    """One run of ``pgd`` on uint8 images (n, 3, h, w) with classes int64 (n,)."""

    def __init__(self, passes: Passes, images: Tensor, labels: Tensor, recipe: Recipe, *, first: int):
        self.started = time.perf_counter()
        self.passes, self.recipe, self.first = passes, recipe, first
        self.outcome = Outcome(passes, images, labels, recipe)
        self.pool = Pool(images, labels, places=3 * passes.batch, device=passes.device)
        self.forecast = Forecast(self.pool.places, recipe.loss)
        self._refill()

    @property
    def unfinished(self) -> bool:
        return self.pool.busy

    @property
    def done(self) -> int:
        """Images that have their final verdict."""
        return self.outcome.done

    def suspects(self) -> Batch:
        """A batch that waits for a verdict; an empty one while the batch is not full and others can still move."""
        return self.pool.suspects(enough=self.passes.batch)

    def judge(self, batch: Batch) -> None:
        """A float32 forward pass for these: done, or back to wait for a gradient. Others take the places left."""
        ended, logits = self.outcome.judge(batch)
        self.forecast.learn(batch, logits)
        self.pool.suspect[batch.rows] = False
        self.pool.judged[batch.rows] = True
        self.pool.release(batch.rows[ended])
        self._refill()

    def next_batch(self) -> Batch:
        """The next images that wait for a gradient."""
        return self.pool.waiting(most=self.passes.batch)

    def without_suspects(self, batch: Batch, logits: Tensor, gradient: Tensor) -> tuple[Batch, Tensor]:
        """Those that move on, and their gradients: without those whose ``logits`` (b, classes) call for a verdict."""
        logits = logits.cpu()  # the one wait for a GPU here: everything below is arithmetic on the CPU
        self.forecast.learn(batch, logits)
        doubtful = self.outcome.doubtful(batch, logits)
        if not doubtful.any():
            return batch, gradient
        self.pool.suspect[batch.rows[doubtful]] = True
        stay = torch.from_numpy(np.flatnonzero(~doubtful)).to(gradient.device, non_blocking=True)
        return batch.only(~doubtful), gradient[stay]

    def moved(self, batch: Batch, delta: Tensor, seen: Tensor, gradient: Tensor) -> None:
        """Keep a step's perturbation and image, both (b, 3, h, w), and say who is a suspect after it."""
        flips = self.forecast.flips(batch, gradient, seen - batch.seen)
        self.pool.delta[batch.place] = delta
        self.pool.seen[batch.place] = seen
        self.pool.steps[batch.rows] += 1
        self.pool.judged[batch.rows] = False
        self.pool.suspect[batch.rows] = flips | (self.pool.steps[batch.rows] >= self.recipe.steps)

    def result(self) -> PerturbationSet:
        return self.outcome.result(time.perf_counter() - self.started)

    def _refill(self) -> None:
        """Fresh images: the original is judged first where gradients are not the given network's; noise if asked for.

        The noise joins the first step: the first pass is of the original, whose label has to be right.
        """
        fresh = self.pool.refill()
        self.pool.suspect[fresh.rows] = not self.passes.exact or self.passes.folded
        if self.recipe.random_start:
            for row, index in zip(fresh.rows, fresh.index):
                noise = start_noise(self.recipe, self.first + int(index), tuple(self.pool.x.shape[1:]))
                self.pool.delta[int(row)] = torch.from_numpy(noise)


def start_noise(recipe: Recipe, number: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Uniform noise within the budget, (3, h, w), seeded by the image's number, in any batch or chunk."""
    spread = 1.0 if recipe.norm in ("none", "l0") else recipe.budget
    draw = np.random.default_rng([recipe.seed, number])
    return draw.uniform(-spread, spread, size=shape).astype(np.float32)
