"""What the model wing does as jobs: importing patches, training, cross-validation."""

import contextlib
from typing import Any

from django.urls import reverse

from core import uploads
from jobs.registry import Link, by_name, job
from jobs.selectors import made_before
from model.models import Classifier, CrossValidation, Dataset
from model.selectors import accuracy_and_auc, classifier_named, dataset_named

TOLD = ("left_out", "why_left_out", "colours_converted", "profiles_ignored")
"""Facts of an import that are told where there are any."""


def _report(dataset: Dataset) -> dict[str, Any]:
    return {
        "dataset": dataset.name,
        "positives": dataset.positives,
        "negatives": dataset.negatives,
        "excluded": dataset.excluded,
        "sha256": dataset.sha256,
    } | {key: dataset.source[key] for key in TOLD if key in dataset.source}


def forget_uploads(**arguments: Any) -> None:
    """The job is done, and its files are not needed any more."""
    for name in uploads.stored_in(arguments):
        uploads.forget(name)


_dataset = by_name(Dataset, "dataset", "model:dataset", "data set {name}")
_classifier = by_name(Classifier, "classifier", "model:classifier")


def _cross_validation(arguments: dict[str, Any], result: dict[str, Any]) -> list[Link]:
    rows = CrossValidation.objects.filter(pk=result.get("cross_validation") or 0).only("pk")
    figures = [Link("curves and folds", "attacks:gallery", ("cross-validation", row.pk)) for row in rows]
    return _dataset(arguments, result) + figures


@job(
    "import_patches",
    title="Import patches",
    unit="patches",
    links=_dataset,
    form=lambda arguments: reverse("model:dataset_new", args=["folder"]),
    cleanup=forget_uploads,
)
def import_patches(
    context,
    *,
    name: str,
    size: int,
    skip_bad: bool = False,
    upload: str = "",
    called: str = "",
    folder: str = "",
) -> dict[str, Any]:
    """A folder with ``labels.csv``: uploaded as a zip file, or on the server."""
    from model.learning.folder import LABELS
    from model.services import import_folder

    def take(path: Any, source: dict[str, Any]) -> Dataset:
        return import_folder(
            name=name,
            folder=path,
            size=size,
            skip_bad=skip_bad,
            source=source,
            created_by=context.job.requested_by,
            progress=context.progress,
        )

    dataset = made_before(Dataset, name, context.job)
    if dataset is None and upload:
        with uploads.unpacked(upload, marker=LABELS, called=called) as path:
            dataset = take(path, {"upload": called})
    elif dataset is None:
        dataset = take(uploads.allowed_path(folder, field="folder"), {"folder": folder})
    return _report(dataset)


@job(
    "import_pannuke",
    title="Import PanNuke",
    unit="patches",
    links=_dataset,
    form=lambda arguments: reverse("model:dataset_new", args=["pannuke"]),
)
def import_pannuke(context, *, name: str, folds: list[str], tissue: str, size: int) -> dict[str, Any]:
    """PanNuke's own folders on the server."""
    from model import services

    dataset = made_before(Dataset, name, context.job) or services.import_pannuke(
        name=name,
        folds=[uploads.allowed_path(fold, field="folds") for fold in folds],
        tissue=tissue,
        size=size,
        created_by=context.job.requested_by,
        progress=context.progress,
    )
    return _report(dataset)


@job(
    "train",
    title="Train a classifier",
    unit="batches",
    links=_classifier,
    form=lambda arguments: reverse("model:classifier_new"),
)
def train(context, *, name: str, dataset: str, base: str | None = None, **settings: Any) -> dict[str, Any]:
    """``settings`` are those of ``model.training_services.train_classifier``; the whole training is one chunk."""
    from model.training_services import train_classifier

    classifier = made_before(Classifier, name, context.job) or train_classifier(
        name=name,
        dataset=dataset_named(dataset),
        base=classifier_named(base) if base else None,
        created_by=context.job.requested_by,
        say=context.log,
        progress=context.progress,
        **settings,
    )
    return {
        "classifier": classifier.name,
        "accuracy": classifier.metrics.get("accuracy"),
        "auc": classifier.metrics.get("auc"),
        "weights_sha256": classifier.weights_sha256,
    }


@job(
    "cross_validate",
    title="Cross-validate",
    unit="batches",
    divisible=True,
    links=_cross_validation,
    form=lambda arguments: reverse("model:cross_validation_new"),
)
def cross_validate(context, *, dataset: str, part: tuple[int, int] | None = None, **settings: Any) -> dict[str, Any]:
    """Table 1a of a data set; a fold is a chunk."""
    from model import crossval_services

    validation = crossval_services.cross_validate(
        dataset=dataset_named(dataset), part=part, say=context.log, progress=context.progress, **settings
    )
    means = {name: value["mean"] for name, value in accuracy_and_auc(validation).items()}
    return {"dataset": dataset, "cross_validation": validation.pk, "folds": validation.results.count()} | means


@job(
    "import_classifier",
    title="Import a classifier",
    unit="patches",
    links=_classifier,
    form=lambda arguments: reverse("model:classifier_import"),
    cleanup=forget_uploads,
)
def import_classifier(
    context,
    *,
    name: str,
    dataset: str,
    upload: str,
    called: str,
    head_upload: str = "",
    head_called: str = "",
    **card: Any,
) -> dict[str, Any]:
    """An uploaded network; ``card`` holds settings of ``model.import_services.import_classifier``."""
    from model.import_services import import_classifier

    with contextlib.ExitStack() as files:
        found = made_before(Classifier, name, context.job)
        if found is None:
            file = files.enter_context(uploads.under_its_name(upload, called=called))
            given: dict[str, Any] = {"weights": file}
            if head_upload:
                head = files.enter_context(uploads.under_its_name(head_upload, called=head_called))
                given = {"encoder": file, "head": head}
            found = import_classifier(
                name=name,
                dataset=dataset_named(dataset),
                created_by=context.job.requested_by,
                progress=context.progress,
                **given,
                **card,
            )
        for note in found.settings["notes"]:
            context.log(note)
        return {
            "classifier": found.name,
            "accuracy": found.metrics.get("accuracy"),
            "auc": found.metrics.get("auc"),
            "weights_sha256": found.weights_sha256,
        }
