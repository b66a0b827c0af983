"""Projected gradient descent under any norm (Foote et al. 2021, section 2.2, eq. 1), true on the displayed bytes.

    delta <- project(delta + step(gradient of the loss at what is displayed))

This file is the equation. Who moves next, whose verdict is due and what is written down: ``bookkeeping``.
"""

from torch import Tensor

from attacks.engine.bookkeeping import Run
from attacks.engine.constraints import largest_pixels, project
from attacks.engine.display import shown, within_pixels
from attacks.engine.passes import Passes
from attacks.engine.recipe import OWN_LENGTH, Recipe
from attacks.engine.results import PerturbationSet
from attacks.engine.walk import within_budget
from core.errors import Progress, no_progress


def pgd(
    passes: Passes, images: Tensor, labels: Tensor, recipe: Recipe, *, first: int = 0, progress: Progress = no_progress
) -> PerturbationSet:
    """Attack uint8 images (n, 3, h, w) whose reference classes are ``labels``, int64 (n,).

    Each image stops when its label is lost with the confidence asked for, or at the step limit. ``first`` numbers the
    first image where these are a chunk of a larger set; only a random start depends on it.
    """
    if recipe.step_rule in OWN_LENGTH:  # walks that find their own step length
        return within_budget(passes, images, labels, recipe, first=first, progress=progress)
    run = Run(passes, images, labels, recipe, first=first)
    while run.unfinished:
        progress(run.done, len(images))  # at every pass: a job is stopped from here
        if suspects := run.suspects():  # another class seems to win, or the steps are used up
            run.judge(suspects)  # a forward pass of the displayed image: those that flipped stop
            continue

        batch = run.next_batch()  # b images, b at most passes.batch
        logits, gradient = passes.ascend(batch.seen, batch.y, recipe.loss, rough=True)  # (b, classes), (b, 3, h, w)
        batch, gradient = run.without_suspects(batch, logits, gradient)

        x, delta = batch.x, batch.delta  # (b, 3, h, w), floats in 0-255 units
        delta = project(delta + step(gradient, recipe), recipe.norm, recipe.budget)  # eq. 1
        delta = within_pixels(x, delta)  # x + delta stays within 0 to 255
        seen = look(x, delta, recipe)  # rounded to displayed bytes; the next gradient is taken here
        run.moved(batch, delta, seen, gradient)
    progress(run.done, len(images))
    return run.result()


def step(gradient: Tensor, recipe: Recipe) -> Tensor:
    """``step_size`` x direction of the gradient (b, 3, h, w), in 0-255 units; under L0 in the top share of pixels."""
    if recipe.norm == "l0":
        gradient = gradient * largest_pixels(gradient, recipe.budget)
    if recipe.step_rule == "raw":  # the paper's: gamma times the gradient
        return recipe.step_size * gradient
    if recipe.step_rule == "sign":
        return recipe.step_size * gradient.sign()
    rms = gradient.square().mean((1, 2, 3), keepdim=True).sqrt()  # (b, 1, 1, 1)
    return recipe.step_size * gradient / rms.clamp_min(1e-30)


def look(x: Tensor, delta: Tensor, recipe: Recipe) -> Tensor:
    """What the network is asked about: the displayed image when the attack is aware of it, else the float one."""
    if recipe.rounding == "aware":
        return shown(x, delta, recipe.norm, recipe.budget)
    return x + delta
