"""Table 1a as pictures: ROC, precision-recall, calibration, confusion matrix, folds beside the colour-only baseline."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from core import published
from core.plot_style import BLACK, BLUE, DOUBLE, GREY, ORANGE, SINGLE, SMALL, look, new, unit_square
from model.learning import evaluation

Answers = tuple[NDArray[Any], NDArray[Any]]
"""Labels (n,) and P(tumour) (n,) of one held-out fold."""

GRID = np.linspace(0, 1, 201)


def roc_figure(folds: Sequence[Answers], title: str = "") -> Figure:
    """Every fold's ROC curve, and of several their mean and one SD around it."""
    return _curves(folds, title, evaluation.roc, "False-positive rate", "True-positive rate", "auc", "AUC", chance=None)


def precision_recall_figure(folds: Sequence[Answers], title: str = "") -> Figure:
    """Every fold's precision-recall curve, their mean and one SD; the dashed line is the share of positives."""
    share = float(np.mean(np.concatenate([labels for labels, _ in folds])))
    return _curves(
        folds, title, evaluation.precision_recall, "Recall", "Precision", "average_precision", "AP", chance=share
    )


def _curves(
    folds: Sequence[Answers], title: str, curve: Any, x: str, y: str, metric: str, short: str, *, chance: float | None
) -> Figure:
    values = [evaluation.metrics(labels, given)[metric] for labels, given in folds]
    curves = [curve(labels, given) for labels, given in folds]
    with look():
        figure = new(SINGLE, 3.7)
        axes = figure.subplots()
        for xs, ys in curves:
            axes.plot(xs, ys, color=BLUE, alpha=0.25, linewidth=0.8)
        middle, low, high = evaluation.band(curves, GRID)
        mean, spread = ("mean, ", f" ± {np.std(values, ddof=1):.3f}") if len(values) > 1 else ("", "")
        axes.plot(GRID, middle, color=BLUE, linewidth=1.6, label=f"{mean}{short} {np.mean(values):.3f}{spread}")
        if len(curves) > 1:
            axes.fill_between(GRID, low, high, color=BLUE, alpha=0.15, label=f"± 1 SD of {len(curves)} folds")
        axes.plot([0, 1], [0, 1] if chance is None else [chance] * 2, "--", color=GREY, linewidth=1, label="chance")
        unit_square(axes, x, y)
        axes.set_title(title)
        axes.legend(loc="lower right" if chance is None else "lower left")
    return figure


def calibration_figure(folds: Sequence[Answers], title: str = "") -> Figure:
    """Observed share of tumour against P(tumour) over all folds, with Wilson 95 % limits; below, how often."""
    labels, given = (np.concatenate(parts) for parts in zip(*folds, strict=True))
    table = evaluation.calibration(labels, given)
    with look():
        figure = new(SINGLE, 4.3)
        axes, below = figure.subplots(2, 1, height_ratios=[4, 1], sharex=True)
        observed = np.array(table["observed"])
        limits = np.abs(np.array([table["low"], table["high"]]) - observed)
        axes.plot([0, 1], [0, 1], "--", color=GREY, linewidth=1, label="perfect")
        axes.errorbar(
            table["predicted"],
            observed,
            yerr=limits,
            fmt="o-",
            color=BLUE,
            capsize=3,
            label=f"expected calibration error {table['ece'][0]:.3f}",
        )
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.03, 1.03), ylabel="Observed share of tumour", title=title)
        axes.legend(loc="lower right")
        below.hist(given, bins=10, range=(0, 1), color=BLUE, edgecolor="white")
        below.set(xlabel="P(tumour) given by the network", ylabel="Patches")
    return figure


def confusion_figure(matrix: Any, title: str = "") -> Figure:
    """[[tn, fp], [fn, tp]] with counts and shares of each true class."""
    counts = np.asarray(matrix, dtype=float)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    with look():
        figure = new(SINGLE, 3.2)
        axes = figure.subplots()
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for row in range(2):
            for column in range(2):
                axes.text(
                    column,
                    row,
                    f"{counts[row, column]:.0f}\n{100 * shares[row, column]:.1f} %",
                    ha="center",
                    va="center",
                    color="white" if shares[row, column] > 0.5 else BLACK,
                )
        names = ["no tumour", "tumour"]
        axes.set(
            xticks=[0, 1],
            yticks=[0, 1],
            xticklabels=names,
            yticklabels=names,
            xlabel="The network's answer",
            ylabel="Reference label",
            title=title,
        )
    return figure


def folds_figure(rows: Sequence[dict[str, Any]], title: str = "") -> Figure:
    """Accuracy and AUC of every fold (dots), mean and SD, beside colour alone and the published values: one scale."""
    with look():
        figure = new(DOUBLE, 3.0)
        for axes, metric in zip(figure.subplots(1, 2, sharey=True), ("accuracy", "auc"), strict=True):
            network = [row[metric] for row in rows]
            colour = [row["colour_only"][metric] for row in rows if row.get("colour_only")]
            paper = published.TABLE_1A[metric]
            names = [_dots(axes, 0, network, BLUE, "network")]
            names.append(_dots(axes, 1, colour, ORANGE, "colour only") if colour else "colour only\nnot known")
            axes.errorbar(2, paper["mean"], yerr=paper["sd"], fmt="s", color=GREY, capsize=4, markersize=5)
            names.append(f"published*\n{paper['mean']:.2f} ± {paper['sd']:.3f}")
            axes.set(xticks=[0, 1, 2], xticklabels=names, xlim=(-0.6, 2.6))
            axes.set_title({"accuracy": "Accuracy", "auc": "AUC"}[metric])
            axes.tick_params(labelleft=True)
        figure.suptitle(title, x=0.01, ha="left")
        figure.supxlabel("* ResNet-18 on PanNuke breast, other patches: not a comparison", fontsize=SMALL)
    return figure


def _dots(axes: Axes, place: float, values: Sequence[float], colour: str, name: str) -> str:
    """Every fold, their mean and SD; returns the name with these numbers, which stand under the axis."""
    jitter = np.linspace(-0.15, 0.15, len(values)) if len(values) > 1 else np.zeros(1)
    axes.plot(place + jitter, values, "o", color=colour, alpha=0.4, markersize=3)
    spread = np.std(values, ddof=1) if len(values) > 1 else None
    axes.errorbar(place, np.mean(values), yerr=spread or 0.0, fmt="D", color=colour, capsize=4, markersize=5)
    return f"{name}\n{np.mean(values):.3f}" + ("" if spread is None else f" ± {spread:.3f}")


def training_figure(histories: Sequence[Sequence[dict[str, float]]], title: str = "") -> Figure:
    """Loss and accuracy on the training patches after every epoch: one training, or several and their mean."""
    with look():
        figure = new(DOUBLE, 2.6)
        loss, accuracy = figure.subplots(1, 2)
        for axes, name, colour in ((loss, "loss", BLUE), (accuracy, "accuracy", ORANGE)):
            _epochs(axes, histories, name, colour)
        loss.set(xlabel="Epoch", ylabel="Cross-entropy, training patches", ylim=(0, None))
        accuracy.set(xlabel="Epoch", ylabel="Accuracy, training patches", ylim=(None, 1.01))
        figure.suptitle(title, x=0.01, ha="left")
    return figure


def _epochs(axes: Axes, histories: Sequence[Sequence[dict[str, float]]], name: str, colour: str) -> None:
    """One line; of several trainings thin lines and their mean over the epochs that all of them had."""
    alone = len(histories) == 1
    for history in histories:
        style: dict[str, Any] = {"marker": "."} if alone else {"linewidth": 0.6, "alpha": 0.5}
        axes.plot([row["epoch"] for row in history], [row[name] for row in history], color=colour, **style)
    if not alone:
        common = min(len(history) for history in histories)
        mean = np.mean([[row[name] for row in history[:common]] for history in histories], axis=0)
        axes.plot([row["epoch"] for row in histories[0][:common]], mean, color=colour, linewidth=2)
