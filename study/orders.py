"""What the office orders from the workers: checked at the door, done as jobs."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from django.utils.text import slugify

from attacks.models import Attack, PairSet
from attacks.selectors import chunk_for
from core.errors import BadInput
from model import uploads
from model.jobs.services import submit
from model.models import Classifier, Dataset, Job
from study import services
from study.case_sources import AttackSource, CaseSource, PairSource
from study.models import Study, User
from study.study_settings import StudySettings


def _free(kind: str, model: type, name: str, word: str) -> str:
    """``name`` without its margins, if neither a row nor an order has it."""
    name = name.strip()
    if not 1 <= len(name) <= 100:
        raise BadInput(f"name: the {word} needs a name of 1 to 100 characters.")
    if model.objects.filter(name=name).exists():
        raise BadInput(f"name: there is a {word} '{name}' already; choose another name.")
    for job in Job.objects.filter(kind=kind, state__in=Job.ACTIVE):
        if job.arguments.get("name") == name:
            raise BadInput(f"name: job {job.pk} is making a {word} '{name}'; choose another name.")
    return name


def import_folder(*, name: str, size: int, by: Any, upload: Any = None, folder: str = "") -> Job:
    """Patches of a folder with ``labels.csv``: an uploaded zip file, or a folder on the server.

    Raises:
        BadInput: naming the field.
    """
    name = _free("import_patches", Dataset, name, "data set")
    if bool(upload) == bool(folder):
        raise BadInput("upload: choose a zip file, or give the path of a folder on the server; one of the two.")
    arguments: dict[str, Any] = {"name": name, "size": size}
    if upload:
        arguments |= {"upload": uploads.keep(upload), "called": upload.name[:200]}
    else:
        uploads.allowed_path(folder, field="folder")
        arguments |= {"folder": folder}
    return submit(kind="import_patches", arguments=arguments, requested_by=by, title=f"Import patches: {name}")


def import_pannuke(*, name: str, folds: list[str], tissue: str, size: int, by: Any) -> Job:
    """One tissue of PanNuke's folders on the server."""
    name = _free("import_pannuke", Dataset, name, "data set")
    if not folds:
        raise BadInput("folds: give the path of at least one fold.")
    for fold in folds:
        uploads.allowed_path(fold, field="folds")
    arguments = {"name": name, "folds": folds, "tissue": tissue, "size": size}
    return submit(kind="import_pannuke", arguments=arguments, requested_by=by, title=f"Import PanNuke: {name}")


def train(*, name: str, dataset: Dataset, by: Any, **settings: Any) -> Job:
    """A classifier on a data set; ``settings`` are those of ``model.training_services.train_classifier``."""
    name = _free("train", Classifier, name, "classifier")
    arguments = {"name": name, "dataset": dataset.name} | settings
    return submit(kind="train", arguments=arguments, requested_by=by, title=f"Train {name} on {dataset.name}")


def cross_validate(*, dataset: Dataset, by: Any, **settings: Any) -> Job:
    """Table 1a of a data set."""
    arguments = {"dataset": dataset.name} | settings
    title = f"Cross-validate {dataset.name} ({settings.get('runs')} x {settings.get('folds')})"
    return submit(kind="cross_validate", arguments=arguments, requested_by=by, title=title)


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
    name = _free(work, Attack, name, "attack")
    if kind in ("minimal", "universal") and given.get("norm") == "none":
        raise BadInput("norm: this kind of attack needs a norm.")
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
    name = _free("import_pairs", PairSet, name, "set of pairs")
    if bool(upload) == bool(folder):
        raise BadInput("upload: choose a zip file, or give the path of a folder on the server; one of the two.")
    arguments: dict[str, Any] = {"name": name, "classifier": classifier.name if classifier else ""}
    if upload:
        arguments |= {"upload": uploads.keep(upload), "called": upload.name[:200]}
    else:
        uploads.allowed_path(folder, field="folder")
        arguments |= {"folder": folder}
    return submit(kind="import_pairs", arguments=arguments, requested_by=by, title=f"Import pairs: {name}")


def study(
    *,
    name: str,
    by: Any,
    seed: int,
    settings: StudySettings,
    attack: Attack | None = None,
    further_attacks: Sequence[Attack] = (),
    pairs: PairSet | None = None,
    variants: Sequence[str] = (),
    readers: Sequence[User] = (),
) -> Job:
    """A draft of a study, to be looked at and frozen.

    Raises:
        BadInput: naming the field.
    """
    settings.check()
    slug = slugify(name)[:60]
    if not slug:
        raise BadInput(f"name: '{name}' leaves no letters for an address; use letters or digits.")
    if Study.objects.filter(slug=slug).exists():
        raise BadInput(f"name: there is a study '{slug}' already; choose another name.")
    for job in Job.objects.filter(kind="build_study", state__in=Job.ACTIVE):
        if slugify(job.arguments.get("name", ""))[:60] == slug:
            raise BadInput(f"name: job {job.pk} is building a study '{slug}'; choose another name.")
    if (attack is None) == (pairs is None):
        raise BadInput("attack: choose an attack, or imported pairs; one of the two.")
    source = PairSource(pairs, variants) if pairs is not None else AttackSource([attack, *further_attacks])
    _enough(source, settings)
    arguments = {
        "name": name,
        "attack": attack.name if attack else "",
        "further_attacks": [one.name for one in further_attacks],
        "pairs": pairs.name if pairs else "",
        "variants": list(variants),
        "seed": seed,
        "settings": asdict(settings) | {"questions": list(settings.questions)},
        "readers": [reader.username for reader in readers],
    }
    return submit(kind="build_study", arguments=arguments, requested_by=by, title=f"Build study: {name}"[:200])


def freeze(*, study: Study, by: Any, actor: str) -> Job:
    """Fix a draft's protocol. A job: every image is read again, and the classifier asked again.

    Raises:
        BadInput: the study is not a draft, or is being frozen.
    """
    services.demand_state(study, Study.State.DRAFT)
    for job in Job.objects.filter(kind="freeze_study", state__in=Job.ACTIVE):
        if job.arguments.get("study") == study.slug:
            raise BadInput(f"Study '{study.slug}' is being frozen by job {job.pk}.")
    arguments = {"study": study.slug, "actor": actor}
    return submit(kind="freeze_study", arguments=arguments, requested_by=by, title=f"Freeze study: {study.name}"[:200])


def _enough(source: CaseSource, settings: StudySettings) -> None:
    """Raises BadInput naming the field if the pool holds fewer cases than are asked for."""
    truth = source.pool()["truth"].astype(bool)
    for field, wanted, held in (
        ("positives", settings.positives, int(truth.sum())),
        ("negatives", settings.negatives, int((~truth).sum())),
    ):
        if wanted > held:
            raise BadInput(f"{field}: {wanted} were asked for, but only {held} {field} were flipped.")
