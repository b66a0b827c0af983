"""One change at many sizes."""

import numpy as np
import pytest

from attacks.engine.controls import shuffled_noise
from attacks.engine.ladder import Direction, ladder, targets
from attacks.engine.pairs import norms_of
from core.errors import InvalidInput

rng = np.random.default_rng(0)
ORIGINAL = rng.integers(40, 216, (32, 32, 3)).astype(np.uint8)
SMALL = np.clip(ORIGINAL + rng.integers(-1, 2, ORIGINAL.shape), 0, 255).astype(np.uint8)


def measured(shown, norm):
    return [norms_of(ORIGINAL, pixels)[norm] for pixels in shown]


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_levels_have_the_sizes_that_were_asked_for_on_their_bytes(norm):
    sizes = targets(0.3, 30, 8)
    assert np.allclose(np.diff(np.log(sizes)), np.log(100) / 7)
    assert np.allclose(measured(ladder(ORIGINAL, SMALL, sizes, norm=norm, seed=1), norm), sizes, rtol=0.02)


def test_levels_in_linf_are_whole_and_met_exactly():
    sizes = targets(0.5, 32, 8, whole=True)
    assert sizes == sorted({float(round(size)) for size in sizes})
    assert (sizes[0], sizes[-1]) == (1, 32)
    assert measured(ladder(ORIGINAL, SMALL, sizes, norm="linf", seed=1), "linf") == sizes
    assert targets(1, 4, 4, whole=True) == [1, 2, 3, 4]


def test_a_weak_level_shows_some_of_the_steps_of_the_strong_ones_in_the_same_direction():
    weak, strong = (pixels.astype(int) - ORIGINAL for pixels in ladder(ORIGINAL, SMALL, [0.3, 4], norm="l2", seed=1))
    change = SMALL.astype(int) - ORIGINAL
    assert 0.05 < (weak != 0).mean() < 0.5 * (change != 0).mean()  # none vanishes by rounding
    for shown in (weak, strong):
        assert (np.sign(shown)[shown != 0] == np.sign(change)[shown != 0]).all()
    assert (np.abs(weak) <= np.abs(strong)).all()


def test_noise_of_each_level_has_the_energy_of_the_level():
    for level in ladder(ORIGINAL, SMALL, [0.5, 2, 8], norm="l2", seed=1):
        assert norms_of(ORIGINAL, shuffled_noise(ORIGINAL, level, seed=3)) == norms_of(ORIGINAL, level)


def test_the_same_seed_gives_the_same_bytes():
    first, again = (ladder(ORIGINAL, SMALL, [0.5, 2], norm="l2", seed=7) for _ in range(2))
    assert all((one == other).all() for one, other in zip(first, again))
    assert (Direction(ORIGINAL, SMALL, seed=8).at(0.5, "l2") != first[0]).any()


def test_what_cannot_be_is_refused_with_what_to_do():
    with pytest.raises(InvalidInput, match="smaller strongest level"):
        ladder(ORIGINAL, SMALL, [1, 200], norm="l2", seed=1)
    with pytest.raises(InvalidInput, match="fewer levels"):
        ladder(ORIGINAL, SMALL, [1.0, 1.2], norm="linf", seed=1)
    with pytest.raises(InvalidInput, match="nothing is changed"):
        ladder(ORIGINAL, ORIGINAL, [1, 2], norm="l2", seed=1)
    with pytest.raises(InvalidInput, match="does not rise"):
        targets(4, 2, 8)
    with pytest.raises(InvalidInput, match="no 8 whole grey levels"):
        targets(1, 6, 8, whole=True)
