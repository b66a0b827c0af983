"""The psychometric model of several readers and patches: its mathematics, and what it finds."""

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special

from study.design.adaptive import Prior, Rule
from study.design.seeing import LEVELS, MIDDLE, Grid, World, read
from study.statistics.psychometric import psychometric
from study.statistics.visibility.fitting import derivative, fit
from study.statistics.visibility.index import Comparison, Flips
from study.statistics.visibility.model import Model, Trials


def trials(readers=3, patches=12, asked=None, seed=0, world=None) -> tuple[Trials, np.ndarray]:
    found = read(np.random.default_rng(seed), world or World(), readers, patches, asked)
    covariate = found.log_flip - found.log_flip.mean()
    return Trials.count(found.reader, found.patch, found.level, found.right, covariate), found.log_threshold


def test_slopes_and_curvature_are_those_of_the_likelihood():
    model = Model(trials()[0], 0.5)
    at = model.prior_mean + 0.2 * np.random.default_rng(1).standard_normal(len(model.prior_mean))
    slope = derivative(lambda x: np.array(model.negative(x)[0]), at)
    assert model.negative(at)[1] == pytest.approx(slope, abs=1e-5)
    curvature = derivative(lambda x: model.negative(x)[1], at)
    assert model.curvature(at) == pytest.approx(curvature, abs=1e-4)
    nodes = model.aim(at)
    of_information = derivative(lambda x: np.array(model.information(x, nodes)[0]), at)
    assert model.information(at, nodes)[1] == pytest.approx(of_information, abs=1e-5)


def test_the_bend_of_the_information_is_its_second_derivative():
    model = Model(trials()[0], 0.5)
    at = model.prior_mean + 0.1
    nodes = model.aim(at)
    assert model.bend(at, nodes) == pytest.approx(derivative(lambda x: model.information(x, nodes)[1], at), abs=1e-5)


@pytest.mark.parametrize(("readers", "asked", "lapse"), [(3, None, 0.0), (4, 60, 0.15)])
def test_the_fit_is_the_one_that_a_general_search_finds(readers, asked, lapse):
    """Newton's steps end where L-BFGS-B ends on the same objective, to 0.01 of every reader's log threshold."""
    data, _ = trials(readers, 20, asked, seed=3, world=World(0.5, 0.7, lapse))
    found = fit(data)
    assert found.converged
    model = Model(data, 0.5)
    at = model.prior_mean
    for _ in range(8):
        nodes = model.aim(at)

        def objective(x, nodes=nodes):
            return tuple(one + more for one, more in zip(model.negative(x), model.information(x, nodes)))

        at = optimize.minimize(objective, at, jac=True, method="L-BFGS-B", options={"ftol": 1e-10}).x
    assert found.mean == pytest.approx(at[:readers], abs=0.01)
    assert found.at == pytest.approx(at, abs=0.05)


def test_the_share_and_its_posterior_move_as_their_slopes_say():
    """The slopes behind the intervals of index and factor, against differences of the numbers themselves."""
    data, _ = trials(3, 12, seed=4)
    whole = fit(data)
    flips = np.r_[np.inf, np.linspace(-0.5, 2.0, 11)]  # one patch without a flip
    compared = Comparison(whole, Flips(flips, np.arange(12)))

    def share(at):
        patch = whole.model.posterior(at)
        return special.ndtr((at[:3, None] + patch.mean - flips - 0.2) / patch.sd).mean(axis=1)

    assert compared.blind(0.2).mean(axis=1) == pytest.approx(share(whole.at))
    assert compared.blind_follows(0.2) == pytest.approx(derivative(share, whole.at), abs=1e-5)


def test_patches_are_integrated_out_exactly():
    """The sum over few nodes against a thousand fine steps, wherever the nodes stand after aiming."""
    data, _ = trials(readers=2, patches=4)
    model = Model(data, 0.5)
    at = model.prior_mean + 0.1
    for _ in range(6):
        model.aim(at)
    coarse = model.scores(at)[0]
    mean, log_slope, lapse, log_tau, beta = model.parts(at)
    place = np.linspace(-4, 4, 4001)
    for patch in range(4):
        own = data.patch == patch
        x = data.log_level[own][:, None] - mean[data.reader[own]][:, None] - place
        slope, room = np.exp(log_slope)[data.reader[own]][:, None], (0.5 - lapse)[data.reader[own]][:, None]
        p = 0.5 + room / (1 + np.exp(-slope * x))
        right, n = data.right[own][:, None], data.n[own][:, None]
        likelihood = np.exp((right * np.log(p) + (n - right) * np.log(1 - p)).sum(axis=0))
        tau = np.exp(log_tau)
        prior = np.exp(-0.5 * ((place - beta * data.covariate[patch]) / tau) ** 2) / (tau * np.sqrt(2 * np.pi))
        assert coarse[patch] == pytest.approx(np.log(np.trapezoid(likelihood * prior, place)), abs=0.02)


def test_one_reader_of_many_answers_gets_the_threshold_of_the_plain_fit():
    world = World(reader_sd=0.0, patch_sd=0.05, lapse=0.03)
    found = read(np.random.default_rng(3), world, 1, 60, None)
    table = pd.DataFrame({"level": found.level, "right": found.right}).groupby("level")["right"].agg(["sum", "size"])
    plain = psychometric(
        table.index.to_numpy(), table["sum"].to_numpy(), table["size"].to_numpy(), guess=0.5, rising=True
    )
    whole = fit(Trials.count(found.reader, found.patch, found.level, found.right, np.zeros(60)))
    assert np.exp(whole.mean[0]) == pytest.approx(plain.threshold, rel=0.05)


def test_thresholds_lapses_and_patches_are_found_with_many_answers():
    data, truth = trials(readers=4, patches=150, world=World(lapse=0.1))
    found = fit(data)
    assert found.converged
    assert found.mean == pytest.approx(truth, abs=0.25)
    assert found.lapse == pytest.approx(0.1, abs=0.05)
    assert found.patch_sd == pytest.approx(0.5, abs=0.15)


def test_the_interval_of_the_threshold_covers_where_counting_answers_does_not():
    """Three readers: the interval covers the mean threshold; one that takes all answers as independent does not."""
    covered, naive = [], []
    for seed in range(16):
        found = read(np.random.default_rng(seed), World(), 3, 20, None)
        whole = fit(Trials.count(found.reader, found.patch, found.level, found.right, np.zeros(20)))
        ci = Comparison(whole, Flips(found.log_flip, np.arange(20))).over_readers(lambda at: at[:3]).ci95
        covered.append(ci[0] <= np.log(MIDDLE) <= ci[1])
        counts = (
            pd.DataFrame({"level": found.level, "right": found.right}).groupby("level")["right"].agg(["sum", "size"])
        )
        plain = psychometric(
            counts.index.to_numpy(), counts["sum"].to_numpy(), counts["size"].to_numpy(), guess=0.5, rising=True
        )
        naive.append(plain.ci95 is not None and plain.ci95[0] <= MIDDLE <= plain.ci95[1])
    assert sum(covered) >= 14
    assert sum(naive) < sum(covered)


def test_the_simulated_readers_are_asked_by_the_rule_of_the_protocol():
    """The fast grid of the simulation and the rule choose the same levels for the same answers."""
    rng = np.random.default_rng(0)
    rule, grid = Rule(Prior.around(LEVELS)), Grid(Prior.around(LEVELS), LEVELS)
    for _ in range(12):
        at = int(grid.choose()[0])
        assert at == rule.choose(list(LEVELS))
        right = bool(rng.random() < 0.7)
        rule.tell(float(LEVELS[at]), right)
        grid.tell(np.array([at]), np.array([right]), 1)


def test_what_the_fit_drew_together_is_given_back_before_the_spread_of_readers_is_taken():
    """Of few answers, readers look more alike than they are. Regressed on the truth, their distances have slope 1."""
    drawn, given_back, true = [], [], []
    for seed in range(12):
        found = read(np.random.default_rng(seed), World(0.7, 0.4, 0.02), 5, 20, 40)
        whole = fit(Trials.count(found.reader, found.patch, found.level, found.right, np.zeros(20)))
        compared = Comparison(whole, Flips(found.log_flip, np.arange(20)))
        drawn.append(whole.mean - whole.mean.mean())
        given_back.append(compared._apart)
        true.append(found.log_threshold - found.log_threshold.mean())
        plain = Comparison(whole, Flips(found.log_flip, np.arange(20)))
        plain._apart = drawn[-1]
        wide, narrow = (one.over_readers(lambda at: at[:5]) for one in (compared, plain))
        assert wide.mean == pytest.approx(narrow.mean)
        assert wide.ci95[0] < narrow.ci95[0] and narrow.ci95[1] < wide.ci95[1]
    slopes = [np.polyfit(np.concatenate(true), np.concatenate(one), 1)[0] for one in (drawn, given_back)]
    assert slopes[0] < 0.92
    assert slopes[1] == pytest.approx(1.0, abs=0.1)
