"""The picture of a comparison: accuracy against budget for each norm, and how the answers are calibrated. No torch."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from attacks.engine.curves import axis_label
from attacks.models import Comparison
from core.plot_style import BLUE, DOUBLE, GREY, VERMILION, look, new, render, unit_square
from core.proportions import wilson

SIDES = (("first", BLUE, "-"), ("second", VERMILION, "--"))


def plot_comparison(comparison: Comparison, kind: str = "svg") -> bytes:
    """Equal comparisons give equal bytes. Lines differ in colour and in dashes."""
    norms = comparison.settings["norms"]
    names = {"first": comparison.first.name, "second": comparison.second.name}
    with look():
        figure = new(DOUBLE, 2.9)
        panels = figure.subplots(1, len(norms) + 1, squeeze=False)[0]
        for axes, norm in zip(panels, norms):
            _curves(axes, comparison.answers, norm, comparison.settings["budgets"][norm])
        panels[0].set_ylabel("Share right")
        _calibration(panels[-1], comparison.result["calibration"])
        lines = panels[0].get_lines()[:2]
        figure.legend(lines, [_short(names[side]) for side, *_ in SIDES], loc="outside lower center", ncols=2)
        return render(figure, kind)


def _curves(axes: Axes, answers: dict[str, Any], norm: str, budgets: list[float]) -> None:
    end = max(budgets) * 1.05
    for side, colour, dashes in SIDES:
        values = np.array([np.inf if one is None else one for one in answers[side]["norms"][norm]], dtype=float)
        steps = np.unique(np.concatenate([[0.0], values[values <= end], [end]]))
        held = np.array([(values > budget * (1 + 1e-9)).sum() for budget in steps])
        limits = np.array([wilson(int(count), len(values)) for count in held])
        axes.step(steps, held / len(values), where="post", color=colour, linestyle=dashes)
        axes.fill_between(steps, limits[:, 0], limits[:, 1], step="post", color=colour, alpha=0.13, linewidth=0)
    axes.set(xlim=(0, end), ylim=(0, 1.02), xlabel=f"Budget: {axis_label(norm)}", title="Right under attack")


def _calibration(axes: Axes, curves: dict[str, Any]) -> None:
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8)
    for side, colour, dashes in SIDES:
        curve = curves[side]
        axes.plot(curve["predicted"], curve["observed"], color=colour, linestyle=dashes, marker="o", markersize=3.5)
    unit_square(axes, "mean P(tumour)", "share with tumour")
    axes.set_title("Calibration")


def _short(name: str) -> str:
    return name if len(name) <= 45 else f"{name[:44]}…"
