"""Fast minimum norm (Pintor et al. 2021, algorithm 1), on displayed images: minimal L1 and Linf.

    eps    <-  (1 - gamma) eps  where the image is flipped,  (1 + gamma) eps  where it is not
    delta  <-  project(delta + step(g), eps)

g is the gradient at the rounded image, the projection the nearest point of the ball. Until an image is flipped for the
first time, eps is the length at which a linear network would flip. Linf counts whole grey levels: after a flip the next
level below is tried.
"""

import torch
from torch import Tensor

from attacks.engine.constraints import onto_l1_ball, project, size
from attacks.engine.ddn import annealed, per_image
from attacks.engine.display import shown, within_pixels


class FewestLevels:
    """A batch's search for the smallest sum of changes (L1)."""

    GAMMA = (0.1, 0.005)  # change of eps per step, first and last
    ALPHA = (1.0, 0.01)  # RMS of a step in grey levels, first and last

    def __init__(self, x: Tensor):
        self.x, self.delta = x, torch.zeros_like(x)
        self.eps = torch.zeros(len(x), device=x.device)
        self.best = torch.full((len(x),), torch.inf, device=x.device)

    def shown(self) -> Tensor:
        return shown(self.x, self.delta, "l1", 255.0)

    def walk(self, gradient: Tensor, gap: Tensor, flipped: Tensor, done: float) -> None:
        self.eps = self._next_eps(gradient, gap, flipped, annealed(self.GAMMA, done))
        ascent = gradient / per_image(size(gradient, "l2").clamp_min(1e-30))  # unit RMS
        delta = onto_l1_ball(self.delta + annealed(self.ALPHA, done) * ascent, self.eps)
        self.delta = within_pixels(self.x, delta)

    def _next_eps(self, gradient: Tensor, gap: Tensor, flipped: Tensor, gamma: float) -> Tensor:
        """(b,): never above the best so far; before the first flip, where a linear network would flip."""
        reach = size(self.shown() - self.x, "l1")
        self.best = torch.where(flipped, torch.minimum(self.best, reach), self.best)
        steepest = gradient.abs().amax((1, 2, 3)) * gradient[0].numel()  # gain per unit of L1 at most
        linear = reach + gap.abs() / steepest.clamp_min(1e-30)
        paced = self.eps * torch.where(flipped, 1 - gamma, 1 + gamma)
        return torch.where(self.best < torch.inf, torch.minimum(paced, self.best), linear.clamp_max(255))


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
