"""Drawing the figures of a comparison, in jobs and commands only: where both look, and what flips the same patches."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from attacks.comparison_numbers import SIDES
from attacks.comparison_plots import flips_figure, looks_figure
from attacks.comparison_saliency import BUDGET, both_right, looked
from attacks.engine.display import hwc
from attacks.engine.minimal import search
from attacks.engine.recipe import minimal_recipe
from attacks.models import Comparison
from attacks.selectors import drawn_patches
from attacks.services import prepared, read
from core.errors import InvalidInput, Progress, stage
from core.measures import named
from model.figures import Draw, Drawn
from model.learning.plots.interpretation import Pair
from model.models import Classifier, Patch
from model.selectors import dataset_arrays


def _compared(comparison: Comparison) -> list[Patch]:
    ids = comparison.settings["patches"]
    return list(Patch.objects.filter(pk__in=ids).select_related("dataset").order_by("index"))


def _classifiers(comparison: Comparison) -> list[Classifier]:
    return [comparison.first, comparison.second]


def _originals(patches: Sequence[Patch]) -> NDArray[np.uint8]:
    return dataset_arrays(patches[0].dataset, [patch.pk for patch in patches])


def _shown(comparison: Comparison, options: Mapping[str, Any]) -> list[Patch]:
    """Cases of the study if the comparison has any, else positives that both get right; drawn by the seed."""
    every = _compared(comparison)
    cases = set(comparison.settings.get("cases", ()))
    pool = [patch for patch in every if patch.pk in cases] or [
        patch for patch in both_right(comparison.answers, every) if patch.tumour
    ]
    if not pool:
        raise InvalidInput("There is no patch with tumour that both get right: there is nothing to show.")
    return drawn_patches(pool, options["count"], seed=options["seed"])


def _looks(comparison: Comparison, options: Mapping[str, Any], progress: Progress) -> Drawn:
    """Saliency of both classifiers before and under the attack of each (the paper's Fig. 3, of both)."""
    some = _shown(comparison, options)
    maps, rows = [], []
    for number, (side, classifier) in enumerate(zip(SIDES, _classifiers(comparison))):
        _, before, after, _ = looked(
            classifier, some, seed=comparison.settings["seed"], device=comparison.settings["device"]
        )
        maps.append((before, after))
        rows += [
            {"patch": patch.name, "classifier": side, "mean_before": float(b.mean()), "mean_after": float(a.mean())}
            for patch, b, a in zip(some, before, after)
        ]
        progress(number + 1, len(SIDES))
    names = [one.name for one in _classifiers(comparison)]
    figure = looks_figure([patch.name for patch in some], _originals(some), maps, names)
    caption = (
        f"{_whose(comparison)}: saliency of the tumour score (largest |gradient| over channels) on the patch as it is, "
        f"and under the classifier's own attack (L∞ {BUDGET:g}, which does not stop at a flip). Each classifier has a "
        "colour scale of its own, because their scores differ in size."
    )
    return Drawn(figure, pd.DataFrame(rows), {"shown": len(some)}, caption)


def _flips(comparison: Comparison, options: Mapping[str, Any], progress: Progress) -> Drawn:
    """The same patches under both classifiers' attacks: the smallest displayed change that flips each."""
    some, norm = _shown(comparison, options), comparison.settings["norms"][0]
    originals = _originals(some)
    found, rows = [], []
    for number, (side, classifier) in enumerate(zip(SIDES, _classifiers(comparison))):
        passes = prepared(classifier, comparison.settings["device"])
        images, labels = read(passes, some)
        result = search(
            passes,
            images,
            labels,
            minimal_recipe(norm=norm, seed=comparison.settings["seed"]),
            progress=stage(progress, number, len(SIDES)),
        )
        shown = hwc(result.displayed)
        pairs = [
            Pair(patch.name, original, altered, float(before[1]), float(after[1]), patch.tumour)
            for patch, original, altered, before, after in zip(some, originals, shown, result.before, result.after)
        ]
        told = [_told(result, place, norm) for place in range(len(some))]
        found.append((pairs, told))
        rows += [
            {
                "patch": patch.name,
                "classifier": side,
                "already_wrong": bool(result.already_wrong[place]),
                "flipped": bool(result.flipped[place]),
                "p_tumour_before": pairs[place].before,
                "p_tumour_after": pairs[place].after,
            }
            | {name: float(values[place]) for name, values in result.norms.items()}
            for place, patch in enumerate(some)
        ]
    names = [one.name for one in _classifiers(comparison)]
    figure, gain = flips_figure(found, names)
    cases = "cases of the study" if comparison.settings.get("cases") else "positives that both get right"
    caption = (
        f"{_whose(comparison)}: the smallest displayed change ({named(norm)}) that flips each classifier, on the same "
        f"{len(some)} {cases}, drawn by seed {options['seed']}. Differences are times {gain} around mid-grey."
    )
    return Drawn(figure, pd.DataFrame(rows), {"shown": len(some), "gain": gain}, caption)


def _told(result: Any, place: int, norm: str) -> str:
    if result.already_wrong[place]:
        return "wrong already"
    if not result.flipped[place]:
        return "not flipped"
    return f"{named(norm)} {result.norms[norm][place]:.3g}"


def _whose(comparison: Comparison) -> str:
    return f"{comparison.first.name} and {comparison.second.name}"


DRAW: dict[str, Draw] = {"twins-saliency": _looks, "twins-flips": _flips}
"""How each figure of ``attacks.gallery.OF_COMPARISONS`` is drawn."""
