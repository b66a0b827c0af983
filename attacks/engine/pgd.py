"""Projected gradient descent (section 2.2, eq. 1) under any norm, true on the displayed bytes.

    delta <- project(delta + step(gradient of the loss at what is shown))

Each image ends when its label is lost with the confidence asked for, or at the step limit.
"""

import time

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attacks.engine.constraints import largest_pixels, project
from attacks.engine.display import shown, within_pixels
from attacks.engine.outcome import Outcome
from attacks.engine.passes import Passes, gap_of_label
from attacks.engine.pool import Pool, Rows
from attacks.engine.recipe import Recipe
from attacks.engine.results import PerturbationSet
from core.errors import Progress, no_progress

TRUST = 0.6
"""Share of the gain promised by the gradient that a step really brings: the first guess of ``Forecast``."""


def pgd(
    passes: Passes, images: Tensor, labels: Tensor, recipe: Recipe, *, first: int = 0, progress: Progress = no_progress
) -> PerturbationSet:
    """Attack uint8 images (n, 3, h, w) whose reference classes are ``labels``, int64 (n,).

    ``first`` numbers the first image where these are a chunk of a larger set; only a random start depends on it.
    """
    started = time.perf_counter()
    outcome = Outcome(passes, images, labels, recipe)
    pool = Pool(images, labels, places=3 * passes.batch, device=passes.device)
    forecast = Forecast(pool, recipe)
    while pool.busy:
        progress(outcome.done, len(images))  # at every pass: a job is stopped from here
        _start(pool, pool.refill(), recipe, passes.exact, first)
        if len(rows := pool.suspects(enough=passes.batch)):
            outcome.judge(pool, rows)
            continue

        rows = pool.waiting(most=passes.batch)
        place = pool.place(rows)
        logits, gradient = passes.ascend(pool.seen[place], pool.y[place], recipe.loss)
        forecast.learn(pool, rows, logits)
        going = outcome.still_right(pool, rows, logits)
        rows, place, logits, gradient = rows[going], pool.place(rows[going]), logits[going], gradient[going]

        x, delta = pool.x[place], pool.delta[place]
        delta = project(delta + step(gradient, recipe), recipe.norm, recipe.budget)
        delta = within_pixels(x, delta)
        pool.delta[place] = delta
        seen = look(x, delta, recipe)

        hopeful = forecast.flips(rows, gradient, seen - pool.seen[place])
        pool.seen[place] = seen
        pool.steps[rows] += 1
        pool.judged[rows] = False
        pool.suspect[rows] = hopeful | (pool.steps[rows] >= recipe.steps)
    progress(outcome.done, len(images))
    return outcome.result(time.perf_counter() - started)


def step(gradient: Tensor, recipe: Recipe) -> Tensor:
    """The step of eq. 1 along the gradient (n, 3, h, w), in 0-255 units; under L0 only in the top share of pixels."""
    if recipe.norm == "l0":
        gradient = gradient * largest_pixels(gradient, recipe.budget)
    if recipe.step_rule == "raw":
        return recipe.step_size * gradient
    if recipe.step_rule == "sign":
        return recipe.step_size * gradient.sign()
    rms = gradient.square().mean((1, 2, 3), keepdim=True).sqrt()
    return recipe.step_size * gradient / rms.clamp_min(1e-30)


def look(x: Tensor, delta: Tensor, recipe: Recipe) -> Tensor:
    """What the network is asked about: the displayed image when the attack is aware of it, else the float one."""
    if recipe.rounding == "aware":
        return shown(x, delta, recipe.norm, recipe.budget)
    return x + delta


class Forecast:
    """Whether a step flips an image: its lead now, plus a share of what the gradient promises for the change.

    Where it does, a forward pass for the verdict comes before the next gradient is paid for. The share is learned as
    the attack goes, because it falls with the length of a step. A wrong forecast costs that forward pass or an unneeded
    backward pass, never a wrong verdict, and moves no byte.
    """

    def __init__(self, pool: Pool, recipe: Recipe):
        self.trust = TRUST
        self.able = recipe.loss == "margin"  # the other gradient is not that of the lead
        self.lead, self.promise = np.zeros(pool.places), np.zeros(pool.places)

    def learn(self, pool: Pool, rows: Rows, logits: Tensor) -> None:
        """Compare the leads after a step with what was promised for it."""
        lead = gap_of_label(logits, pool.y[pool.place(rows)]).cpu().numpy()
        stepped = (pool.steps[rows] > 0) & (self.promise[rows] > 0)
        if self.able and stepped.any():
            brought = (lead - self.lead[rows])[stepped] / self.promise[rows][stepped]
            self.trust = 0.7 * self.trust + 0.3 * float(np.clip(np.median(brought), 0.05, 1))
        self.lead[rows] = lead

    def flips(self, rows: Rows, gradient: Tensor, change: Tensor) -> NDArray[np.bool_]:
        """Which rows, (b,) bool, a ``change`` (b, 3, h, w) of what is seen is expected to flip."""
        self.promise[rows] = (gradient * change).sum((1, 2, 3)).cpu().numpy()
        return self.able & (self.lead[rows] + self.trust * self.promise[rows] > 0)


def _start(pool: Pool, rows: Rows, recipe: Recipe, exact: bool, first: int) -> None:
    """Fresh rows: a verdict on the original first where gradients are not exact; noise where a random start is asked.

    The noise is seeded by the image's number, ``first`` being that of the queue's first image, so that it does not
    depend on who shares the batch or the chunk. It joins the first step: the first pass is of the original, whose
    label has to be right.
    """
    pool.suspect[rows] = not exact
    if recipe.random_start:
        spread = 1.0 if recipe.norm in ("none", "l0") else recipe.budget
        for row in rows:
            draw = np.random.default_rng([recipe.seed, first + int(pool.index[row])])
            noise = draw.uniform(-spread, spread, size=tuple(pool.x.shape[1:])).astype(np.float32)
            pool.delta[int(row)] = torch.from_numpy(noise)
