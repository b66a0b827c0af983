"""Sensitivity analysis: the same question by generalised estimating equations."""

import warnings
from dataclasses import dataclass

import numpy as np

from study.statistics.paired import Interval


@dataclass(frozen=True)
class Gee:
    """Odds of a correct answer, perturbed against original."""

    odds_ratio: float
    ci95: Interval
    p: float
    method: str = "GEE, logit link, exchangeable within patch, bias-reduced standard errors (Mancl & DeRouen)"


def gee(correct: np.ndarray, perturbed: np.ndarray, patch: np.ndarray) -> Gee | None:
    """Marginal logistic regression of ``correct`` on ``perturbed`` (both (N,) of 0/1), clustered on ``patch``.

    None where an arm is all correct or all wrong (the odds ratio has no finite estimate), or the fit fails.
    """
    correct, perturbed = np.asarray(correct, float), np.asarray(perturbed, float)
    for arm in (0, 1):
        chosen = correct[perturbed == arm]
        if len(chosen) == 0 or chosen.min() == chosen.max():
            return None
    # Imported here: half a second that most analyses of perfect readers do not need.
    from statsmodels.genmod.cov_struct import Exchangeable
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_estimating_equations import GEE

    groups = np.unique(patch, return_inverse=True)[1]
    order = np.argsort(groups, kind="stable")
    design = np.column_stack([np.ones(len(correct)), perturbed])[order]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = GEE(correct[order], design, groups=groups[order], family=Binomial(), cov_struct=Exchangeable())
        try:
            fit = model.fit(cov_type="bias_reduced")
        except (ValueError, np.linalg.LinAlgError):
            return None
    low, high = (float(value) for value in np.exp(fit.conf_int()[1]))
    if not np.isfinite([low, high]).all():
        return None
    return Gee(float(np.exp(fit.params[1])), (low, high), float(fit.pvalues[1]))
