"""The attack explained: pairs (Fig. 1), saliency before and after (Fig. 3), universal (Fig. 5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from core.differences import enlarged, gain_for
from core.errors import InvalidInput
from core.plot_style import DOUBLE, SINGLE, SMALL, look, new, picture

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Pair:
    """An original and its displayed perturbed twin, uint8 (h, w, 3), with P(tumour) of each."""

    name: str
    original: Pixels
    perturbed: Pixels
    before: float
    after: float
    tumour: bool


def short(name: str, most: int = 30) -> str:
    """A patch's name as a row can bear it: without its folders, the middle left out; the data behind has it whole."""
    name = name.rsplit("/", 1)[-1]
    return name if len(name) <= most else f"{name[: most // 2 - 1]}…{name[-(most - most // 2) :]}"


def _gain(pairs: Sequence[Pair], gain: int | None) -> int:
    """That of the attack, so that its figures can be compared; else what fits the pairs shown."""
    return gain or gain_for(max(int(np.abs(_change(pair)).max()) for pair in pairs))


def _printed(gain: int) -> str:
    return f"difference × {gain}"


def pairs_figure(pairs: Sequence[Pair], title: str = "", *, gain: int | None = None) -> Figure:
    """Fig. 1: per row original, perturbed twin and the enlarged difference, with P(tumour) under each."""
    _some(pairs)
    factor = _gain(pairs, gain)
    with look():
        figure = new(DOUBLE, 2.6 * len(pairs) + 0.3)
        for row, pair in zip(figure.subplots(len(pairs), 3, squeeze=False), pairs, strict=True):
            truth = "tumour" if pair.tumour else "no tumour"
            picture(row[0], pair.original, f"original ({truth})")
            picture(row[1], pair.perturbed, "perturbed, as displayed")
            picture(row[2], enlarged(pair.original, pair.perturbed, factor), _printed(factor))
            row[0].set_xlabel(f"P(tumour) = {pair.before:.3f}")
            row[1].set_xlabel(f"P(tumour) = {pair.after:.3f}")
            row[2].set_xlabel(f"max {int(np.abs(_change(pair)).max())} of 255, RMS {_rms(pair):.2f}")
            row[0].set_ylabel(short(pair.name), fontsize=SMALL)
        figure.suptitle(title, x=0.01, ha="left")
    return figure


def saliency_figure(
    pairs: Sequence[Pair],
    before: NDArray[Any],
    after: NDArray[Any],
    method: str,
    score: str = "",
    title: str = "",
    *,
    gain: int | None = None,
) -> Figure:
    """Fig. 3: original, perturbed, enlarged signed change, saliency before and after on one shared colour scale.

    ``before`` and ``after`` are (n, h, w). Colours end at the 99.5 % quantile of all maps shown: a few extreme pixels
    would otherwise leave the rest black.
    """
    _some(pairs)
    factor = _gain(pairs, gain)
    top = float(np.quantile(np.concatenate([before.ravel(), after.ravel()]), 0.995)) or 1.0
    with look():
        figure = new(DOUBLE, 1.5 * len(pairs) + 0.5)
        grid = figure.subplots(len(pairs), 5, squeeze=False)
        for number, (row, pair) in enumerate(zip(grid, pairs, strict=True)):
            first = number == 0
            picture(row[0], pair.original, "original" if first else "")
            picture(row[1], pair.perturbed, "perturbed" if first else "")
            picture(row[2], enlarged(pair.original, pair.perturbed, factor), _printed(factor) if first else "")
            scale = {"cmap": "cividis", "vmin": 0.0, "vmax": top}
            shown = picture(row[3], before[number], "saliency before" if first else "", **scale)
            picture(row[4], after[number], "saliency after" if first else "", **scale)
            row[0].set_xlabel(f"P(tumour) = {pair.before:.3f}")
            row[1].set_xlabel(f"P(tumour) = {pair.after:.3f}")
            row[0].set_ylabel(short(pair.name), fontsize=SMALL)
        bar = figure.colorbar(shown, ax=grid[:, 4].tolist(), shrink=0.8, extend="max")
        bar.set_label(f"{method}{f' of {score}' if score else ''}")
        figure.suptitle(title, x=0.01, ha="left")
    return figure


def mass_figure(inside: NDArray[Any], inside_after: NDArray[Any], summary: dict[str, Any], title: str = "") -> Figure:
    """Share of saliency inside the tumour nuclei, before and after, one line per patch, with mean and interval."""
    with look():
        figure = new(SINGLE, 3.5)
        axes = figure.subplots()
        for was, now in zip(inside, inside_after, strict=True):
            axes.plot([0, 1], [was, now], color="#56B4E9", alpha=0.35, linewidth=0.9)
        axes.plot([0, 1], [summary["before"], summary["after"]], "o-", color="#0072B2", linewidth=2, label="mean")
        axes.axhline(summary["area"], color="#7F7F7F", linestyle="--", linewidth=1, label="share of pixels inside")
        axes.set(
            xticks=[0, 1],
            xticklabels=["original", "perturbed"],
            xlim=(-0.25, 1.25),
            ylim=(0, None),
            ylabel="Share of saliency on tumour nuclei",
            title=title,
            xlabel=f"change {100 * summary['change']:+.1f} points, {summary['n']} patches\n"
            f"(95 % interval {100 * summary['low']:+.1f} to {100 * summary['high']:+.1f})",
        )
        axes.legend(loc="upper right", frameon=True, framealpha=0.85, edgecolor="none")
    return figure


def universal_figure(delta: NDArray[Any], pairs: Sequence[Pair], title: str = "") -> Figure:
    """Fig. 5: the one perturbation, amplified, and what it does to patches that it was not made on.

    ``delta`` (h, w, 3) in 0-255 units.
    """
    _some(pairs)
    largest = float(np.abs(delta).max())
    factor = gain_for(largest)
    with look():
        figure = new(DOUBLE, 2 * DOUBLE / (len(pairs) + 1) + 0.8)
        grid = figure.subplots(2, len(pairs) + 1, squeeze=False)
        shown = np.clip(128 + factor * np.rint(delta), 0, 255).astype(np.uint8)
        picture(grid[0, 0], shown, f"universal × {factor}")
        grid[0, 0].set_xlabel(f"max {largest:g} of 255, RMS {np.sqrt(np.mean(np.square(delta))):.2f}")
        grid[1, 0].set_axis_off()
        for column, pair in zip(grid[:, 1:].T, pairs, strict=True):
            picture(column[0], pair.original, "original")
            picture(column[1], pair.perturbed, "with universal")
            column[0].set_xlabel(f"P(tumour) = {pair.before:.3f}")
            column[1].set_xlabel(f"P(tumour) = {pair.after:.3f}")
        figure.suptitle(title, x=0.01, ha="left")
    return figure


def _change(pair: Pair) -> NDArray[np.int16]:
    return pair.perturbed.astype(np.int16) - pair.original.astype(np.int16)


def _rms(pair: Pair) -> float:
    return float(np.sqrt(np.mean(np.square(_change(pair), dtype=float))))


def _some(pairs: Sequence[Pair]) -> None:
    if not pairs:
        raise InvalidInput("There is no pair to show: no patch was flipped.")
