"""Writing what builds on attacks: minimal perturbations, universal ones, success curves, natural changes, rounding."""

import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone
from torch import Tensor

from attacks.engine import PerturbationSet
from attacks.engine.curves import check_budgets, share
from attacks.engine.minimal import search
from attacks.engine.natural import NaturalTable, changes
from attacks.engine.norms import check_budget, check_reachable
from attacks.engine.passes import Passes
from attacks.engine.pgd import pgd
from attacks.engine.recipe import MinimalRecipe, UniversalRecipe, minimal_recipe, recipe, universal_recipe
from attacks.engine.universal import (
    Universal,
    by_training_size,
    flipped_share,
    judged,
    learn,
    random_signs,
)
from attacks.models import Attack
from attacks.selectors import CHUNK, attacked_patches, drawn_patches, flip_norms
from attacks.services import begin, fill, machine_of, prepared, read
from core import published
from core.errors import InvalidInput, Progress, no_progress, stage
from core.version import code_version
from model.models import Classifier, Patch

SEARCHES = ("l0", "l1", "l1-rescaled", "l2", "linf")


def run_minimal(
    *,
    classifier: Classifier,
    norm: str,
    rescaled: bool = False,
    steps: int | None = None,
    name: str = "",
    positives_only: bool = False,
    patches: int | None = None,
    seed: int = 0,
    chunk: int | None = None,
    device: str | None = None,
    created_by: Any = None,
    part: tuple[int, int] | None = None,
    progress: Progress = no_progress,
) -> Attack:
    """The smallest displayed perturbation of every test patch, stored and resumed as ``services.run_attack`` does.

    ``patches``: of so many only, drawn by the seed.
    """
    chosen = minimal_recipe(norm=norm, rescaled=rescaled, steps=steps, seed=seed)
    some = drawn_patches(attacked_patches(classifier, positives_only=positives_only), patches, seed=seed)
    attack = begin(
        classifier=classifier,
        kind=Attack.Kind.MINIMAL,
        norm=norm,
        budget=None,
        seed=seed,
        name=name or f"{classifier.name[:60]}-minimal-{chosen.search}-",
        recipe=chosen.as_dict() | {"positives_only": positives_only} | ({"drawn": patches} if patches else {}),
        patches=some,
        chunk=chunk,
        device=device,
        created_by=created_by,
    )
    fill(attack=attack, work=minimal_work(chosen), patches=some, part=part, doubted=True, progress=progress)
    return attack


def minimal_work(chosen: MinimalRecipe):
    def work(passes: Passes, images: Tensor, labels: Tensor, first: int, progress: Progress) -> PerturbationSet:
        return search(passes, images, labels, chosen, progress=progress)

    return work


def run_universal(
    *,
    classifier: Classifier,
    norm: str = "linf",
    budget: float | None = None,
    name: str = "",
    sizes: Sequence[int] = (),
    seed: int = 0,
    device: str | None = None,
    created_by: Any = None,
    progress: Progress = no_progress,
    **settings: Any,
) -> Attack:
    """One perturbation learned on the training positives, stored for every unseen (test) positive.

    The summary holds its success on training and on unseen positives that were classified correctly, with Wilson
    intervals, beside the paper's counts and beside noise of the same magnitudes; with ``sizes``, also its success when
    it is learned on that many training positives.
    """
    chosen = universal_recipe(norm=norm, budget=budget, seed=seed, **settings)
    check_reachable(chosen.norm, chosen.budget, classifier.dataset.size, classifier.dataset.size)
    training = attacked_patches(classifier, part="train", positives_only=True)
    unseen = attacked_patches(classifier, positives_only=True)
    for size in sizes:
        if not 1 <= size <= len(training):
            raise InvalidInput(f"A training size of {size} is not from 1 to {len(training)}, the training positives.")
    attack = begin(
        classifier=classifier,
        kind=Attack.Kind.UNIVERSAL,
        norm=norm,
        budget=budget,
        seed=seed,
        name=name,
        recipe=chosen.as_dict() | {"training": [patch.index for patch in training], "sizes": list(sizes)},
        patches=unseen,
        device=device,
        created_by=created_by,
    )
    if attack.completed_at is not None:
        return attack
    if "delta" not in attack.summary:
        _learn(attack, chosen, training, unseen, sizes, progress)
    found = load_universal(attack)

    def work(passes: Passes, images: Tensor, labels: Tensor, first: int, progress: Progress) -> PerturbationSet:
        return judged(passes, images, labels, found)

    fill(attack=attack, work=work, patches=unseen)
    counts = attack.summary
    attack.summary = counts | {"unseen": share(counts["flipped"], counts["attacked"]), "published": _published()}
    attack.save(update_fields=["summary"])
    return attack


def _learn(
    attack: Attack,
    chosen: UniversalRecipe,
    training: Sequence[Patch],
    unseen: Sequence[Patch],
    sizes: Sequence[int],
    progress: Progress,
) -> None:
    """Learn the perturbation and store it with what can be said of it before the unseen patches are judged."""
    with machine_of(attack) as device:
        passes = prepared(attack.classifier, device)
        images, labels = read(passes, training)
        found = learn(passes, images, labels, chosen, progress=progress)
        noise = random_signs(found, seed=chosen.seed)
        unseen_images, unseen_labels = read(passes, unseen)
        summary = {
            "seconds": found.seconds,
            "passes": found.passes,
            "delta_norms": found.norms(),
            "history": found.history,
            "training": flipped_share(judged(passes, images, labels, found)),
            "noise": flipped_share(judged(passes, unseen_images, unseen_labels, noise)),
        }
        if sizes:
            summary["by_training_size"] = by_training_size(
                passes, (images, labels), (unseen_images, unseen_labels), chosen, sizes
            )
    buffer = io.BytesIO()
    np.save(buffer, found.delta.numpy())
    summary["delta"] = default_storage.save(f"universal/{attack.pk}.npy", ContentFile(buffer.getvalue()))
    attack.summary = attack.summary | summary
    attack.save(update_fields=["summary"])


def load_universal(attack: Attack) -> Universal:
    """The stored perturbation of a universal attack."""
    with default_storage.open(attack.summary["delta"]) as file:
        delta = np.load(io.BytesIO(file.read()))
    return Universal(delta=torch.from_numpy(delta), history=attack.summary["history"], settings=attack.settings)


def _published() -> dict[str, Any]:
    return {name: share(flipped, of) for name, (flipped, of) in published.UNIVERSAL.items()}


def run_success_curves(
    *,
    classifier: Classifier,
    norms: Sequence[str] = SEARCHES,
    checks: int = 2,
    check_patches: int = 64,
    patches: int | None = None,
    seed: int = 0,
    device: str | None = None,
    created_by: Any = None,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Fig. 4: a minimal run per norm (all if none is named), and ``checks`` attacks at single budgets on
    ``check_patches`` of the patches. Both are drawn by the seed where they are not all: ``patches`` for the searches.

    The minimal runs are stored as attacks, and used again when they are there. The checks are in the result only.
    """
    searches = norms or SEARCHES
    unknown = [one for one in searches if one not in SEARCHES]
    if unknown:
        raise InvalidInput(f"There is no curve for {unknown[0]!r}; there are {', '.join(SEARCHES)}.")
    attacks, rows = {}, []
    for place, one in enumerate(searches):
        norm, _, form = one.partition("-")
        attacks[one] = run_minimal(
            classifier=classifier,
            norm=norm,
            rescaled=form == "rescaled",
            patches=patches,
            seed=seed,
            device=device,
            created_by=created_by,
            progress=stage(progress, place, len(searches)),
        )
    if checks:
        passes = prepared(classifier, device)
        searched = drawn_patches(attacked_patches(classifier), patches, seed=seed)
        checked = drawn_patches(searched, check_patches, seed=seed)
        images, labels = read(passes, checked)
        for one, attack in attacks.items():
            norm = attack.norm
            for budget in check_budgets(flip_norms(attack), one, checks):
                rule = "l2" if one == "l1-rescaled" else None
                found = pgd(passes, images, labels, recipe(norm=norm, budget=budget, step_rule=rule, seed=seed))
                within = flip_norms(attack, patches=checked) <= budget * (1 + 1e-9)
                rows.append(
                    {"search": one, "budget": budget}
                    | flipped_share(found)
                    | {"minimal_share_on_same": float(within.mean()) if len(within) else None}
                )
    return {"attacks": attacks, "checks": rows}


def run_corruptions(
    *,
    classifier: Classifier,
    kinds: Sequence[str] = (),
    name: str = "",
    seed: int = 0,
    device: str | None = None,
    created_by: Any = None,
    progress: Progress = no_progress,
) -> Attack:
    """Natural changes of the test split: flip rate and norms per kind and strength, in one table (the summary)."""
    chosen = changes(list(kinds))
    patches = attacked_patches(classifier)
    attack = begin(
        classifier=classifier,
        kind=Attack.Kind.NATURAL,
        norm="none",
        budget=None,
        seed=seed,
        name=name or f"{classifier.name[:60]}-natural-",
        recipe={"changes": [[change.name, change.strength] for change in chosen]},
        patches=patches,
        device=device,
        created_by=created_by,
    )
    if attack.completed_at is not None:
        return attack
    with machine_of(attack) as machine:
        table = NaturalTable(prepared(classifier, machine), chosen, seed=seed)
        chunks = math.ceil(len(patches) / CHUNK)
        for number in range(chunks):
            images, labels = read(table.passes, patches[number * CHUNK : (number + 1) * CHUNK])
            table.add(
                images,
                labels,
                progress=stage(progress, number, chunks),
            )
    right = sum(table.right.values())
    attack.summary = {
        "images": len(patches),
        "attacked": right,
        "already_wrong": len(patches) - right,
        "changes": table.rows(),
    }
    attack.completed_at = timezone.now()
    attack.save(update_fields=["summary", "completed_at"])
    return attack


def rounding_table(
    *,
    classifier: Classifier,
    caps: Sequence[float] = (0.5, 1, 2, 4, 8),
    patches: int = 64,
    steps: int = 50,
    seed: int = 0,
    device: str | None = None,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """What rounding leaves of Linf flips, by cap and rounding mode, on ``patches`` test patches drawn by the seed.

    Every attack ends each image at its first flip; "nearest" and "truncate" judge that flip on floats and round
    afterwards, "aware" judges it on the displayed image. Steps are a quarter of the cap, in whole grey levels only
    where the attack is aware of them.
    """
    for cap in caps:
        check_budget("linf", cap)
    passes = prepared(classifier, device)
    images, labels = read(passes, drawn_patches(attacked_patches(classifier), patches, seed=seed))
    modes = ("nearest", "truncate", "aware")
    rows = []
    for place, (cap, mode) in enumerate((cap, mode) for cap in caps for mode in modes):
        size = None if mode == "aware" else cap / 4
        found = pgd(passes, images, labels, recipe(norm="linf", budget=cap, steps=steps, step_size=size, rounding=mode))
        rows.append(
            {
                "cap": cap,
                "rounding": mode,
                "attacked": int((~found.already_wrong).sum()),
                "flipped_float": int(found.flipped_float.sum()),
                "flipped": int(found.flipped.sum()),
                "l2_of_flipped": float(found.norms["l2"][found.flipped].mean()) if found.flipped.any() else None,
            }
        )
        progress(place + 1, len(caps) * len(modes))
    return {
        "classifier": classifier.name,
        "weights_sha256": classifier.weights_sha256,
        "seed": seed,
        "code_version": code_version(),
        "rows": rows,
    }
