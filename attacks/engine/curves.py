"""Success against budget (Fig. 4), from one minimal perturbation per image and norm.

An image falls at budget B if its smallest displayed perturbation is no larger than B: so one run gives the whole curve,
where a sweep needs an attack per budget. Attacks at single budgets can be put beside it as a check.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.measures import named
from core.proportions import wilson

AXES = {
    "l0": "share of pixels changed (L0)",
    "l1": "mean absolute difference (L1)",
    "l1-rescaled": "mean absolute difference (the paper's rescaled L1)",
    "l2": "root mean squared difference (L2)",
    "linf": "largest difference (L∞)",
}


def axis_label(search: str) -> str:
    """The norm with its unit, short enough for a panel: levels are those of 8-bit images."""
    return f"{named(search)} ({'share of pixels' if search == 'l0' else 'levels of 0–255'})"


def share(flipped: int, of: int, level: float = 0.95) -> dict[str, Any]:
    """A share with its Wilson interval: {"flipped", "of", "share", "low", "high"}; nulls where ``of`` is 0."""
    if not of:
        return {"flipped": 0, "of": 0, "share": None, "low": None, "high": None}
    low, high = wilson(flipped, of, level)
    return {"flipped": int(flipped), "of": int(of), "share": flipped / of, "low": low, "high": high}


def success_curve(norms: NDArray[np.float64], *, search: str, points: int = 12) -> pd.DataFrame:
    """The curve through the minimal norms of the attacked images, (n,), infinity where none was found.

    Columns: search, budget, flipped, of, share, low, high (pointwise 95 % Wilson band). Budgets are the norms at which
    the curve steps, thinned to about ``points`` x 4 of them, from the smallest to the largest.
    """
    reached = np.sort(norms[np.isfinite(norms)])
    steps = np.unique(reached)
    if len(steps) > 4 * points:
        steps = steps[np.unique(np.linspace(0, len(steps) - 1, 4 * points).round().astype(int))]
    rows = [{"search": search, "budget": 0.0} | share(0, len(norms))]
    for budget in steps:
        rows.append({"search": search, "budget": float(budget)} | success_at(norms, budget))
    return pd.DataFrame(rows)


def success_at(norms: NDArray[np.float64], budget: float) -> dict:
    """Share of the attacked images that fall within ``budget``, with its Wilson interval."""
    return share(int((norms <= budget * (1 + 1e-9)).sum()), len(norms))


def check_budgets(norms: NDArray[np.float64], search: str, count: int = 3) -> list[float]:
    """Budgets at which to attack as a check: the quantiles 1/(count+1) ... of the minimal norms, to 3 digits."""
    reached = norms[np.isfinite(norms)]
    if not len(reached):
        return []
    quantiles = np.quantile(reached, np.arange(1, count + 1) / (count + 1))
    if search == "linf":
        return [float(level) for level in np.unique(np.ceil(quantiles))]
    return [float(f"{value:.3g}") for value in np.unique(quantiles)]


def plot(curves: pd.DataFrame, checks: pd.DataFrame, *, kind: str = "svg") -> bytes:
    """One panel per search: the curve as steps, its 95 % band, and the checks as points with their intervals."""
    from core.plot_style import BLUE, VERMILION, look, render

    searches = [search for search in AXES if search in set(curves["search"])]
    with look():
        figure, panels = panels_for(searches)
        for search, axes in panels.items():
            curve = curves[curves["search"] == search]
            end = float(curve["budget"].max()) * 1.08 or 1.0
            budget = np.append(curve["budget"], end)
            level = {name: np.append(curve[name], curve[name].iloc[-1]) for name in ("share", "low", "high")}
            axes.fill_between(budget, level["low"], level["high"], step="post", color=BLUE, alpha=0.2, linewidth=0)
            axes.step(budget, level["share"], where="post", color=BLUE)
            beside = checks[checks["search"] == search] if len(checks) else checks
            if len(beside):
                middle = beside["share"]
                spread = [middle - beside["low"], beside["high"] - middle]
                axes.errorbar(beside["budget"], middle, spread, fmt="o", color=VERMILION, markersize=3, capsize=2)
            axes.set(xlim=(0, end), ylim=(0, 1.02), xlabel=axis_label(search))
            axes.grid(alpha=0.3)
    return render(figure, kind)


PER_ROW = 3


def panels_for(searches: Sequence[str]) -> tuple[Any, dict[str, Any]]:
    """A figure with a panel for each search, up to three in a row. Call inside ``with look()``."""
    from core.plot_style import DOUBLE, SINGLE, new

    columns = min(PER_ROW, len(searches))
    rows = -(-len(searches) // columns)
    figure = new(SINGLE if columns == 1 else DOUBLE, (2.6 if columns < PER_ROW else 2.2) * rows)
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for axes in grid.flat[len(searches) :]:
        axes.set_axis_off()
    for row in grid:
        row[0].set_ylabel("Share flipped, displayed")
    return figure, dict(zip(searches, grid.flat))
