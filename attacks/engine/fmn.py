"""Fast minimum norm (Pintor et al. 2021, algorithm 1), on displayed images: minimal L1 and Linf.

    eps    <-  less where the image is flipped, more where it is not
    delta  <-  project(delta + step(g), eps)

g is the gradient at the rounded image, the projection the nearest point of the ball. Until an image is flipped for the
first time, eps is the length at which a linear network would flip. L1 takes the sparse steps of the attack within a
budget (``sparse``). Linf counts whole grey levels: after a flip the next level below is tried.
"""

import torch
from torch import Tensor

from attacks.engine.constraints import project, size
from attacks.engine.ddn import annealed, per_image
from attacks.engine.display import shown, within_pixels
from attacks.engine.sparse import SparseSteps


class FewestLevels:
    """A batch's search for the smallest sum of changes (L1): the sparse steps of the attack within a budget, whose
    budget shrinks below every flip and grows half way back to it where nothing flips for a while."""

    GAMMA = (0.1, 0.005)  # share by which the next budget lies below a flip, first and last
    PATIENCE = 0.05  # of all steps without a flip

    def __init__(self, x: Tensor):
        none = torch.zeros(len(x), device=x.device)
        self.steps = SparseSteps(x, torch.zeros_like(x), none)
        self.best = torch.full_like(none, torch.inf)
        self.since, self.count = none.clone(), 0

    def shown(self) -> Tensor:
        return self.steps.shown()

    def walk(self, gradient: Tensor, gap: Tensor, flipped: Tensor, done: float) -> None:
        steps = round(self.count / done) if done else 0  # of the whole run
        budget = self._next_budget(gradient, gap, flipped, done, steps)
        renewed = budget != self.steps.budget
        self.steps.budget = budget
        for old in (self.steps.value, self.steps.earlier):  # what was reached with another budget
            old.masked_fill_(renewed, -torch.inf)
        self.steps.walk(gradient, gap, flipped, self.count, steps)
        self.count += 1

    def _next_budget(self, gradient: Tensor, gap: Tensor, flipped: Tensor, done: float, steps: int) -> Tensor:
        """(b,): below the best so far; before the first flip, where a linear network would flip."""
        reach = size(self.shown() - self.steps.x, "l1")
        self.best = torch.where(flipped, torch.minimum(self.best, reach), self.best)
        self.since = torch.where(flipped, 0.0, self.since + 1)
        steepest = gradient.abs().amax((1, 2, 3)) * gradient[0].numel()  # gain per unit of L1 at most
        linear = torch.maximum(reach + gap.abs() / steepest.clamp_min(1e-30), self.steps.budget * 1.05)
        waited = self.since > max(2, self.PATIENCE * steps)
        self.since = torch.where(waited, 0.0, self.since)
        back = torch.where(waited, (self.steps.budget + self.best) / 2, self.steps.budget)
        held = torch.where(flipped, self.best * (1 - annealed(self.GAMMA, done)), back)
        return torch.where(self.best < torch.inf, held, linear.clamp_max(255))


class LowestCap:
    """A batch's search for the smallest cap (Linf), in whole grey levels."""

    GAMMA = (0.3, 0.05)  # growth of eps per step without a flip, first and last

    def __init__(self, x: Tensor):
        self.x, self.delta = x, torch.zeros_like(x)
        self.eps = torch.zeros(len(x), device=x.device)
        self.best = torch.full((len(x),), torch.inf, device=x.device)

    @property
    def cap(self) -> Tensor:
        """The whole cap that is tried, (b,): below the best so far, and at least one level."""
        return torch.minimum(self.eps.ceil(), self.best - 1).clamp(1, 255)

    def shown(self) -> Tensor:
        return shown(self.x, self.delta, "linf", self.cap)

    def walk(self, gradient: Tensor, gap: Tensor, flipped: Tensor, done: float) -> None:
        self.eps = self._next_eps(gradient, gap, flipped, done)
        step = (self.cap / 2).ceil()
        delta = project(self.delta + per_image(step) * gradient.sign(), "linf", self.cap)
        self.delta = within_pixels(self.x, delta)

    def _next_eps(self, gradient: Tensor, gap: Tensor, flipped: Tensor, done: float) -> Tensor:
        """(b,): one level below a flip; else larger. At first, the levels to go if the network were linear."""
        reach = size(self.shown() - self.x, "linf")
        self.best = torch.where(flipped, torch.minimum(self.best, reach), self.best)
        if done == 0:
            return (gap.abs() / gradient.abs().sum((1, 2, 3)).clamp_min(1e-30)).clamp_max(64)
        return torch.where(flipped, self.best - 1, self.eps * (1 + annealed(self.GAMMA, done)))
