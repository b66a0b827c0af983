"""Asking for imports, training and cross-validation."""

from typing import Any

from core import uploads
from core.errors import InvalidInput
from jobs.models import Job
from jobs.requests import free_name
from jobs.services import submit
from model.models import Classifier, Dataset


def import_folder(*, name: str, size: int, by: Any, upload: Any = None, folder: str = "") -> Job:
    """Patches of a folder with ``labels.csv``: an uploaded zip file, or a folder on the server.

    Raises:
        InvalidInput: naming the field.
    """
    name = free_name("import_patches", Dataset, name, "data set")
    if bool(upload) == bool(folder):
        raise InvalidInput(
            "choose a zip file, or give the path of a folder on the server; one of the two.", field="upload"
        )
    arguments: dict[str, Any] = {"name": name, "size": size}
    if upload:
        arguments |= {"upload": uploads.keep(upload), "called": upload.name[:200]}
    else:
        uploads.allowed_path(folder, field="folder")
        arguments |= {"folder": folder}
    return submit(kind="import_patches", arguments=arguments, requested_by=by, title=f"Import patches: {name}")


def import_pannuke(*, name: str, folds: list[str], tissue: str, size: int, by: Any) -> Job:
    """One tissue of PanNuke's folders on the server."""
    name = free_name("import_pannuke", Dataset, name, "data set")
    if not folds:
        raise InvalidInput("give the path of at least one fold.", field="folds")
    for fold in folds:
        uploads.allowed_path(fold, field="folds")
    arguments = {"name": name, "folds": folds, "tissue": tissue, "size": size}
    return submit(kind="import_pannuke", arguments=arguments, requested_by=by, title=f"Import PanNuke: {name}")


def train(*, name: str, dataset: Dataset, by: Any, **settings: Any) -> Job:
    """A classifier on a data set; ``settings`` are those of ``model.training_services.train_classifier``."""
    name = free_name("train", Classifier, name, "classifier")
    arguments = {"name": name, "dataset": dataset.name} | settings
    return submit(kind="train", arguments=arguments, requested_by=by, title=f"Train {name} on {dataset.name}")


def cross_validate(*, dataset: Dataset, by: Any, **settings: Any) -> Job:
    """Table 1a of a data set."""
    arguments = {"dataset": dataset.name} | settings
    title = f"Cross-validate {dataset.name} ({settings.get('runs')} x {settings.get('folds')})"
    return submit(kind="cross_validate", arguments=arguments, requested_by=by, title=title)
