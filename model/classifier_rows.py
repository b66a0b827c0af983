"""Classifiers as rows and files, trained here or imported: names, weights, what the numbers depend on."""

import hashlib
import os
import platform
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import torch
import torchvision
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.utils.text import slugify

from core.errors import InvalidInput
from core.version import code_version
from model.learning.network import Network, weights_bytes
from model.models import Classifier

Say = Callable[[str], None]
Made = TypeVar("Made")


def check_classifier_name(name: str) -> None:
    """Raise InvalidInput unless ``name`` can be given to a new classifier."""
    if not name.strip() or len(name) > 100:
        raise InvalidInput("The classifier needs a name of 1 to 100 characters.")
    if Classifier.objects.filter(name=name).exists():
        raise InvalidInput(f"A classifier called {name!r} exists. Choose another name.")


def check_seed(seed: int) -> None:
    if not 0 <= seed < 2**32:
        raise InvalidInput(f"{seed} is out of range; 0 to {2**32 - 1}.", field="seed")


def machine() -> dict[str, Any]:
    """What the last digits of a result may depend on, beside code and settings."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    return {
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "processor": platform.machine(),
        "gpu": gpu,
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count() or 0,
    }


def store_classifier(
    network: Network, *, extra: bytes | None, name: str, settings: dict, data: bytes | None = None, **fields: Any
) -> Classifier:
    """Write the weights (or ``data``, the file of a network of another form, and the trajectory's plane) and the row
    that names them, or nothing."""
    stem = f"weights/{slugify(name) or 'classifier'}"
    files: list[str] = []
    if data is None:
        data, sha256 = weights_bytes(network)
    else:
        sha256 = hashlib.sha256(data).hexdigest()
    try:
        files.append(default_storage.save(f"{stem}.pt", ContentFile(data)))
        if extra is not None:
            files.append(default_storage.save(f"{stem}-trajectory.pt", ContentFile(extra)))
            settings = settings | {
                "trajectory": {"file": files[1], "sha256": hashlib.sha256(extra).hexdigest()},
            }
        with transaction.atomic():
            return Classifier.objects.create(
                name=name,
                weights=files[0],
                weights_sha256=sha256,
                settings=settings,
                code_version=code_version(),
                **fields,
            )
    except BaseException as error:
        for file in files:
            default_storage.delete(file)
        if isinstance(error, IntegrityError):
            check_classifier_name(name)  # somebody else was quicker
        raise


def by_id(ids: Any, probabilities: Any) -> dict[str, float]:
    return {str(patch): float(value) for patch, value in zip(ids.tolist(), probabilities, strict=True)}


def told(build: Callable[[], Made]) -> tuple[Made, list[str]]:
    """What ``build`` makes, and its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made = build()
    return made, [str(warning.message) for warning in caught if issubclass(warning.category, UserWarning)]
