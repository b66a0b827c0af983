"""Building a study from an attack: draw cases, write their stimuli, set patches aside for the instructions."""

import hashlib
import io
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

import numpy as np
import pandas as pd
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.text import slugify
from PIL import Image

from attacks.engine.display import encode_png
from attacks.models import Attack, Perturbation
from model.learning.errors import BadInput, Progress, no_progress
from model.models import Classifier, CrossValidation, Patch
from model.version import code_version
from study import audit_log
from study.design.sampling import draw_cases
from study.models import Case, GuideImage, Stimulus, Study, User, new_token
from study.services import assign_reader, derived_seed, freeze_study, open_study

CRITERION = (
    "Answer “tumour” when the patch shows tumour cells, and “no tumour” when it shows none. "
    "A patch counts as tumour by the reference when it holds five or more tumour cells."
)
CONSENT = (
    "You take part as a reader under a pseudonym. Your answers, their times and the size of your window are stored "
    "for research. You may stop at any time; the answers given until then are kept."
)
TRUTH_SOURCES = {
    "pannuke": "PanNuke nuclei: 5 or more neoplastic, or none",
    "synthetic": "generated: tumour cells drawn, 5 or more or none",
    "folder": "labels.csv of the data set",
}
QUESTIONS = ("confidence", "tumour_cell_count", "perturbed_response", "note")


@dataclass(frozen=True, slots=True)
class StudySettings:
    """What a researcher chooses. Fractions, hours and counts; see ``Study`` for each."""

    positives: int = 20
    negatives: int = 0
    copies: int = 2
    min_gap: int = 5
    washout_hours: float = 336.0
    task: str = Study.Task.LABELLING
    questions: tuple[str, ...] = ("confidence",)
    margin: float | None = 0.10
    alpha: float = 0.025
    scale: int = 2
    surroundings: str = Study.Surroundings.DARK
    practice: int = 4
    examples: int = 4
    break_every: int = 40
    stratify: str | None = None
    criterion: str = CRITERION
    consent_text: str = CONSENT


def _check(settings: StudySettings) -> None:
    unknown = set(settings.questions) - set(QUESTIONS)
    if unknown:
        raise BadInput(f"questions: {', '.join(sorted(unknown))} unknown; choose from {', '.join(QUESTIONS)}.")
    if settings.positives + settings.negatives < 1:
        raise BadInput("cases: a study needs at least one case.")
    if settings.positives < 0 or settings.negatives < 0:
        raise BadInput("cases: the numbers of positives and negatives cannot be negative.")
    if not 1 <= settings.copies <= 10:
        raise BadInput(f"copies: {settings.copies} is out of range; 1 to 10 sets are possible.")
    if settings.washout_hours < 0:
        raise BadInput("washout_hours: it cannot be negative.")
    if settings.margin is not None and not 0 < settings.margin < 1:
        raise BadInput(f"margin: {settings.margin} is not a fraction between 0 and 1 (0.10 is ten points).")
    if not 0 < settings.alpha < 0.5:
        raise BadInput(f"alpha: {settings.alpha} is not a one-sided level between 0 and 0.5.")
    if not 1 <= settings.scale <= 8:
        raise BadInput(f"scale: {settings.scale} is out of range; 1 to 8 device pixels per patch pixel.")


def _pool(attack: Attack) -> pd.DataFrame:
    """Patches that the classifier judged correctly and the attack flipped on displayed bytes, one row each."""
    flipped = Perturbation.objects.filter(attack=attack, flipped=True, already_wrong=False).values(
        "pk", "patch__name", "patch__tumour", "patch__group", "patch__tumour_cells", "prob_before"
    )
    columns = ["perturbation", "patch_id", "truth", "group", "tumour_cells", "prob_before"]
    pool = pd.DataFrame([tuple(row.values()) for row in flipped], columns=columns)
    pool["margin"] = (pool["prob_before"].astype(float) - 0.5).abs()
    return pool


def _store(folder: str, pixels: np.ndarray) -> tuple[str, str]:
    """Write displayed bytes under a name that says nothing; returns the name and the SHA-256."""
    png = encode_png(pixels)
    name = default_storage.save(f"{folder}/{secrets.token_hex(16)}.png", ContentFile(png))
    return name, hashlib.sha256(png).hexdigest()


def _pixels(field: Any) -> np.ndarray:
    with field.open("rb") as file:
        return np.asarray(Image.open(io.BytesIO(file.read())).convert("RGB"), dtype=np.uint8)


def _table_1a(classifier: Classifier) -> dict[str, Any] | None:
    """Mean and SD over runs and folds of the data set's latest finished cross-validation."""
    finished = CrossValidation.objects.filter(dataset=classifier.dataset, completed_at__isnull=False)
    latest = finished.order_by("-completed_at").first()
    if latest is None:
        return None
    folds = list(latest.results.values("accuracy", "auc"))
    spread = {
        name: {"mean": fmean(values), "sd": stdev(values) if len(values) > 1 else None}
        for name in ("accuracy", "auc")
        if (values := [fold[name] for fold in folds])
    }
    return {"runs": latest.runs, "folds": latest.folds, "grouped": latest.grouped, "seed": latest.seed, **spread}


def _source(attack: Attack, pool: pd.DataFrame) -> dict[str, Any]:
    """The snapshot that lets every number be traced: dataset, weights hash, settings, code version."""
    classifier = attack.classifier
    dataset = classifier.dataset
    return {
        "dataset": {"name": dataset.name, "kind": dataset.kind, "sha256": dataset.sha256, "patch_size": dataset.size},
        "classifier": {
            "id": classifier.pk,
            "name": classifier.name,
            "arch": classifier.arch,
            "initialisation": classifier.initialisation,
            "weights_sha256": classifier.weights_sha256,
            "settings": classifier.settings,
            "seed": classifier.seed,
            "metrics": classifier.metrics,
            "code_version": classifier.code_version,
        },
        "attack": {
            "name": attack.name,
            "kind": attack.kind,
            "norm": attack.norm,
            "budget": attack.budget,
            "settings": attack.settings,
            "seed": attack.seed,
            "summary": attack.summary,
            "code_version": attack.code_version,
        },
        "table_1a": _table_1a(classifier),
        "pool": {"positives": int(pool["truth"].sum()), "negatives": int((~pool["truth"].astype(bool)).sum())},
    }


def _add_case(study: Study, number: int, perturbation: Perturbation, truth_source: str) -> list[str]:
    patch, attack = perturbation.patch, perturbation.attack
    case = Case.objects.create(
        study=study,
        number=number,
        patch_id=patch.name,
        group=patch.group,
        truth=patch.tumour,
        truth_source=truth_source,
        tumour_cells=patch.tumour_cells,
    )
    written = []
    altered = {
        "attack": attack.name,
        "norm": attack.norm,
        "budget": attack.budget,
        **{norm: getattr(perturbation, norm) for norm in ("l0", "l1", "l2", "linf")},
    }
    unaltered = dict.fromkeys(("l0", "l1", "l2", "linf"), 0.0)
    arms = [
        # The original is decoded and encoded again, so that both arms have gone the same way.
        ("original", patch.image, perturbation.prob_before, unaltered),
        ("perturbed", perturbation.image, perturbation.prob_after, altered),
    ]
    for arm, image, probability, norms in arms:
        name, digest = _store(f"stimuli/{study.pk}", _pixels(image))
        written.append(name)
        Stimulus.objects.create(
            case=case,
            arm=arm,
            image=name,
            sha256=digest,
            model_prob=probability,
            model_label=probability >= 0.5,
            **norms,
        )
    return written


def _add_guides(study: Study, attack: Attack, settings: StudySettings, chosen: set[str]) -> list[str]:
    """Example and practice patches from outside the study (and from other groups, where enough are left)."""
    groups = set(study.cases.exclude(group="").values_list("group", flat=True))
    outside = Patch.objects.filter(dataset=attack.classifier.dataset).exclude(name__in=chosen).order_by("index")
    apart = outside.exclude(group__in=groups)
    rng = np.random.default_rng(derived_seed(study.seed, 1_000_001))
    written: list[str] = []
    taken: set[int] = set()
    for kind, count in ((GuideImage.Kind.EXAMPLE, settings.examples), (GuideImage.Kind.PRACTICE, settings.practice)):
        truths = rng.permutation(np.arange(count) % 2 == 0)
        for number, truth in enumerate(truths, start=1):
            ids = [pk for pk in apart.filter(tumour=truth).values_list("pk", flat=True) if pk not in taken]
            ids = ids or [pk for pk in outside.filter(tumour=truth).values_list("pk", flat=True) if pk not in taken]
            if not ids:
                continue
            patch = Patch.objects.get(pk=ids[int(rng.integers(len(ids)))])
            taken.add(patch.pk)
            name, digest = _store(f"guides/{study.pk}", _pixels(patch.image))
            written.append(name)
            GuideImage.objects.create(
                study=study,
                kind=kind,
                number=number,
                patch_id=patch.name,
                token=new_token(),
                image=name,
                sha256=digest,
                truth=patch.tumour,
            )
    return written


def build_study(
    *,
    name: str,
    attack: Attack,
    seed: int,
    actor: str,
    settings: StudySettings | None = None,
    readers: Sequence[User] = (),
    freeze: bool = True,
    open_: bool = True,
    created_by: User | None = None,
    slug: str = "",
    progress: Progress = no_progress,
) -> Study:
    """Draw cases by ``seed`` from the attack's flipped patches, write their stimuli, seat readers, freeze and open.

    Nothing is kept when any step fails: one transaction, and the files written are removed.

    Raises:
        BadInput: a setting out of range, a taken name, too few flipped patches, an infeasible minimum gap.
    """
    settings = settings or StudySettings()
    _check(settings)
    slug = slug or slugify(name)[:60]
    if not slug:
        raise BadInput(f"name: '{name}' leaves no letters for an address; use letters or digits.")
    if Study.objects.filter(slug=slug).exists():
        raise BadInput(f"name: there is a study '{slug}' already; choose another name.")
    written: list[str] = []
    try:
        with transaction.atomic():
            study = _draw_and_write(name, slug, attack, seed, actor, settings, created_by, progress, written)
            for reader in readers:
                assign_reader(study=study, reader=reader, actor=actor)
            if freeze:
                study = freeze_study(study=study, actor=actor)
                if open_:
                    study = open_study(study=study, actor=actor)
            return study
    except BaseException:
        for file in written:
            default_storage.delete(file)
        raise


def _draw_and_write(
    name: str,
    slug: str,
    attack: Attack,
    seed: int,
    actor: str,
    settings: StudySettings,
    created_by: User | None,
    progress: Progress,
    written: list[str],
) -> Study:
    pool = _pool(attack)
    drawn = draw_cases(
        pool, n_positive=settings.positives, n_negative=settings.negatives, seed=seed, stratify=settings.stratify
    )
    study = Study.objects.create(
        slug=slug,
        name=name,
        task=settings.task,
        seed=seed,
        copies=settings.copies,
        min_gap=settings.min_gap,
        washout_hours=settings.washout_hours,
        questions=list(settings.questions),
        criterion=settings.criterion,
        consent_text=settings.consent_text,
        surroundings=settings.surroundings,
        scale=settings.scale,
        break_every=settings.break_every,
        margin=settings.margin,
        alpha=settings.alpha,
        source=_source(attack, pool),
        code_version=code_version(),
        created_by=created_by,
    )
    truth_source = TRUTH_SOURCES[attack.classifier.dataset.kind]
    perturbations = Perturbation.objects.select_related("patch", "attack").in_bulk(list(drawn["perturbation"]))
    for number, pk in enumerate(drawn["perturbation"], start=1):
        written += _add_case(study, number, perturbations[pk], truth_source)
        progress(number, len(drawn))
    written += _add_guides(study, attack, settings, set(drawn["patch_id"]))
    study.practice_count = study.guide_images.filter(kind=GuideImage.Kind.PRACTICE).count()
    study.save(update_fields=["practice_count"])
    audit_log.record(
        study=study, actor=actor, action="built", seed=seed, cases=len(drawn), attack=attack.name, pool=len(pool)
    )
    return study
