"""Drawing the figures of classifiers and cross-validations, with the data behind them: in jobs and commands only.

``model.recipes`` lists the figures and finds those that have been drawn.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from django.core.files.storage import default_storage
from matplotlib.figure import Figure

from core import figure_store
from core.errors import InvalidInput, Progress, no_progress
from core.plot_style import render
from core.spreadsheet import csv_of
from core.version import code_version
from model import recipes
from model.evaluation_selectors import fold_answers, table_1a, test_answers
from model.learning import evaluation, landscape
from model.learning.plots import evaluation as plots
from model.learning.plots import spaces
from model.models import Classifier, CrossValidation, Patch
from model.recipes import KINDS, RECIPES, Recipe, StoredFigure
from model.selectors import dataset_arrays
from model.stored_network import stored_network


@dataclass(frozen=True)
class Drawn:
    """A finished figure with the data behind it (one tidy table) and the numbers that belong beside it."""

    figure: Figure
    table: pd.DataFrame
    numbers: dict[str, Any] = field(default_factory=dict)
    caption: str = ""


Draw = Callable[[Any, Mapping[str, Any], Progress], Drawn]
"""``draw(subject, options, progress)``"""


def make(
    name: str, subject: Classifier | CrossValidation, *, progress: Progress = no_progress, **options: Any
) -> StoredFigure:
    """The files of a classifier's or cross-validation's figure, as they are stored or drawn now.

    Raises InvalidInput for an option that the figure does not have, and where the subject lacks what it needs.
    """
    reason = recipes.lacking(subject)
    if reason:
        raise InvalidInput(reason)
    return stored_or_drawn(
        RECIPES[name], DRAW[name], subject, recipes.content_of(subject), progress=progress, **options
    )


def stored_or_drawn(
    recipe: Recipe,
    draw: Draw,
    subject: Any,
    content: Mapping[str, Any],
    *,
    progress: Progress = no_progress,
    **options: Any,
) -> StoredFigure:
    """The figure's files, as they are stored or drawn now. ``content`` is what identifies the subject."""
    chosen = recipes.settle_options(recipe, options)
    key = recipes.key_of(recipe, content, chosen)
    found = recipes.stored(subject, key)
    if found is not None:
        return found
    drawn = draw(subject, chosen, progress)
    folder = recipes.folder_of(subject)
    for kind in KINDS:
        figure_store.write(folder / f"{key}.{kind}", render(drawn.figure, kind))
    figure_store.write(folder / f"{key}.csv", csv_of(drawn.table).encode())
    about = {"figure": recipe.name, "numbers": drawn.numbers, "caption": drawn.caption, "options": chosen}
    about["code_version"] = code_version()
    figure_store.write(folder / f"{key}.json", json.dumps(about, indent=2, default=_plain).encode())
    written = recipes.stored(subject, key)
    assert written is not None  # its last file has just been written
    return replace(written, fresh=True)


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)


def _answers(subject: Classifier | CrossValidation) -> tuple[list[plots.Answers], str]:
    if isinstance(subject, CrossValidation):
        return fold_answers(subject), _runs_of(subject)
    return [test_answers(subject)], f"{subject.name}, {len(subject.split['test'])} test patches"


def _runs_of(validation: CrossValidation) -> str:
    done, wanted = validation.results.count(), validation.runs * validation.folds
    if done < wanted:
        return f"{validation.dataset.name}, {done} of {wanted} folds so far"
    return f"{validation.dataset.name}, {validation.runs} run{'s' * (validation.runs != 1)} of {validation.folds} folds"


def _long(answers: list[plots.Answers]) -> pd.DataFrame:
    """One row per held-out patch."""
    frames = [pd.DataFrame({"fold": n, "tumour": y, "p_tumour": p}) for n, (y, p) in enumerate(answers)]
    return pd.concat(frames, ignore_index=True)


def _of_answers(draw: Callable[..., Figure], metric: str) -> Callable[..., Drawn]:
    def drawn(subject: Any, options: Mapping[str, Any], progress: Progress) -> Drawn:
        answers, title = _answers(subject)
        values = [evaluation.metrics(*answer)[metric] for answer in answers]
        numbers = {metric: {"mean": float(np.mean(values)), "folds": values}}
        return Drawn(draw(answers, title), _long(answers), numbers, f"{title}.")

    return drawn


def _calibration(subject: Any, options: Mapping[str, Any], progress: Progress) -> Drawn:
    answers, title = _answers(subject)
    labels, given = (np.concatenate(parts) for parts in zip(*answers, strict=True))
    table = evaluation.calibration(labels, given)
    error = table.pop("ece")[0]
    caption = f"{title}. Bars: Wilson 95 % intervals."
    return Drawn(plots.calibration_figure(answers, title), pd.DataFrame(table), {"ece": error}, caption)


def _confusion(subject: Any, options: Mapping[str, Any], progress: Progress) -> Drawn:
    answers, title = _answers(subject)
    matrix = np.sum([evaluation.metrics(*answer)["confusion"] for answer in answers], axis=0)
    table = pd.DataFrame(matrix, columns=["called_no_tumour", "called_tumour"])
    table.insert(0, "truth", ["no tumour", "tumour"])
    caption = f"{title}, at P(tumour) = 0.5; cross-validation counts a patch once per run."
    return Drawn(plots.confusion_figure(matrix, title), table, {"confusion": matrix.tolist()}, caption)


def _folds(subject: CrossValidation, options: Mapping[str, Any], progress: Progress) -> Drawn:
    table = table_1a(subject)
    rows = table["per_fold"]
    frame = pd.DataFrame(
        {key: row[key] for key in ("run", "fold", "n", "accuracy", "auc")}
        | {f"colour_only_{key}": (row["colour_only"] or {}).get(key) for key in ("accuracy", "auc")}
        for row in rows
    )
    numbers = {key: table[key] for key in ("accuracy", "auc", "colour_only")}
    title = _runs_of(subject)
    caption = f"{title}; diamonds: mean and SD. {table['warning']}".strip()
    return Drawn(plots.folds_figure(rows, title), frame, numbers, caption)


def _training(subject: Classifier | CrossValidation, options: Mapping[str, Any], progress: Progress) -> Drawn:
    if isinstance(subject, CrossValidation):
        return _trainings(subject)
    history = pd.DataFrame(subject.history)
    last = {name: float(history[name].iloc[-1]) for name in ("loss", "accuracy")}
    title = f"{subject.name}: its training on {len(subject.split['train'])} patches"
    return Drawn(plots.training_figure([subject.history], title), history, last, f"{title}, epoch by epoch.")


def _trainings(subject: CrossValidation) -> Drawn:
    folds = list(subject.results.filter(details__has_key="history").order_by("run", "fold"))
    histories = [row.details["history"] for row in folds]
    table = pd.concat(
        [pd.DataFrame(history).assign(run=row.run, fold=row.fold) for row, history in zip(folds, histories)]
    )
    last = {
        name: {"mean": float(np.mean(ends)), "folds": ends}
        for name in ("loss", "accuracy")
        if (ends := [float(history[-1][name]) for history in histories])
    }
    title = f"{_runs_of(subject)}: training"
    caption = f"{title}, epoch by epoch. Thin: each fold; thick: their mean."
    return Drawn(plots.training_figure(histories, title), table, last, caption)


def plane_of_classifier(classifier: Classifier) -> landscape.Plane:
    """The plane of the weights' path, if the training kept it, checked against its SHA-256."""
    kept = classifier.settings.get("trajectory")
    if not kept:
        raise InvalidInput(
            f"Classifier {classifier} has no recorded path of its weights. Train one with: "
            f"train {classifier.dataset} --trajectory"
        )
    with default_storage.open(kept["file"]) as file:
        return landscape.plane_from_bytes(file.read(), kept["sha256"])


def _landscape(subject: Classifier, options: Mapping[str, Any], progress: Progress) -> Drawn:
    plane = plane_of_classifier(subject)
    patches = list(Patch.objects.filter(pk__in=subject.split["train"]).order_by("index").values_list("id", "tumour"))
    draw = np.random.default_rng(options["seed"])
    rows = draw.permutation(len(patches))[: options["patches"]].tolist()  # neighbours in a data set are of one slide
    images = dataset_arrays(subject.dataset, [patches[row][0] for row in rows])
    labels = np.array([patches[row][1] for row in rows], dtype=int)
    network = stored_network(subject)
    edge = 64 * network.shrink if options["edge"] is None else options["edge"]
    found = landscape.landscape(
        network,
        network.body,
        plane,
        images,
        labels,
        steps=options["steps"],
        edge=edge,
        buffers=options["buffers"],
        progress=progress,
    )
    seen = f"{edge} × {edge} centres of" if edge else "whole"
    normed = "the batch's own" if options["buffers"] == "batch" else "the finished network's"
    note = f"loss on {len(rows)} training patches ({seen} patches); BatchNorm uses {normed} means and variances"
    title = f"{subject.name}: the loss around its training"
    x, y = (axis.ravel() for axis in np.meshgrid(found.x, found.y))
    surface = pd.DataFrame({"kind": "surface", "x": x, "y": y, "loss": found.loss.ravel()})
    path = pd.DataFrame(plane.coordinates.numpy(), columns=["x", "y"]).assign(kind="path", loss=found.path_loss)
    line = pd.DataFrame({"kind": "line", "x": found.line, "loss": found.line_loss})
    numbers = {
        "explained_variance": [float(share) for share in plane.explained],
        "loss_start": float(found.path_loss[0]),
        "loss_end": float(found.path_loss[-1]),
        "loss_lowest": float(np.nanmin(found.loss)),
    }
    figure = spaces.landscape_figure(found, plane, note=note, title=title)
    return Drawn(figure, pd.concat([surface, path, line], ignore_index=True), numbers, f"{title}: {note}.")


DRAW: dict[str, Draw] = {
    "roc": _of_answers(plots.roc_figure, "auc"),
    "precision-recall": _of_answers(plots.precision_recall_figure, "average_precision"),
    "calibration": _calibration,
    "confusion": _confusion,
    "folds": _folds,
    "training": _training,
    "landscape": _landscape,
}
"""How each figure of ``RECIPES`` is drawn."""
