"""Stains as optical densities: gains and shifts of haematoxylin, eosin and the rest, differentiable in both."""

import functools

import torch
from torch import Tensor

STAINS = torch.tensor([[0.650, 0.704, 0.286], [0.072, 0.990, 0.105]])
"""Optical densities of haematoxylin and eosin in red, green and blue (Ruifrok and Johnston 2001)."""


@functools.cache
def basis(device: torch.device) -> tuple[Tensor, Tensor]:
    """Unit densities of haematoxylin, eosin and a rest at right angles to both, (3 stains, 3 channels); its inverse.

    Kept on the device: nothing can be copied there while a CUDA graph is recorded.
    """
    rows = torch.cat([STAINS, torch.linalg.cross(STAINS[:1], STAINS[1:])])
    rows = rows / rows.norm(dim=1, keepdim=True)
    return rows.to(device), torch.linalg.inv(rows).to(device)


def density(images: Tensor) -> Tensor:
    """Optical density of images in 0-255 units, (n, 3, h, w); white is 0."""
    return -torch.log10((images.to(torch.float32) + 1) / 256)


def amounts(images: Tensor) -> Tensor:
    """How much of each stain there is, (n, 3 stains, h, w), of images in 0-255 units."""
    return torch.einsum("nchw,cs->nshw", density(images), basis(images.device)[1])


def stained(images: Tensor, gains: Tensor, shifts: Tensor | None = None) -> Tensor:
    """Each stain's amount times ``gains`` plus ``shifts``, both (n or 1, 3); floats in 0-255 units, (n, 3, h, w)."""
    changed = amounts(images) * gains[:, :, None, None]
    if shifts is not None:
        changed = changed + shifts[:, :, None, None]
    dense = torch.einsum("nshw,sc->nchw", changed, basis(images.device)[0])
    return (256 * 10**-dense - 1).clamp(0, 255)
