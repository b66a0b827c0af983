"""L0 and L1 within a budget, by few components: as strong as the best searches known, on displayed images.

Spreading a step over all components, as the paper's rescaled L1 and top-share L0 do, finds half of what is there on a
network that was trained to withstand. The defaults walk as the strongest published attacks do (``walk``):

L0    sigma-zero (Cina et al. 2025; ``sigma_zero``), stopped as soon as it is flipped within the budget
L1    sparse steps of adaptive length (Croce and Hein 2021, "Mind the box"; ``SparseSteps``)
"""

import torch
from torch import Tensor

from attacks.engine.constraints import size
from attacks.engine.ddn import per_image
from attacks.engine.display import shown
from attacks.engine.recipe import Recipe
from attacks.engine.sigma_zero import SigmaZero


class FewPixels:
    """L0: sigma-zero."""

    def __init__(self, x: Tensor, delta: Tensor, recipe: Recipe):
        self.zero = SigmaZero(x)
        self.zero.delta = delta / 255

    def shown(self) -> Tensor:
        return self.zero.shown()

    def walk(self, gradient: Tensor, value: Tensor, flipped: Tensor, step: int, steps: int) -> None:
        self.zero.walk(gradient, value, flipped, step / steps)

    def keep(self, rows: Tensor) -> None:
        zero = self.zero
        zero.x, zero.delta, zero.tau = zero.x[rows], zero.delta[rows], zero.tau[rows]
        zero.adam.mean, zero.adam.square = zero.adam.mean[rows], zero.adam.square[rows]


class SparseSteps:
    """L1: each step changes the ``share`` of components with the steepest gradient, then the nearest perturbation
    within budget and pixel range is taken.

    Every few steps the share follows how sparse the best perturbation so far is, and where nothing has improved the
    step is shortened and the walk goes on from the best. ``budget`` is a number, or one per image, (b,).
    """

    SHARE, SHORTEST, BY = 0.2, 0.1, 1.5  # of components at first; shortest step, as a share of the budget; reduction

    def __init__(self, x: Tensor, delta: Tensor, budget: float | Tensor):
        self.x, self.delta = x, delta
        self.budget = torch.as_tensor(budget, dtype=x.dtype, device=x.device).expand(len(x))
        self.components = x[0].numel()
        self.best, self.value, self.earlier = delta.clone(), *torch.full((2, len(x)), -torch.inf, device=x.device)
        self.length = torch.ones(len(x), device=x.device)  # of a step, as a share of the budget
        self.share = torch.full((len(x),), self.SHARE, device=x.device)

    def shown(self) -> Tensor:
        return shown(self.x, self.delta, "l1", self.budget)

    def walk(self, gradient: Tensor, value: Tensor, flipped: Tensor, step: int, steps: int) -> None:
        better = value > self.value
        self.best = torch.where(per_image(better), self.delta, self.best)
        self.value = torch.where(better, value, self.value)
        if step and step % max(1, round(0.04 * steps)) == 0:
            self._adapt()
        room = torch.where(gradient > 0, 255 - self.x - self.delta, self.x + self.delta) >= 0.5
        steepest = self._steepest(gradient * room)
        way = steepest / per_image(size(steepest, "l1").clamp_min(1e-12))
        self.delta = onto_l1_ball_in_range(self.delta + per_image(self.length * self.budget) * way, self.x, self.budget)

    def keep(self, rows: Tensor) -> None:
        for name in ("x", "delta", "budget", "best", "value", "earlier", "length", "share"):
            setattr(self, name, getattr(self, name)[rows])

    def _adapt(self) -> None:
        sparser = ((self.best != 0).float().mean((1, 2, 3)) / self.BY).clamp(3 / self.components, self.SHARE)
        stuck = (sparser >= 0.95 * self.share) | (self.value <= self.earlier)
        self.length = torch.where(stuck, (self.length / self.BY).clamp_min(self.SHORTEST), self.length)
        self.delta = torch.where(per_image(stuck), self.best, self.delta)
        self.share, self.earlier = sparser, self.value

    def _steepest(self, gradient: Tensor) -> Tensor:
        """The signs of the ``share`` of components that are largest, (b, 3, h, w)."""
        amount = gradient.abs().flatten(1)
        count = (self.share * self.components).ceil().long().clamp(1, self.components)
        least = amount.sort(1, descending=True).values.gather(1, count[:, None] - 1)
        return gradient.sign() * (amount >= least).reshape(gradient.shape)


def onto_l1_ball_in_range(delta: Tensor, x: Tensor, budget: float | Tensor) -> Tensor:
    """The nearest perturbation with mean absolute value ``budget`` at most and x + delta in 0-255, by bisection.

    Soft thresholding alone would leave unused what the range cuts off.
    """
    amount, room = delta.abs(), torch.where(delta > 0, 255 - x, x)  # (b, 3, h, w)
    fits = torch.minimum(amount, room).mean((1, 2, 3)) <= budget
    low, high = torch.zeros(len(delta), device=delta.device), amount.amax((1, 2, 3))
    for _ in range(25):
        middle = (low + high) / 2
        over = torch.minimum((amount - per_image(middle)).clamp_min(0), room).mean((1, 2, 3)) > budget
        low, high = torch.where(over, middle, low), torch.where(over, high, middle)
    threshold = torch.where(fits, 0.0, high)
    return delta.sign() * torch.minimum((amount - per_image(threshold)).clamp_min(0), room)
