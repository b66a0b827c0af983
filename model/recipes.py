"""What figures there are of classifiers and cross-validations, and which of them have been drawn.

Pages read this, so nothing here needs the learning libraries. ``model.figures`` draws, by name, in a job or a command.
A figure is drawn once. What it shows (hashes of weights, patches and perturbations, options, seed) and the version of
the code name its files.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db.models import Model

from core import figure_store
from core.errors import InvalidInput
from core.figure_sizes import DPI, SINGLE
from core.version import code_version
from model.models import Classifier, CrossValidation

KINDS = ("svg", "png", "pdf")


@dataclass(frozen=True)
class Recipe:
    """A figure that can be drawn. ``of``: attack, classifier, cross-validation, or answers (labels and P(tumour), which
    a classifier and a cross-validation have). ``options`` are the defaults of its options.
    """

    name: str
    title: str
    of: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StoredFigure:
    """The files of a figure: ``files`` by kind (svg, png, pdf, csv), the numbers and the caption."""

    files: dict[str, Path]
    numbers: dict[str, Any]
    caption: str
    fresh: bool = False

    @property
    def wide(self) -> bool:
        """Whether it takes both columns of a paper, by the width that its PNG's header states."""
        with self.files["png"].open("rb") as file:
            header = file.read(24)
        return int.from_bytes(header[16:20], "big") > 1.4 * SINGLE * DPI


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("roc", "ROC curve", "answers"),
        Recipe("precision-recall", "Precision and recall", "answers"),
        Recipe("calibration", "Calibration", "answers"),
        Recipe("confusion", "Confusion matrix", "answers"),
        Recipe("training", "Training, epoch by epoch", "answers"),
        Recipe("folds", "Table 1a, fold by fold", "cross-validation"),
        Recipe(
            "landscape",
            "Loss landscape (Fig. 2b)",
            "classifier",
            {"steps": 25, "patches": 256, "edge": None, "buffers": "batch", "seed": 0},
        ),
    )
}


def settle_options(recipe: Recipe, options: Mapping[str, Any]) -> dict[str, Any]:
    """The figure's defaults, with the options that are not None in their place; InvalidInput for an unknown option."""
    chosen = {name: value for name, value in options.items() if value is not None}
    unknown = sorted(set(chosen) - set(recipe.options))
    if unknown:
        known = ", ".join(sorted(recipe.options)) or "none"
        raise InvalidInput(f"figure {recipe.name} has no such option. It has: {known}.", field=unknown[0])
    return dict(recipe.options) | chosen


def key_of(recipe: Recipe, content: Mapping[str, Any], chosen: Mapping[str, Any]) -> str:
    """The name of the figure's files, made of everything that determines it, the code that draws among it."""
    content = {"code": code_version(), **content}
    return f"{recipe.name}-{figure_store.content_key(figure=recipe.name, **content, options=chosen)}"


def folder_of(subject: Model) -> Path:
    """Where the figures of a classifier, cross-validation or attack lie; made when the first is written."""
    return figure_store.folder() / f"{subject._meta.model_name}-{subject.pk}"


def stored(subject: Model, key: str) -> StoredFigure | None:
    """The figure of that key if it has been drawn. Its numbers are written last: with them it is whole."""
    folder = folder_of(subject)
    about = folder / f"{key}.json"
    if not about.exists():
        return None
    read = json.loads(about.read_text())
    files = {kind: folder / f"{key}.{kind}" for kind in (*KINDS, "csv")}
    return StoredFigure(files, read["numbers"], read["caption"])


def lacking(subject: Classifier | CrossValidation) -> str:
    """Why nothing can be drawn of it yet; empty where something can."""
    if isinstance(subject, CrossValidation) and not subject.results.exists():
        return f"No fold of the cross-validation of {subject.dataset} is finished."
    return ""


def content_of(subject: Classifier | CrossValidation) -> dict[str, Any]:
    """What identifies the subject of a figure."""
    if isinstance(subject, CrossValidation):
        rows = subject.results.order_by("run", "fold").values_list("run", "fold", "auc", "accuracy")
        return {"settings": subject.settings_sha256, "rows": list(rows), "name": subject.dataset.name}
    return {
        "weights": subject.weights_sha256,
        "dataset": subject.dataset.sha256,
        "test": subject.split.get("test", []),
        "history": subject.history,
        "trajectory": subject.settings.get("trajectory", {}).get("sha256", ""),
        "name": subject.name,
    }
