"""What natural changes flip, at their worst and at random, side by side. No torch."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from core.plot_style import BLUE, VERMILION, look, new, render
from core.texts import heading


def plot_worst(rows: Sequence[dict[str, Any]], title: str, kind: str = "svg") -> bytes:
    """A line per change: the share flipped at random and at worst, each with its 95 % interval."""
    rows = [row for row in rows if row.get("of")]
    with look():
        figure = new(7.2, 1.5 + 0.42 * len(rows))
        axes = figure.subplots()
        places = np.arange(len(rows))[::-1]
        for side, colour, mark, shift in (("random", BLUE, "s", 0.12), ("worst", VERMILION, "o", -0.12)):
            share = np.array([row[side] for row in rows])
            limits = np.array([_limits(row, side) for row in rows], dtype=float).reshape(-1, 2)
            spread = np.clip([share - limits[:, 0], limits[:, 1] - share], 0, None)
            axes.errorbar(
                share,
                places + shift,
                xerr=spread,
                fmt=mark,
                color=colour,
                markersize=5,
                capsize=2.5,
                label=f"at {side}",
            )
        names = [heading(row["change"]) for row in rows]
        axes.set(yticks=places, yticklabels=names, xlim=(-0.02, 1.02), xlabel="Share of patches flipped (displayed)")
        axes.set_title(title if len(title) <= 70 else f"{title[:69]}…")
        axes.grid(axis="x", alpha=0.3)
        figure.legend(loc="outside lower center", ncols=2)  # within, it would hide a share
        return render(figure, kind)


def _limits(row: dict[str, Any], side: str) -> list[float]:
    """The interval; the share itself where there is none."""
    return [row[side] if limit is None else limit for limit in row[f"{side}_low_high"]]
