"""Pictures of a comparison: accuracy against budget and calibration; where both look; what flips both. No torch."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from attacks.engine.curves import axis_label
from attacks.models import Comparison
from core.differences import enlarged, gain_for
from core.plot_style import BLUE, DOUBLE, GREY, SMALL, VERMILION, look, new, picture, render, unit_square
from core.proportions import wilson
from model.learning.plots.interpretation import Pair, short

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
    unit_square(axes, "Mean P(tumour)", "Share with tumour")
    axes.set_title("Calibration")


def _short(name: str, most: int = 45) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def looks_figure(
    patches: Sequence[str],
    originals: NDArray[np.uint8],
    maps: Sequence[tuple[NDArray[Any], NDArray[Any]]],
    names: Sequence[str],
) -> Figure:
    """Per row a patch, then saliency before and under attack of the first and of the second classifier.

    ``maps``: of each classifier both (n, h, w). Each classifier's colours end at the 99.5 % quantile of its own maps.
    """
    with look():
        figure = new(DOUBLE, 1.45 * len(patches) + 0.75)
        # The scales have a row of their own: beside the maps they would push them out of line with the patches.
        places = figure.add_gridspec(len(patches) + 1, 5, height_ratios=[1.0] * len(patches) + [0.05])
        grid = [[figure.add_subplot(places[row, column]) for column in range(5)] for row in range(len(patches))]
        for number, (row, name) in enumerate(zip(grid, patches)):
            picture(row[0], originals[number], "original" if number == 0 else "")
            row[0].set_ylabel(short(name, 14), fontsize=SMALL)
        for place, (pair, classifier) in enumerate(zip(maps, names)):
            top = float(np.quantile(np.concatenate([one.ravel() for one in pair]), 0.995)) or 1.0
            for number, row in enumerate(grid):
                for step, title in enumerate((f"{_short(classifier, 11)}, as it is", "under its attack")):
                    axes = row[1 + 2 * place + step]
                    shown = picture(
                        axes, pair[step][number], title if number == 0 else "", cmap="cividis", vmin=0, vmax=top
                    )
            below = figure.add_subplot(places[-1, 1 + 2 * place : 3 + 2 * place])
            bar = figure.colorbar(shown, cax=below, orientation="horizontal", extend="max", ticks=MaxNLocator(3))
            bar.set_label(f"saliency, {_short(classifier, 30)}")
    return figure


def flips_figure(found: Sequence[tuple[Sequence[Pair], Sequence[str]]], names: Sequence[str]) -> tuple[Figure, int]:
    """Per row a patch, then what flips the first and what flips the second classifier, each beside its difference.

    ``found``: of each classifier the pairs, and a line about each. Gives the factor of all differences, too.
    """
    largest = [
        np.abs(pair.perturbed.astype(np.int16) - pair.original.astype(np.int16)).max()
        for pairs, _ in found
        for pair in pairs
    ]
    gain = gain_for(float(max(largest)))
    with look():
        figure = new(DOUBLE, 1.66 * len(found[0][0]) + 0.35)
        grid = figure.subplots(len(found[0][0]), 5, squeeze=False)
        for number, row in enumerate(grid):
            pair = found[0][0][number]
            picture(row[0], pair.original, "original" if number == 0 else "")
            row[0].set_ylabel(short(pair.name, 14), fontsize=SMALL)
            row[0].set_xlabel("tumour" if pair.tumour else "no tumour")
            for place, ((pairs, told), classifier) in enumerate(zip(found, names)):
                own, first = pairs[number], number == 0
                picture(row[1 + 2 * place], own.perturbed, f"flips {_short(classifier, 18)}" if first else "")
                row[1 + 2 * place].set_xlabel(f"P {own.before:.2f} → {own.after:.2f}")
                difference = enlarged(own.original, own.perturbed, gain)
                picture(row[2 + 2 * place], difference, f"difference × {gain}" if first else "")
                row[2 + 2 * place].set_xlabel(told[number])
    return figure, gain
