"""The simulations of the visibility study run, and what they say is what they simulate."""

import numpy as np
import pytest

from benchmarks.lib.validity_visibility import cells
from study.design.choice_power import ChoiceDesign, pairs_needed, power, simulate
from study.design.seeing import FLIP, World, read


def test_every_line_has_its_rate_and_its_monte_carlo_error():
    found = list(cells(2, seed=1, quick=True))
    assert {"name", "what", "nominal", "rate", "monte_carlo_error", "replications"} <= set(found[0])
    assert len({(row["name"], row["what"]) for row in found}) == len(found) > 50
    for topic in ("threshold", "blind-spot index", "safety factor", "forced choice", "bias of 55 %", "what predicts"):
        assert any(topic in row["name"] for row in found)


def test_the_true_index_is_the_share_among_many_readers_and_patches():
    world = World(0.5, 0.7)
    rng = np.random.default_rng(0)
    flips, readers = [], []
    for _ in range(40):
        study = read(rng, world, 5, 200, 1)
        flips.append(study.log_flip)
        readers.append(study.log_threshold)
    assert np.exp(np.median(flips)) == pytest.approx(FLIP, rel=0.05)
    assert np.std(readers) == pytest.approx(0.5, abs=0.07)
    assert 0.5 < world.index() < World(0.3, 0.5).index() < 1  # the less spread, the surer


def test_preferences_are_kept_from_set_to_set_and_balance_over_pairs():
    rng = np.random.default_rng(0)
    right = np.concatenate([simulate(rng, ChoiceDesign(500, 1, 4, 3.0)) for _ in range(10)], axis=2)[0]
    assert right.mean() == pytest.approx(0.5, abs=0.03)
    assert (right[0] == right[1]).mean() > 0.75
    assert simulate(rng, ChoiceDesign(20_000, 1, 1, 1.5), 0.55).mean() == pytest.approx(0.55, abs=0.015)


def test_more_pairs_have_more_power_and_repeats_of_a_pair_hardly_any():
    few, many = (power(ChoiceDesign(pairs, 1, 1), 0.65, replications=100) for pairs in (20, 120))
    assert few < 0.6 < many
    once, often = (power(ChoiceDesign(40, 1, sets, 3.0), 0.6, replications=200) for sets in (1, 4))
    assert often < once + 0.2
    assert pairs_needed(0.9, 1, 1) <= 20
