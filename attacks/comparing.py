"""Comparing two classifiers on the same patches: how often right, how often still right under attack, how sure."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from django.db import IntegrityError
from django.utils import timezone
from torch import Tensor

from attacks.comparison_numbers import BUDGETS, SIDES, summarise
from attacks.comparison_saliency import measured
from attacks.engine.minimal import search
from attacks.engine.passes import Passes, lost
from attacks.engine.pgd import pgd
from attacks.engine.recipe import minimal_recipe, recipe
from attacks.engine.soundness import PROBES
from attacks.engine.worst import CHANGES, at_worst
from attacks.models import Comparison
from attacks.selectors import drawn_patches
from attacks.services import prepared, read
from attacks.worst_services import measured_bounds
from core.errors import InvalidInput, Progress, no_progress, stage
from core.version import code_version
from model.learning.devices import usable_device
from model.models import Classifier, Patch


def run_comparison(
    *,
    first: Classifier,
    second: Classifier,
    name: str = "",
    norms: Sequence[str] = (),
    natural: bool = False,
    patches: int | None = None,
    cases: Sequence[str] = (),
    seed: int = 0,
    device: str | None = None,
    created_by: Any = None,
    progress: Progress = no_progress,
) -> Comparison:
    """Clean and robust accuracy, minimal norms and calibration of both, with paired intervals of every difference.

    On the test patches of both that neither was trained on; ``patches``: so many of them, drawn by the seed. For each
    of ``norms`` (Linf and L2 if none is named) every patch that is right is searched for its smallest perturbation,
    and attacked within each of ``BUDGETS`` where none that small was found, the largest first; who stands against one
    is not asked about smaller ones. Of up to 200 of them saliency is measured as they are and under attack.
    ``natural``: every natural change at its worst, too, within the bounds by which the data set's slides differ.
    ``cases``: names of patches, those of a study, which get rows and a figure of their own, and are compared whether or
    not they are drawn. A comparison that was cut off goes on when it is called again with the same arguments.

    Raises InvalidInput for a classifier beside itself, other data sets, splits without common patches, and cases that
    are not among these.
    """
    chosen = tuple(norms) or ("linf", "l2")
    unknown = [norm for norm in chosen if norm not in BUDGETS]
    if unknown:
        raise InvalidInput(f"{unknown[0]!r} is not one of {', '.join(BUDGETS)}.", field="norms")
    every = common_patches(first, second)
    own = _named(every, cases)
    drawn = {patch.pk for patch in [*drawn_patches(every, patches, seed=seed), *own]}
    common = [patch for patch in every if patch.pk in drawn]
    place = usable_device(device)
    settings: dict[str, Any] = {"norms": list(chosen), "natural": natural, "seed": seed}
    settings |= {"cases": [patch.pk for patch in own]} if own else {}
    row = _begin(first, second, name, settings, common, device=place, created_by=created_by)
    if row.completed_at is not None:
        return row
    stages = [(side, norm) for side in SIDES for norm in chosen]
    for number, (side, norm) in enumerate(stages):
        classifier = first if side == "first" else second
        if norm in row.answers.get(side, {}).get("norms", {}):
            continue
        found = _smallest(classifier, common, norm, seed, place, stage(progress, number, len(stages)))
        answers = row.answers.setdefault(side, {"norms": {}})
        answers["p_tumour"], answers["norms"][norm] = found
        row.save(update_fields=["answers"])
    for side, classifier in zip(SIDES, (first, second)):
        if "saliency" not in row.answers[side]:
            row.answers[side]["saliency"] = measured(classifier, common, seed=seed, device=place)
            row.save(update_fields=["answers"])
        if natural and "natural" not in row.answers[side]:
            row.answers[side]["natural"] = _withstands_natural(classifier, common, seed, place)
            row.save(update_fields=["answers"])
    row.result = summarise(row.answers, common, chosen, seed=seed, cases=settings.get("cases", ()))
    row.completed_at = timezone.now()
    row.save(update_fields=["result", "completed_at"])
    return row


def common_patches(first: Classifier, second: Classifier) -> list[Patch]:
    """Test patches of both, in the order of reading; InvalidInput where they cannot be compared."""
    if first.pk == second.pk:
        raise InvalidInput("Choose two classifiers, not the same one twice.", field="second")
    if first.dataset_id != second.dataset_id:
        raise InvalidInput(
            f"{first} is tested on {first.dataset} and {second} on {second.dataset}: the patches must be the same.",
            field="second",
        )
    ids = set(first.split.get("test", [])) & set(second.split.get("test", []))
    for one in (first, second):  # a patch that either has learned from is no test of it
        ids -= {*one.split.get("train", []), *one.split.get("watched", [])}
    found = list(Patch.objects.filter(pk__in=ids).select_related("dataset").order_by("index"))
    if len({patch.tumour for patch in found}) < 2:
        raise InvalidInput(
            "The two have no test patches of both classes in common. Train them with the same seed and test share, or "
            "one from the other (train --from).",
            field="second",
        )
    return found


def _named(patches: Sequence[Patch], names: Sequence[str]) -> list[Patch]:
    """The patches of these names; InvalidInput says how many are not among them."""
    found = [patch for patch in patches if patch.name in set(names)]
    missing = sorted(set(names) - {patch.name for patch in found})
    if missing:
        raise InvalidInput(
            f"{len(missing)} of {len(set(names))} cases are no test patches of both classifiers, {missing[0]} among "
            "them: they were trained on it, or on another data set.",
            field="cases",
        )
    return found


def _begin(
    first: Classifier,
    second: Classifier,
    name: str,
    settings: dict[str, Any],
    patches: Sequence[Patch],
    *,
    device: str,
    created_by: Any,
) -> Comparison:
    """The comparison's row: a new one, or the one of the same settings that goes on."""
    settings = settings | {"patches": [patch.pk for patch in patches]}
    determines = settings | {"weights": [first.weights_sha256, second.weights_sha256], "code": code_version()}
    digest = hashlib.sha256(json.dumps(determines, sort_keys=True).encode()).hexdigest()
    name = name or f"{first.name[:42]} and {second.name[:42]} {digest[:8]}"
    row = Comparison.objects.filter(name=name).first()
    if row is not None:
        if row.settings_sha256 != digest:
            raise InvalidInput(f"Another comparison is called {name!r}. Choose another name.", field="name")
        return row
    try:
        return Comparison.objects.create(
            name=name,
            first=first,
            second=second,
            settings=settings | {"device": device, "budgets": {norm: BUDGETS[norm] for norm in settings["norms"]}},
            settings_sha256=digest,
            code_version=code_version(),
            created_by=created_by,
        )
    except IntegrityError as error:
        raise InvalidInput(f"A comparison called {name!r} was begun at the same moment.", field="name") from error


def _smallest(
    classifier: Classifier, patches: Sequence[Patch], norm: str, seed: int, device: str, progress: Progress
) -> tuple[list[float], list[float | None]]:
    """P(tumour) of every patch as it is, and the smallest flip found: 0 where it is wrong already, None for no flip."""
    passes = prepared(classifier, device)
    read(passes, patches[:PROBES])
    images, labels = read(passes, patches)
    found = search(passes, images, labels, minimal_recipe(norm=norm, seed=seed), progress=stage(progress, 0, 2))
    smallest = np.where(found.flipped, found.norms[norm], np.inf)
    smallest[found.already_wrong] = 0.0
    stood = np.zeros(len(patches), dtype=bool)
    for number, budget in enumerate(sorted(BUDGETS[norm], reverse=True)):
        rows = np.flatnonzero((smallest > budget * (1 + 1e-9)) & ~stood)
        if len(rows):  # who stands against a budget is not asked about a smaller one
            stood[rows] = _stand(passes, images, labels, smallest, rows, norm, budget, seed)
        progress(len(patches) + (number + 1) * len(patches) // len(BUDGETS[norm]), 2 * len(patches))
    return found.before[:, 1].astype(float).tolist(), [float(one) if np.isfinite(one) else None for one in smallest]


def _stand(
    passes: Passes,
    images: Tensor,
    labels: Tensor,
    smallest: np.ndarray,
    rows: np.ndarray,
    norm: str,
    budget: float,
    seed: int,
) -> np.ndarray:
    """Which of the rows stand against an attack within the budget; ``smallest`` falls where one does not."""
    picked = torch.from_numpy(rows)
    within = pgd(passes, images[picked], labels[picked], recipe(norm=norm, budget=budget, seed=seed))
    smallest[rows[within.flipped]] = within.norms[norm][within.flipped]
    return ~within.flipped


def _withstands_natural(
    classifier: Classifier, patches: Sequence[Patch], seed: int, device: str
) -> dict[str, list[bool]]:
    """Whether each patch is right and stays right under each natural change at its worst."""
    passes = prepared(classifier, device)
    images, labels = read(passes, patches)
    limits = measured_bounds(classifier.dataset, 0.05, seed)
    right = (passes.judge(images).argmax(1) == labels).nonzero()[:, 0]
    held = {}
    for change in CHANGES.values():
        stands = torch.zeros(len(images), dtype=torch.bool)
        for number, rows in enumerate(right.split(passes.batch)):
            x, y = passes.floats(images[rows]), labels[rows].to(passes.device)
            shown = at_worst(passes, change, x, y, limits, seed + number).displayed
            stands[rows] = ~lost(passes.judge(shown), labels[rows], passes.margin)
        held[change.name] = stands.tolist()
    return held
