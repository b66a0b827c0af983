"""Plans of ladders and bias pairs: they are what the analysis does to simulated studies."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from core.errors import InvalidInput
from study.design.choice_power import found, simulate
from study.design.seeing import Readings, World, read
from study.design.sight_planning import BiasAssumptions, LadderAssumptions, plan_bias, plan_ladder, widths
from study.statistics.visibility.ladders import visibility

SMALL = LadderAssumptions(readers=3, patches=12, studies=8)


def as_table(found: Readings) -> pd.DataFrame:
    columns = {
        "reader_id": found.reader.astype(str), "patch_id": found.patch, "ladder": "perturbed", "level": found.level,
        "correct": found.right.astype(float), "flip": np.exp(found.log_flip)[found.patch],
    }  # fmt: skip
    return pd.DataFrame(columns)


def test_the_planned_widths_are_those_that_the_analysis_gives_to_such_studies():
    """The same simulated studies, once through the planner and once as tables through the results page's analysis."""
    a = replace(SMALL, design="fixed", levels=5)
    planned = widths(a)
    rng, ends, halves = np.random.default_rng([a.seed, a.readers, a.patches]), [], []
    for _ in range(a.studies):
        (seen,) = visibility(as_table(read(rng, a.world(), a.readers, a.patches, None)))
        ends.append(seen.index_ci95)
        halves.append(np.sqrt(seen.threshold_ci95[1] / seen.threshold_ci95[0]) if seen.threshold_ci95 else np.inf)
    assert planned["index"]["low"] == pytest.approx(np.median([low for low, _ in ends]), abs=1e-6)
    assert planned["index"]["width"] == pytest.approx(np.median([high - low for low, high in ends]), abs=1e-6)
    assert planned["threshold"]["times"] == pytest.approx(np.exp(np.median(np.log(halves))), rel=1e-6)


def test_more_readers_and_more_patches_make_the_index_better_known():
    plan = plan_ladder(SMALL)
    few, many = plan["by_readers"][0], plan["by_readers"][-1]
    assert (few["readers"], many["readers"]) == (2, 12)
    assert few["index"]["width"] > plan["expected"]["index"]["width"] > many["index"]["width"]
    assert few["threshold"]["times"] > many["threshold"]["times"] > 1
    assert [row["patches"] for row in plan["by_patches"]] == [10, 12, 24]
    assert plan["pairs_per_reader"] == 60 and 0.5 < plan["truth"]["index"] < 1
    assert any("3 readers say little of other readers" in warning for warning in plan["warnings"])
    assert plan == plan_ladder(SMALL)


def test_few_adaptive_pairs_that_do_not_reach_every_patch_are_planned_with_those_that_were_shown():
    a = replace(SMALL, patches=60, trials=30)
    assert widths(a)["index"] is not None
    assert "do not show each of the 60 patches" in " ".join(plan_ladder(a)["warnings"])


def test_two_readings_of_every_level_are_twice_as_many_pairs():
    world = World()
    once, twice = (read(np.random.default_rng(0), world, 2, 10, None, sets) for sets in (1, 2))
    assert len(twice.right) == 2 * len(once.right)
    assert replace(SMALL, design="fixed", sets=2).pairs_per_reader == 2 * 12 * 8


def test_a_bias_is_found_as_often_as_planned_and_none_as_rarely_as_promised():
    a = BiasAssumptions(pairs=200, readers=5, studies=200, seed=3)
    plan = plan_bias(a)
    rng = np.random.default_rng(77)
    again = np.mean([found(simulate(rng, a.pairs_of(200), 0.55)) for _ in range(200)])
    assert abs(plan["power"] - again) < 3 * np.sqrt(2) * plan["monte_carlo_error"]
    assert plan["false"] <= 0.06
    curve = {row["pairs"]: row["power"] for row in plan["curve"]}
    assert curve[20] < plan["power"] == curve[200] < curve[800]
    assert 200 < plan["pairs_needed"]["0.8"] < 800


@pytest.mark.parametrize(
    ("assumptions", "field"),
    [
        (replace(SMALL, readers=1), "readers"),
        (replace(SMALL, patches=9), "patches"),
        (replace(SMALL, trials=29), "trials"),
        (replace(SMALL, design="random"), "design"),
        (replace(SMALL, design="fixed", patches=200, levels=20, sets=10), "patches"),
        (BiasAssumptions(share=0.5), "share"),
        (BiasAssumptions(pairs=2000, readers=50, sets=10), "studies"),
    ],
)
def test_what_cannot_be_planned_names_its_field(assumptions, field):
    work = plan_ladder if isinstance(assumptions, LadderAssumptions) else plan_bias
    with pytest.raises(InvalidInput) as error:
        work(assumptions)
    assert error.value.field == field
