"""What a person is shown: bytes within the budget, and files that do not tell the arms apart."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attacks.engine.constraints import displayed_norms, size
from attacks.engine.display import chw, hwc, rounded, shown, to_bytes, within_pixels
from core.images import decode_png, encode_png

images = st.integers(0, 2**31).map(
    lambda seed: torch.randint(0, 256, (2, 3, 6, 5), generator=torch.Generator().manual_seed(seed)).float()
)


@given(
    images=images,
    seed=st.integers(0, 2**31),
    norm=st.sampled_from(["l1", "l2", "linf"]),
    budget=st.floats(0.01, 255),
    scale=st.floats(0.01, 100),
    rounding=st.sampled_from(["aware", "nearest", "truncate"]),
)
def test_bytes_never_break_the_budget(images, seed, norm, budget, scale, rounding):
    delta = scale * torch.randn(images.shape, generator=torch.Generator().manual_seed(seed))
    picture = shown(images, delta, norm, budget, rounding)
    assert torch.equal(picture, picture.round()) and picture.min() >= 0 and picture.max() <= 255
    assert (displayed_norms(images, to_bytes(picture))[norm] <= budget).all()


def test_a_cap_just_below_a_whole_level_does_not_allow_that_level():
    original = torch.full((1, 3, 2, 2), 100.0)
    picture = shown(original, torch.full_like(original, 5.0), "linf", 2 - 1e-12)
    assert displayed_norms(original, to_bytes(picture))["linf"] == 1


def test_weak_perturbation_keeps_its_strongest_components_instead_of_vanishing():
    delta = (0.15 * torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))).clamp(-0.49, 0.49)
    assert not rounded(delta, "l2", 1.0, "nearest").any()
    whole = rounded(delta, "l2", 1.0, "aware")
    lengths = size(whole, "l2") / size(delta, "l2")
    assert (lengths > 0.9).all() and (lengths <= 1).all()
    assert (whole * delta >= 0).all()
    assert delta.abs()[whole != 0].min() >= delta.abs()[whole == 0].max() * 0.9


def test_half_a_grey_level_is_no_change_and_linf_is_cut_to_whole_levels():
    delta = torch.tensor([0.5, -0.5, 0.6, -1.7, 2.6, -9.0]).reshape(1, 3, 1, 2)
    assert rounded(delta, "linf", 1.5, "nearest").flatten().tolist() == [0, 0, 1, -1, 1, -1]
    assert rounded(delta, "linf", 0.5, "aware").abs().max() == 0
    assert rounded(delta, "linf", 255, "truncate").flatten().tolist() == [0, 0, 0, -1, 2, -9]


def test_perturbation_is_cut_to_what_pixels_can_show():
    image = torch.tensor([0.0, 250.0, 128.0]).reshape(1, 3, 1, 1)
    delta = torch.tensor([-5.0, 10.0, 3.0]).reshape(1, 3, 1, 1)
    assert within_pixels(image, delta).flatten().tolist() == [0, 5, 3]


def test_png_gives_back_the_bytes_and_its_length_depends_on_its_size_alone():
    draw = np.random.default_rng(0)
    noise = draw.integers(0, 256, (24, 20, 3), dtype=np.uint8)
    flat = np.full((24, 20, 3), 200, dtype=np.uint8)
    assert len(encode_png(noise)) == len(encode_png(flat))
    assert np.array_equal(decode_png(encode_png(noise)), noise)


def test_pictures_and_tensors_turn_into_each_other():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), dtype=np.uint8)
    assert chw(pixels).shape == (2, 3, 5, 4)
    assert np.array_equal(hwc(chw(pixels)), pixels)


@pytest.mark.parametrize("norm", ["l0", "none"])
def test_norms_without_a_length_are_rounded_too(norm):
    delta = torch.tensor([0.4, 0.6, 40.2, 0.0, 0.0, 0.0]).reshape(1, 3, 1, 2)
    whole = rounded(delta, norm, 1.0 if norm == "l0" else float("inf"))
    assert torch.equal(whole, whole.round()) and whole.abs().max() == 40
