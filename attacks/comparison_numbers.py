"""The table of a comparison: each measure of both classifiers, the difference with its paired interval. No torch."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attacks.engine import pairing
from model.learning import evaluation
from model.learning.groups import few_groups, grouped, groups_per_class
from model.learning.ranking import auc
from model.models import Patch

BUDGETS: dict[str, tuple[float, ...]] = {
    "linf": (1, 2, 4, 8),
    "l2": (0.5, 1, 2, 4),
    "l1": (0.25, 0.5, 1, 2),
    "l0": (0.005, 0.01, 0.02, 0.05),
}
"""Where robust accuracies are compared, in 0-255 units (L0: share of pixels)."""
SIDES = ("first", "second")


def summarise(
    answers: dict[str, Any],
    patches: Sequence[Patch],
    norms: Sequence[str],
    *,
    seed: int = 0,
    cases: Sequence[int] = (),
) -> dict[str, Any]:
    """The rows of the table, the points of both calibration curves, and warnings. Rows about ``cases`` (patches of a
    study, by key) say so."""
    truth = np.array([patch.tumour for patch in patches]).astype(int)
    names = np.array([patch.group for patch in patches])
    groups = names if grouped(names) else None
    given = [np.array(answers[side]["p_tumour"]) for side in SIDES]
    right = [(p >= 0.5) == truth.astype(bool) for p in given]

    def numbers(measure: str, statistic: pairing.Statistic) -> dict[str, Any]:
        return {"measure": measure} | pairing.bootstrapped(statistic, len(truth), groups, seed=seed)

    rows = [{"measure": "accuracy"} | pairing.shares(right[0], right[1], groups)]
    rows.append(numbers("AUC", lambda rows: _both(given, rows, lambda p, at: auc(truth[at], p))))
    rows.append(
        numbers("Brier score", lambda rows: _both(given, rows, lambda p, at: float(((p - truth[at]) ** 2).mean())))
    )
    rows.append(
        numbers(
            "calibration error",
            lambda rows: _both(given, rows, lambda p, at: evaluation.calibration_error(truth[at], p)),
        )
    )
    smallest = {norm: [_floats(answers[side]["norms"][norm]) for side in SIDES] for norm in norms}
    for norm in norms:
        for budget in BUDGETS[norm]:
            held = [values > budget * (1 + 1e-9) for values in smallest[norm]]
            rows.append({"measure": f"robust accuracy, {norm} {budget:g}"} | pairing.shares(held[0], held[1], groups))
    rows += _natural(answers, groups)
    both = right[0] & right[1]
    rows += _flips(smallest, both, groups, seed)
    rows += _saliency(answers, groups, seed)
    chosen = np.isin([patch.pk for patch in patches], list(cases))
    if chosen.any():
        rows += [row | {"of": "cases"} for row in _flips(smallest, both & chosen, groups, seed)]
    counted = groups_per_class(truth, names)
    return {
        "rows": rows,
        "calibration": {side: evaluation.calibration(truth, p) for side, p in zip(SIDES, given)},
        "patches": len(truth),
        "groups": counted,
        "warnings": few_groups(counted, "Compared patches"),
    }


def _natural(answers: dict[str, Any], groups: Any) -> list[dict[str, Any]]:
    """Who withstands each natural change at its worst, and all of them."""
    found = [answers[side].get("natural", {}) for side in SIDES]
    table: list[dict[str, NDArray[np.bool_]]] = [
        {change: np.array(held, dtype=bool) for change, held in one.items()} for one in found
    ]
    if len(table[0]) > 1:
        for one in table:
            one["of all changes"] = np.asarray(np.stack(list(one.values())).all(0))
    return [
        {"measure": f"robust accuracy, worst {change}"} | pairing.shares(held, table[1][change], groups)
        for change, held in table[0].items()
    ]


def _flips(smallest: dict[str, list[np.ndarray]], both: np.ndarray, groups: Any, seed: int) -> list[dict[str, Any]]:
    """Of the patches that both get right: the share flipped within each budget, and the median smallest flip."""
    rows: list[dict[str, Any]] = []
    at = np.flatnonzero(both)
    if not len(at):
        return rows
    own = None if groups is None else groups[at]
    for norm, values in smallest.items():
        for budget in BUDGETS[norm]:
            fell = [one[at] <= budget * (1 + 1e-9) for one in values]
            rows.append({"measure": f"share flipped, {norm} {budget:g}"} | pairing.shares(fell[0], fell[1], own))
        rows.append(_medians(norm, values, at, groups, seed))
    return rows


def _saliency(answers: dict[str, Any], groups: Any, seed: int) -> list[dict[str, Any]]:
    """Means of what was measured about saliency, over the patches that have a number of both."""
    rows = []
    for name in answers["first"].get("saliency", {}):
        values = [_floats(answers[side]["saliency"][name]) for side in SIDES]
        at = np.flatnonzero(np.isfinite(values[0]) & np.isfinite(values[1]))
        if len(at):
            rows.append({"measure": f"saliency, {name}"} | _means([one[at] for one in values], at, groups, seed))
    return rows


def _means(values: list[np.ndarray], at: np.ndarray, groups: Any, seed: int) -> dict[str, Any]:
    own = None if groups is None else groups[at]
    return pairing.bootstrapped(lambda rows: _both(values, rows, lambda v, _: float(v.mean())), len(at), own, seed=seed)


def _medians(norm: str, smallest: list[np.ndarray], both: np.ndarray, groups: Any, seed: int) -> dict[str, Any]:
    """The median smallest flip of the patches that both get right."""
    own = None if groups is None else groups[both]
    values = [one[both] for one in smallest]
    found = pairing.bootstrapped(lambda rows: _both(values, rows, lambda v, _: _median(v)), len(both), own, seed=seed)
    return {"measure": f"median smallest flip, {norm}"} | found


def _both(values: list[np.ndarray], rows: np.ndarray, number: Any) -> tuple[float, float]:
    first, second = (number(one[rows], rows) for one in values)
    return first, second


def _median(values: np.ndarray) -> float:
    """The middle value; infinite where half were never flipped."""
    return float(np.sort(values)[len(values) // 2])


def _floats(values: Sequence[float | None]) -> np.ndarray:
    return np.array([np.inf if value is None else value for value in values], dtype=float)
