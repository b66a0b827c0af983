"""When does a reader see the change? One psychometric model of several readers and many patches, fitted at once.

    P(right) = guess + (1 - guess - lapse_r) F(slope_r (log level - log threshold_rp))
    log threshold_rp = mean_r + patch_p,   patch_p ~ N(beta log flip_p, tau^2)

F is logistic. Readers have a mean, a slope and a lapse of their own; the patches' effects are integrated out (one
dimension each, since given the readers the patches are independent), so that answers on one patch do not count as
independent. Moscatelli, Mezzetti & Lacquaniti (Journal of Vision 12(11):26, 2012) call this a GLMM. Weak priors (below)
keep a lapse or a slope that the answers hardly show from running away. ``beta`` lets patches on which the model holds
out longer have higher thresholds too, so that the two may be compared patch by patch.

Uncertainty does not rest on the model: leaving out one patch moves every number by (approximately) H^-1 times that
patch's score, and the jackknife over patches (or slides) goes together with the spread between readers by the rule of
:mod:`study.statistics.two_way`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, logit

NODES = np.linspace(-4.0, 4.0, 11)
"""Of the sum over a patch's effect, in posterior standard deviations; equal steps are exact to 1e-3 or better here."""

# Priors, as (mean, standard deviation) on the scale named; wide beside what a study of any use tells.
MEAN_SD = 3.0  # of the readers' common log threshold around the middle of the levels
READER_SD = 0.7  # readers' log thresholds around the common one: two in three within a factor of two
SLOPE = (np.log(4.0), 0.5)  # log slope; Weibull slopes of 2 to 5, as forced choices give them, are 2.8 to 7 here
SLOPE_SD = 0.3  # readers' log slopes around the common one
LAPSE = (logit(0.05), 1.2)  # logit of the usual lapse
LAPSE_SD = 0.8  # readers' logit lapses around the usual one
TAU = (np.log(0.5), 0.5)  # log of the patches' standard deviation
BETA_SD = 0.5


@dataclass(frozen=True)
class Trials:
    """Answers counted per reader, patch and level: ``right`` of ``n`` at ``log_level``; all (m,), sorted by patch."""

    reader: np.ndarray
    patch: np.ndarray
    log_level: np.ndarray
    right: np.ndarray
    n: np.ndarray
    covariate: np.ndarray
    """(patches,): log of the model's smallest flip, or of what stands in for it, centred; 0 for no flips at all."""

    @classmethod
    def count(
        cls, reader: np.ndarray, patch: np.ndarray, level: np.ndarray, right: np.ndarray, covariate: np.ndarray
    ) -> "Trials":
        """From single answers (N,): ``reader`` and ``patch`` as numbers from 0, ``level`` above 0, ``right`` 0/1."""
        levels, at = np.unique(np.log(np.asarray(level, float)), return_inverse=True)
        readers = int(np.max(reader)) + 1
        cell = (np.asarray(patch) * readers + reader) * len(levels) + at
        cells, where = np.unique(cell, return_inverse=True)
        n = np.bincount(where).astype(float)
        return cls(
            reader=cells // len(levels) % readers,
            patch=cells // (len(levels) * readers),
            log_level=levels[cells % len(levels)],
            right=np.bincount(where, weights=np.asarray(right, float)),
            n=n,
            covariate=np.asarray(covariate, float),
        )


@dataclass(frozen=True)
class Posterior:
    """What is known of each patch's effect, the readers' numbers taken as they are: mean and SD (patches,)."""

    mean: np.ndarray
    sd: np.ndarray


@dataclass(frozen=True)
class Nodes:
    """Three places of each patch's effect (patches, 3) with the weights of Gauss and Hermite; readers' own numbers."""

    place: np.ndarray
    own: np.ndarray
    weight = np.array([1, 4, 1]) / 6


class Model:
    """The likelihood of one set of trials.

    Parameters: mean (R), slope's deviation (R), lapse's deviation (R), log slope, logit lapse, log tau, beta.
    """

    def __init__(self, trials: Trials, guess: float) -> None:
        self.trials, self.guess = trials, guess
        self.readers = int(trials.reader.max()) + 1
        self.patches = len(trials.covariate)
        present, self._start = np.unique(trials.patch, return_index=True)
        if len(present) != self.patches:
            raise ValueError("a patch has no answer")
        self._cell = trials.patch * self.readers + trials.reader
        self._cells, self._cell_start = np.unique(self._cell, return_index=True)
        self.middle = float(np.average(trials.log_level, weights=trials.n))
        self.centre, self.spread = np.zeros(self.patches), np.full(self.patches, 0.6)
        r = self.readers
        self.prior_mean = np.r_[np.full(r, self.middle), np.zeros(2 * r), SLOPE[0], LAPSE[0], TAU[0], 0.0]
        own = np.array([READER_SD, SLOPE_SD, LAPSE_SD]).repeat(r)
        self.precision = np.diag(np.r_[own, SLOPE[1], LAPSE[1], TAU[1], BETA_SD] ** -2.0)
        self.precision[:r, :r] -= READER_SD**-4.0 / (
            MEAN_SD**-2.0 + r * READER_SD**-2.0
        )  # the common one integrated out

    def parts(self, at: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float, float]:
        """Mean, log slope and lapse per reader; log tau, beta."""
        r = self.readers
        slope, lapse, log_tau, beta = at[3 * r :]
        return at[:r], slope + at[r : 2 * r], expit(lapse + at[2 * r : 3 * r]), log_tau, beta

    def weights(self, at: np.ndarray):
        """Posterior weights of the nodes (patches, nodes), log marginals (patches,), and what the gradient needs."""
        t = self.trials
        mean, log_slope, lapse, log_tau, beta = self.parts(at)
        node = self.centre[:, None] + self.spread[:, None] * NODES
        slope = np.exp(log_slope)[t.reader][:, None]
        distance = (t.log_level - mean[t.reader])[:, None] - node[t.patch]
        f = expit(slope * distance)
        room = (1 - self.guess - lapse)[t.reader][:, None]
        p = np.clip(self.guess + room * f, 1e-9, 1 - 1e-9)
        right, wrong = t.right[:, None], (t.n - t.right)[:, None]
        likelihood = np.add.reduceat(right * np.log(p) + wrong * np.log1p(-p), self._start, axis=0)
        off = (node - beta * t.covariate[:, None]) * np.exp(-log_tau)
        step = np.log(self.spread * (NODES[1] - NODES[0]))[:, None]
        joint = likelihood - 0.5 * off**2 - log_tau - 0.5 * np.log(2 * np.pi) + step
        top = joint.max(axis=1, keepdims=True)
        weight = np.exp(joint - top)
        total = weight.sum(axis=1, keepdims=True)
        return weight / total, (top + np.log(total))[:, 0], node, off, (p, f, room, slope, distance, right, wrong)

    def posterior(self, at: np.ndarray) -> Posterior:
        weight, _, node, *_ = self.weights(at)
        mean = (weight * node).sum(axis=1)
        return Posterior(mean, np.sqrt(np.maximum((weight * (node - mean[:, None]) ** 2).sum(axis=1), 1e-6)))

    def follows(self, at: np.ndarray) -> Posterior:
        """How the posterior's mean and SD move with each parameter (parameters, patches), the nodes as they are."""
        state = self.weights(at)
        weight, node, found = state[0], state[2], self.posterior(at)
        score = self._at_nodes(at, state[3], *self._by_own(at, state))
        off = node - found.mean[:, None]
        usual = (score * weight).sum(axis=2)
        by_mean = (score * (weight * off)).sum(axis=2)
        by_variance = (score * (weight * off**2)).sum(axis=2) - found.sd**2 * usual
        return Posterior(by_mean, by_variance / (2 * found.sd))

    def scores(self, at: np.ndarray, state: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Log marginal likelihood (patches,) and its gradient (patches, parameters), priors left aside."""
        t, r = self.trials, self.readers
        weight, marginal, _, off, (p, f, room, slope, distance, right, wrong) = state or self.weights(at)
        _, _, lapse, log_tau, _ = self.parts(at)
        w = weight[t.patch] * (right / p - wrong / (1 - p))
        steep = w * room * f * (1 - f)
        by_mean = -(steep * slope).sum(axis=1)
        by_slope = (steep * slope * distance).sum(axis=1)
        by_lapse = -(w * f).sum(axis=1) * (lapse * (1 - lapse))[t.reader]

        def per_reader(value: np.ndarray) -> np.ndarray:
            return np.bincount(self._cell, weights=value, minlength=self.patches * r).reshape(self.patches, r)

        slopes, lapses = per_reader(by_slope), per_reader(by_lapse)
        by_tau = (weight * (off**2 - 1)).sum(axis=1)
        by_beta = (weight * off).sum(axis=1) * np.exp(-log_tau) * t.covariate
        return marginal, np.column_stack(
            [per_reader(by_mean), slopes, lapses, slopes.sum(axis=1), lapses.sum(axis=1), by_tau, by_beta]
        )

    def prior(self, at: np.ndarray) -> tuple[float, np.ndarray]:
        """Log prior and its gradient."""
        slope = -self.precision @ (at - self.prior_mean)
        return float(slope @ (at - self.prior_mean)) / 2, slope

    def _by_own(self, at: np.ndarray, state: Any) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        """Slope of P(right) by its reader's mean, log slope and logit lapse, and of the log likelihood by P(right):
        (trials, nodes) each."""
        _, _, _, _, (p, f, room, slope, distance, right, wrong) = state
        lapse = self.parts(at)[2]
        steep = room * f * (1 - f) * slope
        return (-steep, steep * distance, -f * (lapse * (1 - lapse))[self.trials.reader][:, None]), (
            right / p - wrong / (1 - p)
        )

    def _at_nodes(self, at: np.ndarray, off: np.ndarray, by: tuple[np.ndarray, ...], first: np.ndarray) -> np.ndarray:
        """Slope of the log likelihood and of the patch's density at every node (parameters, patches, nodes)."""
        t, r = self.trials, self.readers
        scores = np.zeros((3, r, self.patches, len(NODES)))
        for i, value in enumerate(by):
            scores[i, self._cells % r, self._cells // r] = np.add.reduceat(first * value, self._cell_start, axis=0)
        whole = np.empty((len(at), self.patches, len(NODES)))
        whole[: 3 * r] = scores.reshape(3 * r, self.patches, -1)
        whole[3 * r : 3 * r + 2] = scores[1:].sum(axis=1)
        whole[-2], whole[-1] = off**2 - 1, off * t.covariate[:, None] * np.exp(-self.parts(at)[3])
        return whole

    def curvature(self, at: np.ndarray, state: Any = None) -> np.ndarray:
        """Minus the second derivative of log marginal likelihood plus prior (parameters, parameters), by Louis (1982):
        the mean curvature, were the patches' effects known, less the variance of the score over what they may be."""
        t, r = self.trials, self.readers
        state = state or self.weights(at)
        weight, _, _, off, (p, f, room, slope, distance, right, wrong) = state
        _, _, lapse, log_tau, _ = self.parts(at)
        chance = (lapse * (1 - lapse))[t.reader][:, None]
        skew = (1 - 2 * lapse)[t.reader][:, None]
        eta = slope * distance
        by, first = self._by_own(at, state)
        second = -right / p**2 - wrong / (1 - p) ** 2
        steep = room * f * (1 - f)
        bent = steep * (1 - 2 * f)
        mixed = -f * (1 - f) * chance
        twice = {
            (0, 0): bent * slope**2, (0, 1): -slope * (bent * eta + steep), (1, 1): eta * (bent * eta + steep),
            (0, 2): -mixed * slope, (1, 2): mixed * eta, (2, 2): -f * chance * skew,
        }  # fmt: skip
        size = len(at)
        total = np.zeros((size, size))
        w = weight[t.patch]
        second, likely = second * w, first * w
        whose = np.arange(r)
        for (i, j), value in twice.items():
            mean = np.einsum("tn,tn,tn->t", second, by[i], by[j]) + np.einsum("tn,tn->t", likely, value)
            each = np.bincount(t.reader, weights=mean, minlength=r)
            total[i * r + whose, j * r + whose] = each
            total[j * r + whose, i * r + whose] = each
        common = 3 * r + np.arange(2)
        for k, place in enumerate(common, start=1):
            own = slice(k * r, (k + 1) * r)
            total[place, :] += total[own, :].sum(axis=0)
            total[:, place] += total[:, own].sum(axis=1)
        # The rows of slope and lapse now hold both crossings; what they have with each other is summed once.
        total[np.ix_(common, common)] = [
            [total[i * r : (i + 1) * r, j * r : (j + 1) * r].sum() for j in (1, 2)] for i in (1, 2)
        ]
        drawn = t.covariate[:, None] * np.exp(-log_tau)
        total[-2, -2] = -2 * (weight * off**2).sum()
        total[-1, -1] = -(drawn**2).sum()
        total[-2, -1] = total[-1, -2] = -2 * (weight * off * drawn).sum()
        whole = self._at_nodes(at, off, by, first)
        mean_score = (whole * weight).sum(axis=2)
        flat = whole.reshape(size, -1)
        spread = (flat * weight.ravel()) @ flat.T - mean_score @ mean_score.T
        return -total - spread + self.precision

    def negative(self, at: np.ndarray, state: Any = None) -> tuple[float, np.ndarray]:
        marginal, score = self.scores(at, state)
        value, slope = self.prior(at)
        return -float(marginal.sum()) - value, -score.sum(axis=0) - slope

    def information(self, at: np.ndarray, nodes: "Nodes") -> tuple[float, np.ndarray]:
        """Half the log of the information on each reader's mean, summed, by the common slope and lapse; and its slope.

        Patches and readers' own numbers stand at ``nodes``.
        """
        t, r = self.trials, self.readers
        mean, log_slope, lapse, _, _ = self.parts(np.r_[at[:r], nodes.own[r:], at[3 * r :]])
        slope = np.exp(log_slope)[t.reader][:, None]
        eta = slope * ((t.log_level - mean[t.reader])[:, None] - nodes.place[t.patch])
        f = expit(eta)
        room = (1 - self.guess - lapse)[t.reader][:, None]
        p = np.clip(self.guess + room * f, 1e-9, 1 - 1e-9)
        steep, tilt = room * f * (1 - f), (1 - 2 * p) / (p * (1 - p))
        each = t.n[:, None] * nodes.weight * (slope * steep) ** 2 / (p * (1 - p))
        by_eta = each * (2 * (1 - 2 * f) - steep * tilt)

        def per_reader(value: np.ndarray) -> np.ndarray:
            return np.bincount(t.reader, weights=value.sum(axis=1), minlength=r)

        total = per_reader(each) + 1 / READER_SD**2
        gradient = np.zeros(len(at))
        gradient[:r] = per_reader(-by_eta * slope) / total / 2
        gradient[3 * r] = (per_reader(by_eta * eta + 2 * each) / total).sum() / 2
        gradient[3 * r + 1] = (per_reader(each * (f * tilt - 2 / room)) * lapse * (1 - lapse) / total).sum() / 2
        return float(np.log(total).sum()) / 2, gradient

    def bend(self, at: np.ndarray, nodes: "Nodes", step: float = 1e-4) -> np.ndarray:
        """Second derivative of ``information`` (parameters, parameters), by central differences of its slope.

        A reader's share of it knows that reader's mean only, so that all means are moved at once.
        """
        r, found = self.readers, np.zeros((len(at), len(at)))
        for places in (slice(0, r), slice(3 * r, 3 * r + 1), slice(3 * r + 1, 3 * r + 2)):
            move = np.zeros(len(at))
            move[places] = step
            slope = (self.information(at + move, nodes)[1] - self.information(at - move, nodes)[1]) / (2 * step)
            if places.start:
                found[places, :], found[:, places] = slope[None, :], slope[:, None]
            else:
                found[:r, :r] = np.diag(slope[:r])
        return found

    def aim(self, at: np.ndarray) -> "Nodes":
        """Put the nodes where each patch's effect probably lies: no finer than the nodes so far could show.

        Returns three places of the same mean and variance, for what needs no more.
        """
        found = self.posterior(at)
        step = self.spread * (NODES[1] - NODES[0])
        self.centre, self.spread = found.mean, np.clip(np.hypot(found.sd, step / 2), 0.05, 0.7)
        places = found.mean[:, None] + found.sd[:, None] * np.sqrt(3) * np.array([-1, 0, 1])
        return Nodes(places, at[: 3 * self.readers])
