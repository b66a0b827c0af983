"""Stains as optical densities: gains and shifts of haematoxylin, eosin and the rest, differentiable in both.

Which colour a stain has is a pair of densities: those that Ruifrok and Johnston measured, others that are given, or
those that ``macenko`` estimates from a data set's own patches.
"""

import functools

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.errors import InvalidInput

Vectors = tuple[tuple[float, float, float], tuple[float, float, float]]
"""Optical densities of haematoxylin and of eosin in red, green and blue; their lengths do not matter."""
RUIFROK: Vectors = ((0.650, 0.704, 0.286), (0.072, 0.990, 0.105))
"""Ruifrok and Johnston 2001."""
LEAST_ANGLE = 5.0
"""Degrees by which two stains' densities have to differ: below, amounts of each would be noise."""
FAINT, EXTREME = 0.15, 1.0
"""Density (length of the three) below which a pixel tells nothing; percentile at which an extreme colour is read, as
in Macenko et al. 2009."""
PIXELS = 400_000
"""Pixels that an estimate looks at, at most, evenly over the images."""


@functools.cache
def basis(device: torch.device, vectors: Vectors = RUIFROK) -> tuple[Tensor, Tensor]:
    """Unit densities of haematoxylin, eosin and a rest at right angles to both, (3 stains, 3 channels); its inverse.

    Kept on the device: nothing can be copied there while a CUDA graph is recorded.
    """
    stains = torch.tensor(vectors)
    rows = torch.cat([stains, torch.linalg.cross(stains[:1], stains[1:])])
    rows = rows / rows.norm(dim=1, keepdim=True)
    return rows.to(device), torch.linalg.inv(rows).to(device)


def density(images: Tensor) -> Tensor:
    """Optical density of images in 0-255 units, (n, 3, h, w); white is 0."""
    return -torch.log10((images.to(torch.float32) + 1) / 256)


def amounts(images: Tensor, vectors: Vectors = RUIFROK) -> Tensor:
    """How much of each stain there is, (n, 3 stains, h, w), of images in 0-255 units."""
    return torch.einsum("nchw,cs->nshw", density(images), basis(images.device, vectors)[1])


def stained(images: Tensor, gains: Tensor, shifts: Tensor | None = None, vectors: Vectors = RUIFROK) -> Tensor:
    """Each stain's amount times ``gains`` plus ``shifts``, both (n or 1, 3); floats in 0-255 units, (n, 3, h, w)."""
    changed = amounts(images, vectors) * gains[:, :, None, None]
    if shifts is not None:
        changed = changed + shifts[:, :, None, None]
    dense = torch.einsum("nshw,sc->nchw", changed, basis(images.device, vectors)[0])
    return (256 * 10**-dense - 1).clamp(0, 255)


def checked(vectors: Vectors) -> Vectors:
    """Densities that can be told apart; InvalidInput says what is wrong about others."""
    whole = [len(one) for one in vectors] == [3, 3]
    table = np.asarray(vectors if whole else np.zeros((2, 3)), dtype=float)
    if not np.isfinite(table).all() or (table < 0).any() or not table.any(1).all():
        raise InvalidInput(
            "Six numbers are expected, none below 0: the densities of haematoxylin in red, green and blue, then those "
            "of eosin.",
            field="stain_matrix",
        )
    angle = _angle(*table)
    if angle < LEAST_ANGLE:
        raise InvalidInput(
            f"The two stains' densities are only {angle:.1f} degrees apart, at least {LEAST_ANGLE:g} are needed to "
            "tell them apart.",
            field="stain_matrix",
        )
    haematoxylin, eosin = ((float(r), float(g), float(b)) for r, g, b in table)
    return haematoxylin, eosin


def macenko(images: NDArray[np.uint8]) -> Vectors:
    """The densities of both stains by the images themselves, uint8 (n, h, w, 3) (Macenko et al. 2009).

    The densities of coloured pixels lie near a plane. Within it the most extreme directions (but for a percent) are
    the two stains; haematoxylin is the one that takes more of the red. Raises InvalidInput where hardly anything is
    stained, or with one colour only.
    """
    pixels = images.reshape(-1, 3)
    dense = -np.log10((pixels[:: max(1, len(pixels) // PIXELS)].astype(np.float64) + 1) / 256)
    dense = dense[np.linalg.norm(dense, axis=1) > FAINT]
    if len(dense) < 100:
        raise InvalidInput(
            f"Only {len(dense)} of the pixels looked at are stained. Give the stains' densities "
            "instead, with --stain-matrix.",
            field="stains",
        )
    _, directions = np.linalg.eigh(np.cov(dense.T))
    across, along = directions[:, 1], directions[:, 2] * np.sign(directions[:, 2].sum())  # the plane of most spread
    angles = np.arctan2(dense @ across, dense @ along)
    ends = np.percentile(angles, [EXTREME, 100 - EXTREME])
    first, second = (np.clip(np.cos(end) * along + np.sin(end) * across, 0, None) for end in ends)
    first, second = first / np.linalg.norm(first), second / np.linalg.norm(second)
    if _angle(first, second) < LEAST_ANGLE:
        raise InvalidInput(
            "The patches show one colour only: their two stains cannot be told apart. Give the stains' densities, "
            "with --stain-matrix.",
            field="stains",
        )
    pair = (first, second) if first[0] > second[0] else (second, first)
    haematoxylin, eosin = ((round(float(r), 4), round(float(g), 4), round(float(b), 4)) for r, g, b in pair)
    return haematoxylin, eosin


def _angle(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
