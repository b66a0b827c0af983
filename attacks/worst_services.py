"""Writing worst cases: natural changes of the test patches at their worst and at random, within the same bounds."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from django.db import transaction
from torch import Tensor

from attacks.engine import PerturbationSet, pairing
from attacks.engine.constraints import displayed_norms
from attacks.engine.display import chw
from attacks.engine.passes import Passes, lost
from attacks.engine.worst import Bound, Change, Worst, at_random, at_worst, chosen_changes, given_bounds, slide_spread
from attacks.models import Attack
from attacks.selectors import attacked_patches, drawn_patches
from attacks.services import begin, fill
from core.errors import InvalidInput, Progress, no_progress
from model.learning.groups import grouped
from model.learning.staining import RUIFROK, Vectors, amounts, checked, macenko
from model.models import Classifier, Dataset, Patch
from model.selectors import dataset_arrays

MEASURED_PATCHES = 600
"""Patches of the data set, drawn by the seed, on which the spread between slides is measured."""
MEASURED = ("haematoxylin gain", "eosin gain", "brightness", "contrast")
"""Bounds that are measured; the others are fixed unless they are given."""


def run_worst_case(
    *,
    classifier: Classifier,
    kinds: Sequence[str] = (),
    bounds: Sequence[str] = (),
    quantile: float = 0.05,
    steps: int = 10,
    stains: str = "ruifrok",
    stain_matrix: Sequence[float] = (),
    patches: int | None = None,
    name: str = "",
    seed: int = 0,
    device: str | None = None,
    created_by: Any = None,
    progress: Progress = no_progress,
) -> Attack:
    """Each of ``kinds`` (all if none is named) at its worst on the test patches, and drawn at random beside it.

    Stores two attacks, whose images a study can show: this one, with each patch's smallest change that flips (or the
    one that came nearest), and "NAME-random", with a change drawn within the same bounds. The summary has a table of
    both, change by change. ``bounds``, such as "blur=0.1..0.8", take the place of those that are measured on the data
    set's slides at ``quantile`` and 1 - ``quantile``, or are fixed. ``stains``, ``stain_matrix``: see
    ``stain_vectors``. A run that was cut off goes on.
    """
    chosen_changes(list(kinds))  # an unknown one is refused before anything is read
    if not 0 < quantile < 0.5:
        raise InvalidInput(f"{quantile:g} is not between 0 and 0.5.", field="quantile")
    if steps < 1:
        raise InvalidInput(f"{steps} is too few; at least 1.", field="steps")
    vectors = stain_vectors(classifier.dataset, stains, stain_matrix, seed)
    chosen = chosen_changes(list(kinds), vectors)
    measured = measured_bounds(classifier.dataset, quantile, seed, vectors)
    given = given_bounds(list(bounds))
    limits = measured | given
    own = drawn_patches(attacked_patches(classifier), patches, seed=seed)
    recipe: dict[str, Any] = {
        "kinds": [change.name for change in chosen],
        "bounds": {name: limits.get(name, pair) for change in chosen for name, pair in change.bounds.items()},
        "steps": steps,
        "stains": "given" if stain_matrix else stains,
        "stain_vectors": [list(one) for one in vectors],
        "drawn": patches,
        "seed": seed,
    }
    recipe["bounds"] = {key: [float(one) for one in pair] for key, pair in recipe["bounds"].items() if key != "draw"}
    recipe["measured"] = [
        name for name in MEASURED if name in measured and name not in given and name in recipe["bounds"]
    ]
    common: dict[str, Any] = {
        "classifier": classifier,
        "kind": Attack.Kind.WORST,
        "norm": "none",
        "budget": None,
        "seed": seed,
        "patches": own,
        "device": device,
        "created_by": created_by,
    }
    title = name or f"{classifier.name[:60]}-worst-"
    worst = begin(name=title, recipe=recipe, **common)
    beside = begin(name=f"{worst.name[:90]}-random", recipe=recipe | {"at_random": True}, **common)
    fill(attack=beside, work=_random_work(chosen, limits, seed), patches=own)
    if "worst" not in worst.summary:
        fill(attack=worst, work=_worst_work(worst, chosen, limits, steps, seed), patches=own, progress=progress)
        worst.refresh_from_db()
        worst.summary |= {"worst": table(worst, own), "random": beside.name, "warnings": worst.summary["warnings"]}
        worst.save(update_fields=["summary"])
    return worst


def stain_vectors(dataset: Dataset, stains: str, matrix: Sequence[float], seed: int) -> Vectors:
    """The densities of haematoxylin and eosin: ``matrix``, six numbers, if it is given; else those of Ruifrok and
    Johnston, or ("macenko") those estimated from the data set's own patches.

    Raises InvalidInput for numbers that are no two stains, and for patches that are hardly stained.
    """
    if matrix and stains != "ruifrok":
        raise InvalidInput("Densities are either estimated or given. Leave one of the two out.", field="stain_matrix")
    if matrix:
        numbers = [float(one) for one in matrix]
        return checked((numbers[:3], numbers[3:]))  # type: ignore[arg-type]
    if stains != "macenko":
        return RUIFROK
    some = drawn_patches(list(Patch.objects.filter(dataset=dataset).order_by("index")), MEASURED_PATCHES, seed=seed)
    return macenko(dataset_arrays(dataset, [patch.pk for patch in some]))


def measured_bounds(dataset: Dataset, quantile: float, seed: int, vectors: Vectors = RUIFROK) -> dict[str, Bound]:
    """The spread of stain strength, brightness and contrast between the data set's slides, as factors.

    Stain strength is the 99th percentile of a stain's amount in a patch, as in Macenko's normalisation: it tells of
    the staining, hardly of how many nuclei there are. Empty where fewer than five groups are known.
    """
    every = list(Patch.objects.filter(dataset=dataset).order_by("index"))
    some = drawn_patches(every, MEASURED_PATCHES, seed=seed)
    groups = [patch.group for patch in some]
    if len(set(groups)) < 5 or "" in groups:
        return {}
    images = chw(dataset_arrays(dataset, [patch.pk for patch in some]))
    numbers: dict[str, list[Tensor]] = {name: [] for name in MEASURED}
    for part in images.split(16):
        strength = torch.from_numpy(np.quantile(amounts(part, vectors).flatten(2).numpy(), 0.99, axis=2))
        floats = part.float().flatten(1)
        values = (strength[:, 0], strength[:, 1], floats.mean(1), floats.std(1))
        for name, value in zip(MEASURED, values):
            numbers[name].append(value)
    found = {name: slide_spread(torch.cat(parts), groups, quantile) for name, parts in numbers.items()}
    return {name: bound for name, bound in found.items() if bound is not None}


# --- The work of a chunk ----------------------------------------------------------------------------------------------


def _random_work(chosen: Sequence[Change], limits: Mapping[str, Bound], seed: int):
    """A change of a kind drawn for each image, within its bounds."""

    def work(passes: Passes, images: Tensor, labels: Tensor, first: int, progress: Progress) -> PerturbationSet:
        started, before = time.perf_counter(), passes.judge(images)
        which = np.random.default_rng([seed, first]).integers(len(chosen), size=len(images))
        shown = images.clone()
        for place, change in enumerate(chosen):
            rows = torch.from_numpy(np.flatnonzero(which == place))
            for part in rows.split(passes.batch) if len(rows) else ():
                x, y = passes.floats(images[part]), labels[part].to(passes.device)
                drawn = at_random(passes, change, x, y, limits, seed + first + int(part[0]))
                shown[part] = drawn.displayed
        return _judged(passes, images, shown, labels, before, started)

    return work


def _worst_work(attack: Attack, chosen: Sequence[Change], limits: Mapping[str, Bound], steps: int, seed: int):
    """Every change at its worst and at random; the flips of each go to the attack's summary, by chunk."""

    def work(passes: Passes, images: Tensor, labels: Tensor, first: int, progress: Progress) -> PerturbationSet:
        started, before = time.perf_counter(), passes.judge(images)
        right = before.argmax(1) == labels
        shown = images.clone()
        reach = torch.full((len(images),), torch.inf, dtype=torch.float64)  # L2 of the smallest flip
        nearest = torch.full((len(images),), -torch.inf)
        tally: dict[str, dict[str, list[Any]]] = {}
        for place, change in enumerate(chosen):
            worst, drawn = _both(passes, change, images, labels, limits, seed + first, steps)
            tally[change.name] = _counts(passes, images, labels, worst, drawn)
            fell = torch.tensor(tally[change.name]["worst"])
            length = torch.tensor(tally[change.name]["l2"], dtype=torch.float64)
            better = torch.where(fell, length < reach, reach.isinf() & (worst.gap > nearest))
            shown[better], nearest[better] = worst.displayed[better], worst.gap[better]
            reach[better & fell] = length[better & fell]
            progress((place + 1) * len(images) // len(chosen), len(images))
        _keep(attack, first, tally, right)
        return _judged(passes, images, shown, labels, before, started)

    return work


def _both(
    passes: Passes,
    change: Change,
    images: Tensor,
    labels: Tensor,
    limits: Mapping[str, Bound],
    seed: int,
    steps: int,
) -> tuple[Worst, Worst]:
    """The change at its worst and at random, batch by batch; a draw that is worse than the search counts for both."""
    parts: list[tuple[Worst, Worst]] = []
    for number, rows in enumerate(torch.arange(len(images)).split(passes.batch)):
        x, y = passes.floats(images[rows]), labels[rows].to(passes.device)
        own = seed * 1_000_003 % 2**31 + number
        drawn = at_random(passes, change, x, y, limits, own)
        worst = at_worst(passes, change, x, y, limits, own + 1, steps=steps)
        further = drawn.gap > worst.gap
        displayed = torch.where(further.reshape(-1, 1, 1, 1), drawn.displayed, worst.displayed)
        parts.append((Worst(displayed, torch.maximum(drawn.gap, worst.gap)), drawn))
    first, second = (
        Worst(torch.cat([pair[side].displayed for pair in parts]), torch.cat([pair[side].gap for pair in parts]))
        for side in (0, 1)
    )
    return first, second


def _counts(passes: Passes, images: Tensor, labels: Tensor, worst: Worst, drawn: Worst) -> dict[str, list[Any]]:
    """Whether each image falls, at its worst and at random, and how far (L2) both are from it."""
    return {
        "worst": lost(passes.judge(worst.displayed), labels, passes.margin).tolist(),
        "random": lost(passes.judge(drawn.displayed), labels, passes.margin).tolist(),
        "l2": displayed_norms(images, worst.displayed)["l2"].round(4).tolist(),
        "l2_random": displayed_norms(images, drawn.displayed)["l2"].round(4).tolist(),
    }


def _keep(attack: Attack, first: int, tally: dict[str, Any], right: Tensor) -> None:
    """What a chunk gave, beside what other chunks gave: a chunk that is made again gives the same."""
    with transaction.atomic():
        current = Attack.objects.select_for_update().get(pk=attack.pk)
        chunks = current.summary.get("chunks", {})
        current.summary |= {"chunks": chunks | {str(first): {"right": right.tolist(), "changes": tally}}}
        current.save(update_fields=["summary"])


def _judged(
    passes: Passes, images: Tensor, shown: Tensor, labels: Tensor, before: Tensor, started: float
) -> PerturbationSet:
    steps = np.zeros(len(images), dtype=np.int64)
    shown[before.argmax(1) != labels] = images[before.argmax(1) != labels]
    return PerturbationSet.of_whole_numbers(
        passes, images, shown, labels, before=before, started=started, steps=steps, settings={}
    )


# --- The table --------------------------------------------------------------------------------------------------------


def table(attack: Attack, patches: Sequence[Patch]) -> list[dict[str, Any]]:
    """Of each change, and of all together: shares flipped at worst and at random, and their paired difference."""
    chunks = [attack.summary["chunks"][key] for key in sorted(attack.summary["chunks"], key=int)]
    right = np.concatenate([np.array(chunk["right"], dtype=bool) for chunk in chunks])
    names = np.array([patch.group for patch in patches])[right]
    groups = names if grouped(names) else None
    rows: list[dict[str, Any]] = []
    each: dict[str, list[np.ndarray]] = {"worst": [], "random": []}
    for kind in attack.settings["kinds"]:
        columns = {
            key: np.concatenate([np.array(chunk["changes"][kind][key]) for chunk in chunks])[right]
            for key in ("worst", "random", "l2", "l2_random")
        }
        for side, found in each.items():
            found.append(columns[side].astype(bool))
        rows.append(_row(kind, columns["worst"], columns["random"], groups) | _lengths(columns))
    flips = {side: np.stack(found) for side, found in each.items()}  # (changes, patches)
    rows += [_average(flips, groups)] if len(flips["worst"]) > 1 else []
    return [*rows, _row("any of them", flips["worst"].max(0), flips["random"].max(0), groups)]


def _average(flips: dict[str, np.ndarray], groups: np.ndarray | None) -> dict[str, Any]:
    """The mean share over the changes: the average fooling rate of Foote et al. 2022."""
    mean = {side: found.mean(0) for side, found in flips.items()}
    count = len(mean["worst"])
    if not count:
        return {"change": "average of them", "of": 0}
    found = pairing.bootstrapped(lambda at: (mean["random"][at].mean(), mean["worst"][at].mean()), count, groups)
    return _told("average of them", found)


def _lengths(columns: dict[str, np.ndarray]) -> dict[str, float]:
    if not len(columns["l2"]):
        return {}
    return {"l2": float(columns["l2"].mean()), "l2_random": float(columns["l2_random"].mean())}


def _row(kind: str, worst: np.ndarray, drawn: np.ndarray, groups: np.ndarray | None) -> dict[str, Any]:
    if not len(worst):
        return {"change": kind, "of": 0}
    return _told(kind, pairing.shares(drawn, worst, groups))


def _told(kind: str, found: dict[str, Any]) -> dict[str, Any]:
    return {
        "change": kind,
        "of": found["n"],
        "worst": found["second"],
        "worst_low_high": list(found["second_low_high"]),
        "random": found["first"],
        "random_low_high": list(found["first_low_high"]),
        "difference": found["difference"],
        "low": found["low"],
        "high": found["high"],
    }
