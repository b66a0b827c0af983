"""Decoupled direction and norm (Rony et al. 2019, algorithm 1), on displayed images: minimal L2, and rescaled L1.

    eps    <-  (1 - gamma) eps  where the image is flipped,  (1 + gamma) eps  where it is not
    delta  <-  delta + alpha g / |g|
    delta  <-  eps delta / |delta|

The direction follows the gradient g at the rounded image. "Rescaled" is L1 as Foote et al. 2021 project it
(section 2.2).
"""

import math

import torch
from torch import Tensor

from attacks.engine.constraints import size
from attacks.engine.display import shown, within_pixels
from attacks.engine.norms import Norm


class DecoupledDirection:
    """A batch's search for the shortest perturbation under ``norm`` ("l2", or "l1" for the rescaled L1)."""

    GAMMA = (0.1, 0.005)  # change of the length per step, first and last
    ALPHA = (0.3, 0.003)  # share of the length by which the direction moves, first and last

    def __init__(self, x: Tensor, norm: Norm):
        self.x, self.norm = x, norm
        self.delta = torch.zeros_like(x)
        self.eps = torch.zeros(len(x), device=x.device)

    def shown(self) -> Tensor:
        return shown(self.x, self.delta, self.norm, math.inf)

    def walk(self, gradient: Tensor, gap: Tensor, flipped: Tensor, done: float) -> None:
        ascent = gradient / per_image(size(gradient, "l2").clamp_min(1e-30))  # g / |g|: unit RMS
        if done == 0:  # the original: start as far along the gradient as a linear network would need
            self.eps = distance(gap, gradient, size(ascent, self.norm))
            delta = ascent
        else:
            gamma, alpha = annealed(self.GAMMA, done), annealed(self.ALPHA, done)
            self.eps = self.eps * torch.where(flipped, 1 - gamma, 1 + gamma)
            delta = self.delta + per_image(alpha * size(self.delta, "l2")) * ascent
        delta = delta * per_image(self.eps / size(delta, self.norm).clamp_min(1e-30))
        self.delta = within_pixels(self.x, delta)


def distance(gap: Tensor, gradient: Tensor, unit: Tensor) -> Tensor:
    """Length (b,) at which a linear network would flip, for a direction of unit RMS along the gradient.

    ``unit`` is that direction's length in the norm in question. A first guess: at least a hundredth of a grey level
    and at most a quarter of the range, for a gradient that all but vanishes promises infinite distances.
    """
    gain = gradient.square().mean((1, 2, 3)).sqrt() * gradient[0].numel()  # of the gap, per unit of RMS
    return (gap.abs() / gain.clamp_min(1e-30)).clamp(0.01, 64) * unit


def annealed(ends: tuple[float, float], done: float) -> float:
    """From the first value to the last along half a cosine."""
    first, last = ends
    return last + (first - last) * (1 + math.cos(math.pi * done)) / 2


def per_image(values: Tensor) -> Tensor:
    """(b,) -> (b, 1, 1, 1)."""
    return values.reshape(-1, 1, 1, 1)
