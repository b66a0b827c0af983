"""Auto-PGD (Croce and Hein 2020, algorithm 1), on displayed images: Linf and L2 by steps of adaptive length.

    z      <-  project(delta + eta step(g))
    delta  <-  project(delta + a (z - delta) + (1 - a) (delta - the delta before))

The first step is twice the budget. At checkpoints, which come closer together, an image whose loss has risen in too few
steps, or has not risen at all, halves its step and goes on from the best perturbation so far. g is the gradient at the
rounded image.
"""

import math

import torch
from torch import Tensor

from attacks.engine.constraints import project, size
from attacks.engine.ddn import per_image
from attacks.engine.display import shown, within_pixels
from attacks.engine.recipe import Recipe


class AdaptiveSteps:
    """A batch's walk within a budget (``attacks.engine.walk``)."""

    MOMENTUM = 0.75  # a: weight of the step beside the movement before it
    RISES = 0.75  # share of steps in which the loss has to rise

    def __init__(self, x: Tensor, delta: Tensor, recipe: Recipe):
        self.x, self.delta, self.norm, self.budget = x, delta, recipe.norm, recipe.budget
        self.before, self.best, self.at_best = delta.clone(), delta.clone(), torch.zeros_like(delta)
        self.value, self.last, self.value_then = torch.full((3, len(x)), -torch.inf, device=x.device)
        self.rises = torch.zeros(len(x), device=x.device)
        self.length, self.length_then = torch.full((2, len(x)), 2 * recipe.budget, device=x.device)
        self.checkpoints, self.checked = checkpoints(recipe.steps), 0

    def shown(self) -> Tensor:
        return shown(self.x, self.delta, self.norm, self.budget)

    def walk(self, gradient: Tensor, value: Tensor, flipped: Tensor, step: int, steps: int) -> None:
        better = value > self.value
        self.best = torch.where(per_image(better), self.delta, self.best)
        self.at_best = torch.where(per_image(better), gradient, self.at_best)
        self.value = torch.where(better, value, self.value)
        self.rises += value > self.last
        self.last = value
        if step in self.checkpoints:
            gradient = self._check(gradient, step)

        z = self._project(self.delta + per_image(self.length) * self._way(gradient))
        a = self.MOMENTUM if step else 1.0
        moved = self._project(self.delta + a * (z - self.delta) + (1 - a) * (self.delta - self.before))
        self.before, self.delta = self.delta, moved

    def keep(self, rows: Tensor) -> None:
        for name in (
            "x", "delta", "before", "best", "at_best", "value", "last", "value_then", "rises", "length", "length_then",
        ):  # fmt: skip
            setattr(self, name, getattr(self, name)[rows])

    def _check(self, gradient: Tensor, step: int) -> Tensor:
        """Halve the step of those that are stuck and put them back to their best; the gradient to go on with."""
        few = self.rises < self.RISES * (step - self.checked)
        idle = (self.length == self.length_then) & (self.value <= self.value_then)
        stuck = few | idle
        self.length_then, self.value_then = self.length, self.value
        self.length = torch.where(stuck, self.length / 2, self.length)
        self.delta = torch.where(per_image(stuck), self.best, self.delta)
        self.before = torch.where(per_image(stuck), self.best, self.before)
        self.rises, self.checked = torch.zeros_like(self.rises), step
        return torch.where(per_image(stuck), self.at_best, gradient)

    def _way(self, gradient: Tensor) -> Tensor:
        if self.norm == "linf":
            return gradient.sign()
        return gradient / per_image(size(gradient, "l2").clamp_min(1e-30))

    def _project(self, delta: Tensor) -> Tensor:
        return within_pixels(self.x, project(delta, self.norm, self.budget))


def checkpoints(steps: int) -> set[int]:
    """After 22 % of the steps, then after 19 % more, 16 %, and so on down to 6 %."""
    share, period, found = 0.22, 0.22, set()
    while share < 1:
        found.add(math.ceil(share * steps))
        period = max(period - 0.03, 0.06)
        share += period
    return found - {0}
