"""Control images for a study: changed as much as the perturbed one, or for anybody to see, and no attack at all."""

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
_ROUNDS = 200
_BLOCKS = 14
_STRENGTH = 48


def shuffled_noise(original: Pixels, displayed: Pixels, *, seed: int) -> Pixels:
    """The displayed perturbation's own pixels at other places: uint8 (h, w, 3), of equal energy.

    A pixel's three channels stay together, so every norm (L0, L1, L2, Linf) is exactly the perturbation's. Places
    where original + pixel would leave 0-255 are exchanged with others; what cannot be placed so is clipped.
    """
    rng = np.random.default_rng(seed)
    base = original.reshape(-1, 3).astype(np.int16)
    delta = displayed.reshape(-1, 3).astype(np.int16) - base  # (hw, 3)
    placed = delta[rng.permutation(len(delta))]
    for _ in range(_ROUNDS):
        outside = np.flatnonzero(_leaves(base, placed))
        if not len(outside):
            break
        partners = rng.permutation(len(base))[: len(outside)]
        outside, partners = _disjoint(outside, partners)
        fits = ~_leaves(base[outside], placed[partners]) & ~_leaves(base[partners], placed[outside])
        moved, partners = outside[fits], partners[fits]
        placed[moved], placed[partners] = placed[partners], placed[moved]
    return np.clip(base + placed, 0, 255).astype(np.uint8).reshape(original.shape)


def mirrored(original: Pixels, displayed: Pixels) -> tuple[Pixels, Pixels]:
    """The displayed change and its opposite, uint8 (h, w, 3) each, of exactly equal energy.

    Where original plus or minus the change would leave 0-255, both are made as small as the smaller of the two can be.
    """
    base = original.astype(np.int16)
    delta = displayed.astype(np.int16) - base
    room = np.minimum(base, 255 - base)
    step = np.sign(delta) * np.minimum(np.abs(delta), room)
    return (base + step).astype(np.uint8), (base - step).astype(np.uint8)


def visible_catch(original: Pixels, *, seed: int) -> Pixels:
    """Coarse blocks lightened or darkened by 48 grey levels in one channel: uint8 (h, w, 3), plain to see.

    It catches readers who do not look; it says nothing of the model.
    """
    rng = np.random.default_rng(seed)
    height, width = original.shape[:2]
    coarse = rng.choice([-_STRENGTH, 0, _STRENGTH], size=(_BLOCKS, _BLOCKS, 3))
    rows, columns = np.arange(height) * _BLOCKS // height, np.arange(width) * _BLOCKS // width
    return np.clip(original.astype(np.int16) + coarse[rows][:, columns], 0, 255).astype(np.uint8)


def _leaves(base: NDArray[np.int16], delta: NDArray[np.int16]) -> NDArray[np.bool_]:
    """(n,) whether base + delta leaves 0-255 in any channel."""
    changed = base + delta
    return np.asarray(((changed < 0) | (changed > 255)).any(axis=1))


def _disjoint(outside: NDArray[np.intp], partners: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs whose partner is not itself to be moved: no place then takes part in two exchanges."""
    free = ~np.isin(partners, outside)
    return outside[free], partners[free]
