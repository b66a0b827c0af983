"""Norms of a perturbation and projections onto their budgets (section 2.2), in 0-255 units.

L0    share of pixels changed: a pixel counts once, whichever of its channels changed
L1    mean absolute difference over pixels and channels
L2    root of the mean squared difference over pixels and channels
Linf  largest absolute difference

Perturbations are (n, 3, h, w), budgets a number or one number per image, (n,).
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attacks.engine.norms import Norm


def size(delta: Tensor, norm: Norm) -> Tensor:
    """The norm of each perturbation, (n, 3, h, w) -> (n,) float. The "norm" of "none" is its L2."""
    delta = delta.to(torch.float32)
    if norm == "l0":
        return (delta != 0).any(1).to(torch.float32).mean((1, 2))
    if norm == "l1":
        return delta.abs().mean((1, 2, 3))
    if norm == "linf":
        return delta.abs().amax((1, 2, 3))
    return delta.square().mean((1, 2, 3)).sqrt()


def displayed_norms(
    images: Tensor, displayed: Tensor, *, device: torch.device | None = None
) -> dict[str, NDArray[np.float64]]:
    """All four norms of what was displayed, from the bytes: two uint8 (n, 3, h, w) -> {"l0": (n,), ...}.

    Sums of integers, so exact: the two PNG files give the same numbers, and so does every ``device``.
    """
    add_up = _sums_on_gpu if device is not None and device.type == "cuda" else _sums
    parts = [add_up(one, two, device) for one, two in zip(images.split(_PART), displayed.split(_PART))]
    pixels, total, squares, largest = np.concatenate(parts, 1)
    components = images[0].numel()
    return {
        "l0": pixels / (components / images.shape[1]),
        "l1": total / components,
        "l2": np.sqrt(squares / components),
        "linf": largest.astype(np.float64),
    }


_PART = 512
"""Images whose differences are held at a time."""


def _sums(images: Tensor, displayed: Tensor, _: torch.device | None) -> NDArray[np.int64]:
    """Of each image (4, n): pixels changed, the differences' sum, their squares' sum, the largest of them."""
    difference = (displayed.to(torch.int16) - images.to(torch.int16)).abs_().cpu().numpy()  # numpy sums integers faster
    flat = difference.reshape(len(difference), -1)
    squares = np.einsum("ij,ij->i", flat, flat, dtype=np.int64)
    rows = (difference.any(1).sum((1, 2)), flat.sum(1, dtype=np.int64), squares, flat.max(1, initial=0))
    return np.stack(rows).astype(np.int64)


def _sums_on_gpu(images: Tensor, displayed: Tensor, device: torch.device | None) -> NDArray[np.int64]:
    """``_sums`` where the gradients are taken too: on the CPU they would take longer than a GPU's passes."""
    difference = (displayed.to(device).to(torch.int32) - images.to(device).to(torch.int32)).abs_()
    flat = difference.flatten(1)
    rows = (difference.any(1).sum((1, 2)), flat.sum(1), flat.square().sum(1), flat.amax(1))
    return torch.stack([row.to(torch.int64) for row in rows]).cpu().numpy()


def project(delta: Tensor, norm: Norm, budget: float | Tensor) -> Tensor:
    """The projections of section 2.2: Linf clamped, L1 and L2 rescaled, L0 keeping the pixels changed most.

    Rescaling is the nearest point of the ball for L2 only; for L1 the paper rescales too (the nearest point would be
    sparse, see ``sparse.onto_l1_ball_in_range``). "none" changes nothing.
    """
    if norm == "none":
        return delta
    limit = torch.as_tensor(budget, dtype=delta.dtype, device=delta.device).reshape(-1, 1, 1, 1)
    if norm == "linf":
        return delta.clamp(-limit, limit)
    if norm == "l0":
        return delta * largest_pixels(delta, budget)
    length = size(delta, norm).reshape(-1, 1, 1, 1)
    return delta * (limit / length.clamp_min(1e-12)).clamp_max(1)


def largest_pixels(amount: Tensor, share: float | Tensor) -> Tensor:
    """Mask (n, 1, h, w) of the ``share`` of pixels whose ``amount``, (n, 3, h, w), is largest in sum over channels.

    Ties at the threshold are cut by pixel order, so that never more than floor(share x h x w) pixels are kept.
    """
    total = amount.abs().sum(1).flatten(1)  # (n, hw)
    pixels = total.shape[1]
    keep = pixel_count(share, pixels, len(total)).to(total.device)  # (n,)
    order = total.argsort(dim=1, descending=True, stable=True)
    rank_kept = torch.arange(pixels, device=total.device) < keep[:, None]
    mask = torch.zeros_like(total).scatter_(1, order, rank_kept.to(total.dtype))
    return mask.reshape(-1, 1, *amount.shape[2:])


def pixel_count(share: float | Tensor, pixels: int, images: int) -> Tensor:
    """How many whole pixels a share of ``pixels`` allows, (images,) int64; 0.25 of 4 pixels is 1, not 0.9999."""
    shares = torch.as_tensor(share, dtype=torch.float64, device="cpu").reshape(-1).expand(images)
    return torch.floor(shares * pixels + 1e-6).to(torch.int64)
