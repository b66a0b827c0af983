"""Section 2.2's norms and projections, on tensors small enough to check by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attacks.engine.constraints import (
    displayed_norms,
    largest_pixels,
    pixel_count,
    project,
    size,
)
from attacks.engine.norms import check_budget
from core.errors import InvalidInput


def by_hand(*pixels):
    """(1, 3, 2, 2) from four pixels of three channels."""
    return torch.tensor(pixels, dtype=torch.float32).T.reshape(1, 3, 2, 2)


DELTA = by_hand((3, 0, 0), (0, 0, 0), (-1, 2, 0), (0, 0, 6))


def test_l0_is_the_share_of_pixels_whatever_their_channels():
    assert size(DELTA, "l0").item() == 3 / 4


def test_l1_is_the_mean_absolute_difference():
    assert size(DELTA, "l1").item() == pytest.approx(12 / 12)


def test_l2_is_the_root_mean_squared_difference():
    assert size(DELTA, "l2").item() == pytest.approx((50 / 12) ** 0.5)


def test_linf_is_the_largest_absolute_difference():
    assert size(DELTA, "linf").item() == 6


def test_norms_of_displayed_bytes_are_those_of_the_difference_in_grey_levels():
    original = torch.full((1, 3, 2, 2), 100, dtype=torch.uint8)
    displayed = (original + DELTA).to(torch.uint8)
    norms = displayed_norms(original, displayed)
    assert {name: values[0] for name, values in norms.items()} == {
        "l0": 0.75,
        "l1": 1.0,
        "l2": pytest.approx((50 / 12) ** 0.5, abs=1e-15),
        "linf": 6.0,
    }


def test_displayed_norms_of_many_images_are_those_of_each():
    draw = torch.Generator().manual_seed(0)
    one, two = (torch.randint(0, 256, (1100, 3, 2, 2), dtype=torch.uint8, generator=draw) for _ in range(2))
    together = displayed_norms(one, two)
    for row in (0, 511, 512, 1099):
        alone = displayed_norms(one[[row]], two[[row]])
        assert {norm: values[row] for norm, values in together.items()} == {norm: alone[norm][0] for norm in together}


def test_displayed_norms_do_not_wrap_around_at_the_ends_of_a_byte():
    black, white = torch.zeros(1, 3, 2, 2, dtype=torch.uint8), torch.full((1, 3, 2, 2), 255, dtype=torch.uint8)
    assert {float(values[0]) for values in displayed_norms(white, black).values()} == {1.0, 255.0}


def test_l2_and_l1_are_rescaled_and_linf_is_clamped():
    assert torch.allclose(project(DELTA, "l2", 1.0), DELTA / (50 / 12) ** 0.5)
    assert torch.allclose(project(DELTA, "l1", 0.5), DELTA / 2)
    assert torch.equal(project(DELTA, "linf", 2.0), DELTA.clamp(-2, 2))
    for norm in ("l1", "l2"):
        assert torch.equal(project(DELTA, norm, 100.0), DELTA)
    assert torch.equal(project(DELTA, "none", float("inf")), DELTA)


def test_l0_keeps_the_pixels_changed_most_in_sum_over_channels():
    projected = project(DELTA, "l0", 0.5)
    assert torch.equal(projected, by_hand((3, 0, 0), (0, 0, 0), (0, 0, 0), (0, 0, 6)))
    assert size(project(DELTA, "l0", 0.49), "l0").item() == 0.25


def test_ties_never_let_more_pixels_through_than_the_share():
    assert largest_pixels(torch.ones(1, 3, 2, 2), 0.5).sum().item() == 2


def test_a_share_counts_whole_pixels_even_where_floats_are_just_short():
    assert pixel_count(0.29, 100, 2).tolist() == [29, 29]
    assert pixel_count(torch.tensor([0.1, 0.5]), 4, 2).tolist() == [0, 2]


@given(
    seed=st.integers(0, 2**31),
    norm=st.sampled_from(["l0", "l1", "l2", "linf"]),
    share=st.floats(0.001, 1),
    scale=st.floats(0.01, 300),
)
def test_projections_keep_every_budget_and_stay_where_they_are_when_repeated(seed, norm, share, scale):
    draw = torch.Generator().manual_seed(seed)
    delta = scale * torch.randn(3, 3, 6, 5, generator=draw)
    budget = share if norm == "l0" else share * 255
    once = project(delta, norm, budget)
    assert (size(once, norm) <= budget * (1 + 1e-5)).all()
    assert torch.allclose(project(once, norm, budget), once, rtol=1e-4)


def test_each_image_can_have_a_budget_of_its_own():
    two = torch.cat([DELTA, DELTA])
    assert torch.allclose(size(project(two, "l2", torch.tensor([0.5, 1.0])), "l2"), torch.tensor([0.5, 1.0]))
    assert size(project(two, "l0", torch.tensor([0.25, 0.5])), "l0").tolist() == [0.25, 0.5]


@pytest.mark.parametrize(
    ("norm", "budget"),
    [("l0", 0.0), ("l0", 1.01), ("l2", -1.0), ("linf", 256.0), ("l1", float("nan")), ("l2", None), ("none", 1.0)],
)
def test_budget_out_of_range_is_refused(norm, budget):
    with pytest.raises(InvalidInput, match=r"udget"):
        check_budget(norm, budget)


def test_unknown_norm_is_refused():
    with pytest.raises(InvalidInput, match="not one of none, l0"):
        check_budget("l3", 1.0)


def test_the_whole_range_is_allowed():
    assert check_budget("none", None) == np.inf
    assert [check_budget(norm, 1.0) for norm in ("l0", "l1", "l2", "linf")] == [1.0] * 4
    assert check_budget("linf", 255.0) == 255.0
