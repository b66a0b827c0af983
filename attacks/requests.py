"""Asking for attacks, success curves and imports of pairs."""

from typing import Any

from attacks.models import Attack, PairSet
from attacks.selectors import chunk_for
from core import uploads
from core.errors import InvalidInput
from jobs.models import Job
from jobs.requests import free_name
from jobs.services import submit
from model.models import Classifier

ATTACKS = {
    "pgd": ("attack", ("norm", "budget", "steps", "confidence", "positives_only", "paper", "seed")),
    "minimal": ("minimal", ("norm", "positives_only", "seed")),
    "universal": ("universal", ("norm", "budget", "seed")),
    "natural": ("corruptions", ("seed",)),
}
"""The job of each kind of attack, and which settings it takes."""


def attack(*, name: str, classifier: Classifier, by: Any, kind: str = "pgd", parts: int = 1, **given: Any) -> Job:
    """Perturbations of a classifier's test patches. Settings that this kind of attack does not take are left out."""
    work, taken = ATTACKS[kind]
    name = free_name(work, Attack, name, "attack")
    if kind in ("minimal", "universal") and given.get("norm") == "none":
        raise InvalidInput("this kind of attack needs a norm.", field="norm")
    arguments = {"name": name, "classifier": classifier.name} | {key: given[key] for key in taken if key in given}
    if parts > 1:
        positives = given.get("positives_only", False)
        arguments["chunk"] = chunk_for(classifier, workers=parts, positives_only=positives)
    title = f"Attack {classifier.name}: {name}"
    return submit(kind=work, arguments=arguments, requested_by=by, title=title, parts=parts)


def success_curves(*, classifier: Classifier, by: Any, seed: int = 0) -> Job:
    """Fig. 4 of a classifier."""
    arguments = {"classifier": classifier.name, "seed": seed}
    title = f"Success curves of {classifier.name}"
    return submit(kind="success_curves", arguments=arguments, requested_by=by, title=title)


def import_pairs(
    *, name: str, by: Any, upload: Any = None, folder: str = "", classifier: Classifier | None = None
) -> Job:
    """Pairs of a folder with ``pairs.csv``: an uploaded zip file, or a folder on the server."""
    name = free_name("import_pairs", PairSet, name, "set of pairs")
    if bool(upload) == bool(folder):
        raise InvalidInput(
            "choose a zip file, or give the path of a folder on the server; one of the two.", field="upload"
        )
    arguments: dict[str, Any] = {"name": name, "classifier": classifier.name if classifier else ""}
    if upload:
        arguments |= {"upload": uploads.keep(upload), "called": upload.name[:200]}
    else:
        uploads.allowed_path(folder, field="folder")
        arguments |= {"folder": folder}
    return submit(kind="import_pairs", arguments=arguments, requested_by=by, title=f"Import pairs: {name}")
