"""Comparing two classifiers on the same patches: how often right, how often still right under attack, how sure."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from django.db import IntegrityError
from django.utils import timezone
from scipy.stats import rankdata
from torch import Tensor

from attacks.engine import pairing
from attacks.engine.minimal import search
from attacks.engine.passes import Passes, lost
from attacks.engine.pgd import pgd
from attacks.engine.recipe import minimal_recipe, recipe
from attacks.engine.soundness import PROBES
from attacks.engine.worst import at_worst, chosen_changes
from attacks.models import Comparison
from attacks.selectors import drawn_patches
from attacks.services import prepared, read
from attacks.worst_services import measured_bounds
from core.errors import InvalidInput, Progress, no_progress, stage
from core.version import code_version
from model.learning import evaluation
from model.learning.devices import usable_device
from model.learning.groups import few_groups, grouped, groups_per_class
from model.models import Classifier, Patch

BUDGETS: dict[str, tuple[float, ...]] = {
    "linf": (1, 2, 4, 8),
    "l2": (0.5, 1, 2, 4),
    "l1": (0.25, 0.5, 1, 2),
    "l0": (0.005, 0.01, 0.02, 0.05),
}
"""Where robust accuracies are compared, in 0-255 units (L0: share of pixels)."""
SIDES = ("first", "second")


def run_comparison(
    *,
    first: Classifier,
    second: Classifier,
    name: str = "",
    norms: Sequence[str] = (),
    natural: bool = False,
    patches: int | None = None,
    seed: int = 0,
    device: str | None = None,
    created_by: Any = None,
    progress: Progress = no_progress,
) -> Comparison:
    """Clean and robust accuracy, minimal norms and calibration of both, with paired intervals of every difference.

    On the test patches of both that neither was trained on; ``patches``: so many of them, drawn by the seed. For each
    of ``norms`` (Linf and L2 if none is named) every patch that is right is searched for its smallest perturbation,
    and attacked within each of ``BUDGETS`` where none that small was found. ``natural``: stain and tone at their worst,
    too, within the bounds by which the data set's slides differ. A comparison that was cut off goes on when
    it is called again with the same arguments.

    Raises InvalidInput for a classifier beside itself, other data sets, and splits without common patches.
    """
    chosen = tuple(norms) or ("linf", "l2")
    unknown = [norm for norm in chosen if norm not in BUDGETS]
    if unknown:
        raise InvalidInput(f"{unknown[0]!r} is not one of {', '.join(BUDGETS)}.", field="norms")
    common = drawn_patches(common_patches(first, second), patches, seed=seed)
    place = usable_device(device)
    settings = {"norms": list(chosen), "natural": natural, "seed": seed}
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
    for side, classifier in zip(SIDES, (first, second)) if natural else ():
        if "natural" not in row.answers[side]:
            row.answers[side]["natural"] = _withstands_natural(classifier, common, seed, place)
            row.save(update_fields=["answers"])
    row.result = summarise(row.answers, common, chosen, seed=seed)
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
    for number, budget in enumerate(BUDGETS[norm]):
        rows = np.flatnonzero(smallest > budget * (1 + 1e-9))
        if len(rows):
            _attack(passes, images, labels, smallest, rows, norm, budget, seed)
        progress(len(patches) + (number + 1) * len(patches) // len(BUDGETS[norm]), 2 * len(patches))
    return found.before[:, 1].astype(float).tolist(), [float(one) if np.isfinite(one) else None for one in smallest]


def _attack(
    passes: Passes,
    images: Tensor,
    labels: Tensor,
    smallest: np.ndarray,
    rows: np.ndarray,
    norm: str,
    budget: float,
    seed: int,
) -> None:
    """Lower ``smallest`` where an attack within the budget flips what the search did not."""
    picked = torch.from_numpy(rows)
    within = pgd(passes, images[picked], labels[picked], recipe(norm=norm, budget=budget, seed=seed))
    fell = within.flipped & (within.norms[norm] < smallest[rows])
    smallest[rows[fell]] = within.norms[norm][fell]


def _withstands_natural(
    classifier: Classifier, patches: Sequence[Patch], seed: int, device: str
) -> dict[str, list[bool]]:
    """Whether each patch is right and stays right under stain and tone at their worst."""
    passes = prepared(classifier, device)
    images, labels = read(passes, patches)
    limits = measured_bounds(classifier.dataset, 0.05, seed)
    right = passes.judge(images).argmax(1) == labels
    held = {}
    for change in chosen_changes(["stain", "tone"]):
        shown = [
            at_worst(
                passes, change, passes.floats(images[rows]), labels[rows].to(passes.device), limits, seed
            ).displayed
            for rows in torch.arange(len(images)).split(passes.batch)
        ]
        fell = lost(passes.judge(torch.cat(shown)), labels, passes.margin)
        held[change.name] = (right & ~fell).tolist()
    return held


# --- The table --------------------------------------------------------------------------------------------------------


def summarise(
    answers: dict[str, Any], patches: Sequence[Patch], norms: Sequence[str], *, seed: int = 0
) -> dict[str, Any]:
    """The rows of the table, the points of both calibration curves, and warnings."""
    truth = np.array([patch.tumour for patch in patches]).astype(int)
    names = np.array([patch.group for patch in patches])
    groups = names if grouped(names) else None
    given = [np.array(answers[side]["p_tumour"]) for side in SIDES]
    right = [(p >= 0.5) == truth.astype(bool) for p in given]

    def numbers(measure: str, statistic: pairing.Statistic) -> dict[str, Any]:
        return {"measure": measure} | pairing.bootstrapped(statistic, len(truth), groups, seed=seed)

    rows = [{"measure": "accuracy"} | pairing.shares(right[0], right[1], groups)]
    rows.append(numbers("AUC", lambda rows: _both(given, rows, lambda p, at: _auc(truth[at], p))))
    rows.append(
        numbers("Brier score", lambda rows: _both(given, rows, lambda p, at: float(((p - truth[at]) ** 2).mean())))
    )
    rows.append(numbers("calibration error", lambda rows: _both(given, rows, lambda p, at: _ece(truth[at], p))))
    smallest = {norm: [_floats(answers[side]["norms"][norm]) for side in SIDES] for norm in norms}
    for norm in norms:
        for budget in BUDGETS[norm]:
            held = [values > budget * (1 + 1e-9) for values in smallest[norm]]
            rows.append({"measure": f"robust accuracy, {norm} {budget:g}"} | pairing.shares(held[0], held[1], groups))
    for change in answers["first"].get("natural", {}):
        held = [np.array(answers[side]["natural"][change], dtype=bool) for side in SIDES]
        rows.append({"measure": f"robust accuracy, worst {change}"} | pairing.shares(held[0], held[1], groups))
    for norm in norms:
        both = np.flatnonzero(right[0] & right[1])
        if len(both):
            rows.append(_medians(norm, smallest[norm], both, groups, seed))
    counted = groups_per_class(truth, names)
    return {
        "rows": rows,
        "calibration": {side: evaluation.calibration(truth, p) for side, p in zip(SIDES, given)},
        "patches": len(truth),
        "groups": counted,
        "warnings": few_groups(counted, "Compared patches"),
    }


def _medians(norm: str, smallest: list[np.ndarray], both: np.ndarray, groups: Any, seed: int) -> dict[str, Any]:
    """The median smallest flip of the patches that both get right."""
    own = None if groups is None else groups[both]
    values = [one[both] for one in smallest]
    found = pairing.bootstrapped(lambda rows: _both(values, rows, lambda v, _: _median(v)), len(both), own, seed=seed)
    return {"measure": f"median smallest flip, {norm}"} | found


def _both(values: list[np.ndarray], rows: np.ndarray, number: Any) -> tuple[float, float]:
    first, second = (number(one[rows], rows) for one in values)
    return first, second


def _median(values: np.ndarray) -> float:
    """The middle value; infinite where half were never flipped."""
    return float(np.sort(values)[len(values) // 2])


def _auc(truth: np.ndarray, given: np.ndarray) -> float:
    """By ranks; not defined where a draw holds one class only."""
    positives = int(truth.sum())
    negatives = len(truth) - positives
    if not positives or not negatives:
        return float("nan")
    return float((rankdata(given)[truth == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def _ece(truth: np.ndarray, given: np.ndarray) -> float:
    return evaluation.calibration_error(truth, given)


def _floats(values: Sequence[float | None]) -> np.ndarray:
    return np.array([np.inf if value is None else value for value in values], dtype=float)
