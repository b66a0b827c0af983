"""Sigma-zero (Cina et al. 2025, algorithm 1), on displayed images and whole pixels: minimal L0.

    minimise  max(0, lead of the label)  +  mean over pixels of  |delta|^2 / (|delta|^2 + sigma)

    delta  <-  delta - step Adam(g / |g|_inf),  g the gradient of that
    tau    <-  tau + t step  where the image is flipped,  tau - t step  where it is not
    delta  <-  0 in pixels changed by less than tau

The original counts components; here a pixel counts once (Foote et al. 2021, section 2.2), so its channels share one
term and one threshold.
"""

import torch
from torch import Tensor

from attacks.engine.ddn import annealed
from attacks.engine.display import within_pixels


class SigmaZero:
    """A batch's search for the fewest changed pixels. ``delta`` is in units of the whole range, -1 to 1."""

    SIGMA = 1e-3
    STEP = (1.0, 0.1)  # Adam's step, first and last
    TAU, TAU_STEP = 0.3, 0.01  # threshold at the start, and its change per unit of step

    def __init__(self, x: Tensor):
        self.x = x
        self.delta = torch.zeros_like(x)
        self.adam = Adam(x)
        self.tau = torch.full((len(x), 1, 1), self.TAU, device=x.device)

    def shown(self) -> Tensor:
        return self.x + within_pixels(self.x, (255 * self.delta).round())

    def walk(self, gradient: Tensor, gap: Tensor, flipped: Tensor, done: float) -> None:
        step = annealed(self.STEP, done)
        descent = self._fewer() - 255 * gradient * (~flipped).reshape(-1, 1, 1, 1)
        descent = descent / descent.abs().amax((1, 2, 3), keepdim=True).clamp_min(1e-30)
        mean, spread = self.adam.moments(descent)
        self.delta = within_pixels(self.x / 255, self.delta - step * mean / spread, 1.0)

        change = torch.where(flipped, self.TAU_STEP, -self.TAU_STEP).reshape(-1, 1, 1) * step
        self.tau = (self.tau + change).clamp(0, 1)
        self.delta = self.delta * (self.delta.abs().amax(1) >= self.tau).unsqueeze(1)

    def _fewer(self) -> Tensor:
        """Gradient of the smooth count of changed pixels, (b, 3, h, w)."""
        energy = self.delta.square().sum(1, keepdim=True)
        pixels = energy[0].numel()
        return 2 * self.delta * self.SIGMA / (energy + self.SIGMA).square() / pixels


class Adam:
    """Running moments of a gradient (Kingma and Ba 2015, algorithm 1), per image and component."""

    BETA1, BETA2 = 0.9, 0.999

    def __init__(self, like: Tensor):
        self.mean, self.square = torch.zeros_like(like), torch.zeros_like(like)
        self.count = 0

    def moments(self, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and root mean square of the gradients so far, both corrected for the start at zero."""
        self.count += 1
        self.mean = self.BETA1 * self.mean + (1 - self.BETA1) * gradient
        self.square = self.BETA2 * self.square + (1 - self.BETA2) * gradient.square()
        mean = self.mean / (1 - self.BETA1**self.count)
        return mean, (self.square / (1 - self.BETA2**self.count)).sqrt() + 1e-8
