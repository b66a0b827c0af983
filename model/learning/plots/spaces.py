"""The network's space (Fig. 2a) and the space of its weights (Fig. 2b)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from core.plot_style import BLACK, BLUE, DOUBLE, GREY, ORANGE, SKY, SMALL, VERMILION, look, new
from model.learning.landscape import Landscape, Plane

MARKS: dict[str, dict[str, Any]] = {
    "true positive": {"color": VERMILION, "marker": "o", "s": 14, "alpha": 0.6, "linewidths": 0},
    "true negative": {"color": BLUE, "marker": "s", "s": 12, "alpha": 0.6, "linewidths": 0},
    "false positive": {"color": GREY, "marker": "P", "s": 14, "alpha": 0.6, "linewidths": 0},
    "false negative": {"color": GREY, "marker": "X", "s": 14, "alpha": 0.6, "linewidths": 0},
    "adversarial negative": {"color": ORANGE, "marker": "^", "s": 26, "edgecolors": BLACK, "linewidths": 0.5},
    "adversarial positive": {"color": SKY, "marker": "v", "s": 26, "edgecolors": BLACK, "linewidths": 0.5},
}
"""A colour and a shape for each: told apart without colour, too. An adversarial negative is a tumour patch that the
network now calls free of tumour. The other kinds are the network's answers to the unchanged patches, too."""


def embedding_figure(
    groups: Mapping[str, NDArray[Any]],
    tracks: Sequence[NDArray[Any]] = (),
    *,
    method: str,
    explained: tuple[float, float] | None = None,
    title: str = "",
) -> Figure:
    """Points (n, 2) by kind (keys of ``MARKS``) and attacks' tracks (steps, 2), each from its dot to its cross."""
    with look():
        figure = new(DOUBLE, 4.2)
        axes = figure.subplots()
        for name, points in groups.items():
            if len(points):
                axes.scatter(*points.T, label=f"{name} ({len(points)})", **MARKS[name])
        for number, track in enumerate(tracks):
            steps = f", {len(track) - 1} step{'s' * (len(track) != 2)}"
            axes.plot(*track.T, color=BLACK, linewidth=1.2, label=None if number else "track of an attack" + steps)
            axes.plot(*track.T, ".", color=BLACK, markersize=4)
            first = number == 0
            start, end = ("its start: the original", "its end: the displayed image") if first else (None, None)
            axes.plot(*track[0], "o", color="white", markeredgecolor=BLACK, markersize=6, linestyle="", label=start)
            axes.plot(*track[-1], "X", color=BLACK, markeredgecolor="white", markersize=8, linestyle="", label=end)
        names = (
            [f"component {n + 1} ({100 * share:.0f} % of variance)" for n, share in enumerate(explained)]
            if explained
            else [f"{method.upper()} {n}" for n in (1, 2)]
        )
        axes.set(xlabel=names[0], ylabel=names[1], title=title)
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def landscape_figure(found: Landscape, plane: Plane, *, note: str = "", title: str = "") -> Figure:
    """Fig. 2b: the loss over the plane with the training's path on it; beside it the loss along that path, and along
    the straight line from the first weights to the last."""
    first, second = (100 * float(share) for share in plane.explained)
    path = plane.coordinates.numpy()
    with look():
        figure = new(DOUBLE, 3.9)
        grid = figure.add_gridspec(2, 2, width_ratios=[2, 1])
        axes, along, straight = (figure.add_subplot(cell) for cell in (grid[:, 0], grid[0, 1], grid[1, 1]))
        finite = found.loss[np.isfinite(found.loss)]
        levels = np.geomspace(max(finite.min(), 1e-4), max(np.quantile(finite, 0.98), 2e-4), 18)
        filled = axes.contourf(found.x, found.y, found.loss, levels=levels, cmap="cividis_r", extend="both")
        axes.contour(found.x, found.y, found.loss, levels=levels, colors="white", linewidths=0.4)
        axes.plot(*path.T, ".-", color=VERMILION, linewidth=1.2, markersize=4, label=f"{len(path) - 1} epochs")
        axes.plot(*path[0], "o", color="white", markeredgecolor=VERMILION, markersize=6, label="start")
        axes.plot(*path[-1], "X", color=VERMILION, markeredgecolor="white", markersize=8, label="end")
        figure.colorbar(filled, ax=axes, format="%.3g").set_label("Cross-entropy")
        axes.set(
            xlabel=f"component 1 ({first:.1f} % of the path's variance)",
            ylabel=f"component 2 ({second:.1f} %)",
            title=title,
        )
        axes.legend(loc="best", frameon=True, framealpha=0.85)
        along.plot(range(len(found.path_loss)), found.path_loss, "o-", color=VERMILION, markersize=3)
        along.set(xlabel="epoch (path projected on the plane)", ylabel="Cross-entropy", ylim=(0, None))
        straight.plot(found.line, found.line_loss, color=BLUE)
        straight.set(xlabel="straight line, start (0) to end (1)", ylabel="Cross-entropy", ylim=(0, None))
        if note:
            figure.supxlabel(note, fontsize=SMALL, color=GREY)
    return figure
