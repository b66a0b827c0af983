"""Stains: their colours as given, or as the patches themselves show them (Macenko et al. 2009)."""

import numpy as np
import pytest
import torch

from core.errors import InvalidInput
from model.learning.staining import RUIFROK, amounts, checked, macenko, stained

OWN = ((0.55, 0.76, 0.34), (0.21, 0.89, 0.40))
"""Two stains that are not Ruifrok and Johnston's."""


def coloured(vectors, n=4, side=48, seed=0, strength=(1.2, 0.9)):
    """Patches uint8 (n, side, side, 3) of two stains in random amounts, some pixels of one alone, and white ground."""
    draw = np.random.default_rng(seed)
    unit = np.array(vectors) / np.linalg.norm(vectors, axis=1, keepdims=True)
    share = draw.random((n, side, side, 2)) * strength
    lone = draw.random((n, side, side))
    share[lone < 0.1, 0] = 0
    share[(lone > 0.1) & (lone < 0.2), 1] = 0
    share[lone > 0.9] = 0  # glass
    return np.clip(256 * 10 ** -(share @ unit) - 1, 0, 255).round().astype(np.uint8)


def angle(first, second):
    one, two = np.array(first), np.array(second)
    return np.degrees(np.arccos(np.clip(one @ two / np.linalg.norm(one) / np.linalg.norm(two), -1, 1)))


@pytest.mark.parametrize("vectors", [RUIFROK, OWN])
def test_the_colours_of_two_stains_are_found_from_the_patches(vectors):
    found = macenko(coloured(vectors))
    assert angle(found[0], vectors[0]) < 3 and angle(found[1], vectors[1]) < 3


def test_amounts_by_the_patches_own_colours_leave_no_rest():
    images = torch.from_numpy(coloured(OWN).transpose(0, 3, 1, 2).copy())
    rest = {name: amounts(images, vectors)[:, 2].abs().mean() for name, vectors in (("own", OWN), ("else", RUIFROK))}
    assert rest["own"] < 0.01 < 0.05 < rest["else"]


def test_a_gain_by_other_colours_changes_the_image_otherwise():
    images = torch.from_numpy(coloured(OWN).transpose(0, 3, 1, 2).copy())
    gains = torch.tensor([[1.3, 1.0, 1.0]])
    own, usual = stained(images, gains, vectors=OWN), stained(images, gains)
    assert (own - usual).abs().mean() > 1
    assert torch.allclose(amounts(own, OWN)[:, 1], amounts(images, OWN)[:, 1], atol=0.02)


def test_patches_without_two_colours_are_refused():
    with pytest.raises(InvalidInput, match="pixels looked at") as refused:
        macenko(np.full((2, 16, 16, 3), 255, np.uint8))
    assert refused.value.field == "stains"
    with pytest.raises(InvalidInput, match="one colour only"):
        macenko(coloured((OWN[0], OWN[0])))


@pytest.mark.parametrize(
    "vectors",
    [((0.6, 0.7, 0.3),), ((0.6, 0.7, -0.3), (0, 1, 0)), ((0, 0, 0), (0, 1, 0)), (OWN[0], (0.56, 0.76, 0.34))],
)
def test_densities_that_are_no_two_stains_are_refused(vectors):
    with pytest.raises(InvalidInput) as refused:
        checked(vectors)
    assert refused.value.field == "stain_matrix"
