"""Power by enumeration and by simulation, held against the statistics that judge real studies."""

from itertools import product
from math import factorial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from core.errors import InvalidInput
from study.design.crossed import Components, SimulatedStudies, judge_studies
from study.design.paper_design import joint_patterns, paper_design
from study.design.planning import Assumptions, crossed, one_reading, plan
from study.design.power import Discordance, correlated, margin_power, mcnemar_power, smallest_n
from study.statistics.margin import Margin, Units, root_of_counts
from study.statistics.paired import mcnemar_exact, mcnemar_midp
from study.statistics.primary import Scored, one_reader, several_readers
from study.statistics.verdict import verdict

CELLS = [Discordance(0.15, 0.05), Discordance(0.3, 0.0), Discordance(0.08, 0.08), Discordance(0.02, 0.2)]


def counted(b: int, c: int, n: int) -> Margin:
    """One reading of n patches, b lost and c gained."""
    return Margin(Units(np.repeat([-1.0, 1.0, 0.0], [b, c, n - b - c]), np.ones(n)))


def summed(n, cells, claims):
    """The probability that ``claims(b, c)`` holds, over every table of n pairs."""
    total = 0.0
    for b, c in product(range(n + 1), repeat=2):
        if b + c <= n and claims(b, c):
            ways = factorial(n) / factorial(b) / factorial(c) / factorial(n - b - c)
            rest = 1 - cells.original_only - cells.perturbed_only
            total += ways * cells.original_only**b * cells.perturbed_only**c * rest ** (n - b - c)
    return total


@pytest.mark.parametrize("cells", CELLS)
@pytest.mark.parametrize("n", [5, 14, 23])
@pytest.mark.parametrize("alpha", [0.025, 0.05])
def test_mcnemar_power_is_the_sum_over_all_tables_that_reject(cells, n, alpha):
    exact = summed(n, cells, lambda b, c: mcnemar_exact(b, c) <= 2 * alpha)
    assert mcnemar_power(n, cells, alpha) == pytest.approx(exact, abs=1e-9)
    midp = summed(n, cells, lambda b, c: mcnemar_midp(b, c) <= 2 * alpha)
    assert mcnemar_power(n, cells, alpha, midp=True) == pytest.approx(midp, abs=1e-9)


@pytest.mark.parametrize("cells", CELLS)
@pytest.mark.parametrize(("n", "margin"), [(9, 0.3), (20, 0.15)])
def test_margin_power_is_the_sum_over_all_tables_that_get_the_verdict(cells, n, margin):
    kept = {
        (b, c): verdict(counted(b, c, n).interval(0.95), margin, 1.0) for b in range(n + 1) for c in range(n + 1 - b)
    }
    equivalent = summed(n, cells, lambda b, c: kept[b, c] == "equivalent")
    assert margin_power(n, cells, margin, 0.025, two_sided=True) == pytest.approx(equivalent, abs=1e-9)
    claimed = summed(n, cells, lambda b, c: kept[b, c] in ("equivalent", "non_inferior"))
    assert margin_power(n, cells, margin, 0.025, two_sided=False) == pytest.approx(claimed, abs=1e-9)


@given(b=st.integers(0, 30), c=st.integers(0, 30), more=st.integers(1, 60), null=st.floats(-0.9, 0.9))
@settings(max_examples=200, deadline=None)
def test_the_root_from_counts_is_the_root_of_the_patches(b, c, more, null):
    n = b + c + more
    assert root_of_counts(b, c, n, null) == pytest.approx(float(counted(b, c, n).root(null)), abs=1e-6)


@pytest.mark.parametrize(("tpf", "difference", "correlation"), [(0.9, -0.1, 0.3), (0.8, 0.1, 0.7), (0.95, 0, 0.0)])
def test_discordance_follows_from_the_bivariate_normal(tpf, difference, correlation):
    z = stats.norm.ppf([tpf, tpf + difference])
    both = stats.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]]).cdf(z)
    cells = correlated(tpf, difference, correlation)
    assert cells.original_only == pytest.approx(tpf - both, abs=2e-6)
    assert cells.perturbed_only == pytest.approx(tpf + difference - both, abs=2e-6)


def test_an_impossible_discordance_is_named():
    with pytest.raises(InvalidInput, match=r"discordance: 0.05 is impossible .* between 0.1 and 0.3"):
        Discordance.of(tpf=0.9, difference=-0.1, discordance=0.05)


def test_the_smallest_n_holds_from_there_on_and_misses_just_before():
    cells = Discordance(0.2, 0.05)

    def power(n):
        return mcnemar_power(n, cells, 0.025)

    n = smallest_n(power, 0.8)
    assert power(n - 1) < 0.8
    assert all(power(m) >= 0.8 for m in range(n, 2 * n))
    assert smallest_n(lambda n: mcnemar_power(n, Discordance(0.1, 0.1), 0.025), 0.8) is None


@pytest.mark.parametrize(
    ("readers", "patches", "sets", "tpf", "groups"),
    [
        (1, 20, 2, 0.9, None),
        (1, 20, 1, 0.9, None),
        (1, 8, 3, 0.7, None),
        (1, 25, 2, 0.8, 10),
        (3, 12, 2, 0.9, None),
        (5, 20, 2, 0.95, None),
        (2, 5, 1, 0.97, None),
        (4, 9, 3, 0.8, None),
        (3, 36, 2, 0.9, 12),
    ],
)
def test_simulated_studies_are_judged_as_real_ones_are(readers, patches, sets, tpf, groups):
    studies = SimulatedStudies(
        patches=patches,
        readers=readers,
        sets=sets,
        tpf=tpf,
        difference=-0.05,
        components=Components(),
        studies=60,
        seed=3,
        groups=groups,
        icc=0.5,
    )
    margin, alpha = 0.15, 0.05
    judged = judge_studies(studies.correct, studies.unit, margin, alpha)
    for number, correct in enumerate(studies.correct):  # (2, readers, patches, sets)
        scored = Scored(correct.mean(axis=3), studies.unit)
        primary = (
            one_reader(scored, margin, 1 - 2 * alpha)
            if readers == 1
            else several_readers(scored, margin, 1 - 2 * alpha)[0]
        )
        low, high = primary.ci
        expected = (primary.p <= 2 * alpha, low > -margin, low > -margin and high < margin)
        assert tuple(bool(verdicts[number]) for verdicts in judged) == expected, primary


def test_simulation_and_enumeration_agree_for_one_reading():
    components = Components(patch=1.0, patch_arm=0.4, reader_patch=0.3)
    studies = SimulatedStudies(
        patches=40, readers=1, sets=1, tpf=0.9, difference=-0.15, components=components, studies=8000, seed=1
    )
    claims = studies.claims(40, margin=0.25, alpha=0.025)
    cells = correlated(0.9, -0.15, components.correlation())
    exact = mcnemar_power(40, cells, 0.025)  # for one set the sign-flip test is the exact McNemar test
    assert abs(claims.different - exact) < 4 * claims.error(exact)
    exact = margin_power(40, cells, 0.25, 0.025, two_sided=False)
    assert abs(claims.non_inferior - exact) < 4 * claims.error(exact)
    share = studies.correct.mean(axis=(0, 2, 3, 4))
    assert share == pytest.approx([0.9, 0.75], abs=0.005)


def test_the_fraction_correct_is_the_one_asked_for_with_several_readers():
    studies = SimulatedStudies(
        patches=30, readers=4, sets=2, tpf=0.85, difference=0.05, components=Components(), studies=4000, seed=2
    )
    assert studies.correct.mean(axis=(0, 2, 3, 4)) == pytest.approx([0.85, 0.90], abs=0.006)


def test_patterns_are_each_way_of_being_wrong_together_once():
    wrong, patches = (2, 1, 1), 3
    seen = set()
    for rows in product(product((0, 1), repeat=3), repeat=patches):  # every matrix of mistakes
        if tuple(np.sum(rows, axis=0)) == wrong:
            seen.add(tuple(sorted(rows)))
    found = [tuple(sorted(tuple(row) for row in (~correct).astype(int))) for correct in joint_patterns(wrong, patches)]
    assert len(found) == len(set(found))
    assert set(found) == seen


def test_what_the_papers_own_design_could_have_shown():
    paper = paper_design()
    assert paper["joint_patterns"] == 193
    assert paper["mcnemar_exact_p"] == {"per_set": [1.0, 1.0], "pooled": [1.0, 1.0]}
    assert paper["signflip_p"] == [1.0, 1.0]
    low, high = paper["smallest_margin_by_tango"]["ci90"]
    assert (round(100 * low, 1), round(100 * high, 1)) == (10.6, 21.9)
    low, high = paper["smallest_margin_by_tango"]["ci95"]
    assert (round(100 * low, 1), round(100 * high, 1)) == (13.1, 26.1)
    low, high = paper["smallest_claimable_margin"]["ci95"]
    assert (round(100 * low, 1), round(100 * high, 1)) == (18.8, 26.6)
    exact = 1 - 0.05 ** (1 / 20)  # the exact binomial bound of 0 lost patches of 20
    assert paper["one_reading_without_discordance"]["ci90"] == pytest.approx(exact, rel=0.10)
    assert paper["one_reading_without_discordance"]["ci95"] == pytest.approx(1 - 0.025 ** (1 / 20), rel=0.04)
    assert round(paper["power_of_a_drop"]["power"], 2) == 0.12


SMALL = Assumptions(largest=60, studies=300)


def test_a_plan_is_deterministic_and_consistent():
    first = plan(SMALL)
    one_reading.cache_clear(), crossed.cache_clear()
    assert plan(SMALL) == first
    reading, several = first["one_reading"], first["crossed"]
    at_plan = next(point for point in reading["curve"] if point["patches"] == SMALL.patches)
    assert {name: at_plan[name] for name in reading["power"]} == reading["power"]
    for smallest in reading["smallest_n"].values():
        assert smallest["0.8"] <= smallest["0.9"]
    assert several["power"]["different"] > reading["power"]["mcnemar_exact"]
    assert several["false_claim_at_margin"] < 0.025 + 4 * (0.025 * 0.975 / 300) ** 0.5
    assert first["warnings"] == []


def test_a_target_out_of_reach_is_none_and_not_a_number():
    found = crossed(Assumptions(readers=1, sets=1, margin=0.05, largest=40, studies=200))
    assert found["smallest_patches"]["equivalent"] == {"0.8": None, "0.9": None}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tpf": 1.2}, "tpf: 1.2 is out of range"),
        ({"difference": 0.2}, r"difference: a true positive fraction of 0.9 changed by \+0.2"),
        ({"margin": 0.0}, "margin: 0 is out of range"),
        ({"components": Components(patch=9)}, "components.patch: 9 is out of range"),
        ({"studies": 90_000, "readers": 40, "largest": 2000}, "answers would have to be simulated"),
    ],
)
def test_impossible_plans_are_named(change, words):
    with pytest.raises(InvalidInput, match=words):
        plan(Assumptions(**change))
