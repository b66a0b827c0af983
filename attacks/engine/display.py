"""What a person is shown: 8-bit images. A perturbation is what is left of it after rounding.

Three ways from a float perturbation to bytes (``Rounding``):

nearest    rounded to the nearest integer once the attack is done: what most libraries leave to their user
truncate   cut towards zero once the attack is done: what ``.astype(uint8)`` does to a change (a common slip)
aware      rounded in every step, the gradient taken at the rounded image and handed straight through to the float
           perturbation; for L1, L2 and "none" the length survives the rounding (see ``rounded``)

All three keep the displayed perturbation within its budget.
"""

import functools

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attacks.engine.constraints import size
from attacks.engine.norms import Norm
from attacks.engine.recipe import Rounding

_HALVINGS = 12


def within_pixels(images: Tensor, delta: Tensor, white: float = 255) -> Tensor:
    """The perturbation cut so that image + perturbation stays within 0 to ``white``; both (n, 3, h, w)."""
    return delta.clamp(-images, white - images)


def shown(images: Tensor, delta: Tensor, norm: Norm, budget: float | Tensor, rounding: Rounding = "aware") -> Tensor:
    """The displayed image: whole numbers 0-255 as floats, (n, 3, h, w), within the budget on what is displayed."""
    return (images + rounded(delta, norm, budget, rounding)).clamp_(0, 255)


def rounded(delta: Tensor, norm: Norm, budget: float | Tensor, rounding: Rounding = "aware") -> Tensor:
    """The perturbation in whole grey levels, within its budget.

    Rounding changes a length: RMS 0.3 becomes nothing at all. So for L1, L2 and "none" the aware rounding is
    round(s delta), with the largest s at which the rounded perturbation is no longer than the float one was (and
    within the budget). A weak perturbation then keeps its strongest components, one grey level each, instead of none.
    """
    whole = delta.trunc() if rounding == "truncate" else delta.round()  # halves to even: 0.5 is no change
    if norm == "l0":
        return whole
    if norm == "linf":
        levels = budget.floor() if isinstance(budget, Tensor) else float(np.floor(budget))  # 1.99999999 in float32 is 2
        limit = torch.as_tensor(levels, dtype=delta.dtype, device=delta.device).reshape(-1, 1, 1, 1)
        return whole.clamp_(-limit, limit)
    length: Norm = "l1" if norm == "l1" else "l2"
    if rounding == "aware":
        target = torch.minimum(size(delta, length), _per_image(budget, delta))
        return _longest_rounding(delta, length, target)
    if norm == "none":
        return whole
    over = size(whole, length) > _per_image(budget, delta)
    if over.any():
        shrunk = _longest_rounding(delta, length, _per_image(budget, delta), most=1.0)
        whole = torch.where(over.reshape(-1, 1, 1, 1), shrunk, whole)
    return whole


def _per_image(budget: float | Tensor, like: Tensor) -> Tensor:
    return torch.as_tensor(budget, dtype=like.dtype, device=like.device).reshape(-1).expand(len(like))


def _longest_rounding(delta: Tensor, norm: Norm, target: Tensor, most: float | None = None) -> Tensor:
    """round(s delta) for the largest s (at most ``most``) at which its norm is at most ``target``, (n,), by bisection.

    s lies between the scale at which everything rounds to nothing and that at which a length of at least
    ``target`` is certain, because rounding takes off at most a half.
    """
    target = target * (1 - 1e-6)  # float32 sums may be wrong in the last digits; the budget holds exactly
    magnitude = delta.abs() * _order(delta.shape[1:], delta.device)
    low = 0.5 / magnitude.amax((1, 2, 3)).clamp_min(1e-12)
    high = torch.maximum((target + 0.5) / size(delta, norm).clamp_min(1e-12), low)
    if most is not None:
        low, high = low.clamp_max(most), high.clamp_max(most)
    for _ in range(_HALVINGS):
        middle = (low * high).sqrt()
        fits = size((magnitude * middle.reshape(-1, 1, 1, 1)).round_(), norm) <= target
        low, high = torch.where(fits, middle, low), torch.where(fits, high, middle)
    return (magnitude * low.reshape(-1, 1, 1, 1)).round_() * delta.sign()


@functools.cache
def _order(shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Factors of 1 to 1.01, the same for every image, that put components of one magnitude in an order.

    A perturbation of equal magnitudes (from sign steps) would otherwise be rounded up or down as a whole.
    """
    return 1 + 0.01 * torch.rand(shape, generator=torch.Generator().manual_seed(0)).to(device)


def to_bytes(image: Tensor) -> Tensor:
    """Displayed images, whole numbers 0-255 as floats -> uint8, on the CPU."""
    return image.to(torch.uint8).cpu()


def hwc(images: Tensor) -> NDArray[np.uint8]:
    """uint8 tensor (n, 3, h, w) -> array (n, h, w, 3), as pictures are stored."""
    return images.permute(0, 2, 3, 1).contiguous().cpu().numpy()


def chw(pixels: NDArray[np.uint8]) -> Tensor:
    """uint8 array (n, h, w, 3) -> tensor (n, 3, h, w), as networks take them."""
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))
