"""Where two classifiers look, before and under attack: maps of the tumour score, and numbers about them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from attacks.comparison_numbers import SIDES
from attacks.engine.display import hwc
from attacks.engine.pgd import pgd
from attacks.engine.recipe import Recipe, recipe
from attacks.selectors import drawn_patches
from attacks.services import prepared, read
from model.learning.saliency import mass_inside, saliency
from model.models import Classifier, Dataset, Patch
from model.selectors import tumour_masks

Maps = NDArray[np.float32]
Numbers = dict[str, list[float | None]]
BUDGET, STEPS = 2.0, 20
"""Linf of the attack under which maps are taken, in grey levels, and its steps: it goes on to the last one."""
MAPPED = 200
"""Patches whose maps are measured, drawn by the seed."""
BLUR = 4.0
"""Pixels over which maps are smoothed before they are correlated: where it looks, not which pixel."""
COARSE = 8.0
"""Pixels: the wavelength above which a map's variation counts as coarse."""


def saliency_recipe(seed: int) -> Recipe:
    """The attack under which maps are taken: descent on the margin that does not stop at a flip."""
    return recipe(norm="linf", budget=BUDGET, steps=STEPS, confidence=0.999999, seed=seed)


def looked(
    classifier: Classifier, patches: Sequence[Patch], *, seed: int, device: str
) -> tuple[NDArray[np.uint8], Maps, Maps, NDArray[np.bool_]]:
    """Patches under the classifier's own attack, uint8 (n, h, w, 3), saliency of the tumour score before and under
    it, (n, h, w), and which it gets right without (a patch that it gets wrong is left as it is)."""
    passes = prepared(classifier, device)
    images, labels = read(passes, patches)
    found = pgd(passes, images, labels, saliency_recipe(seed))
    shown = hwc(found.displayed)
    before, after = (saliency(passes.network, part, 1, device=device) for part in (hwc(images), shown))
    return shown, before, after, ~found.already_wrong


def measured(classifier: Classifier, patches: Sequence[Patch], *, seed: int, device: str) -> Numbers:
    """Numbers about the maps of up to ``MAPPED`` of the patches; None where there is no map to speak of.

    same under attack   correlation of the smoothed map with that under attack
    coarse              share of a map's variation at wavelengths above ``COARSE`` pixels
    on tumour nuclei    share of the map's total inside the outlined nuclei, as it is and under attack; where there are
                        outlines
    """
    some = drawn_patches(patches, MAPPED, seed=seed)
    _, before, after, right = looked(classifier, some, seed=seed, device=device)
    found: dict[str, NDArray[np.float64]] = {
        "same under attack": correlations(before, after),
        f"coarser than {COARSE:g} pixels": coarse_share(before),
    }
    if outlined(classifier.dataset):
        masks = tumour_masks(classifier.dataset, [patch.pk for patch in some])
        none = ~masks.any((1, 2))
        for name, maps in (("on tumour nuclei", before), ("on tumour nuclei under attack", after)):
            found[name] = np.where(none, np.nan, mass_inside(maps, masks))
    places = {patch.pk: place for place, patch in enumerate(some)}
    return {name: [_number(values, places.get(patch.pk), right) for patch in patches] for name, values in found.items()}


def _number(values: NDArray[np.float64], place: int | None, right: NDArray[np.bool_]) -> float | None:
    if place is None or not right[place] or not np.isfinite(values[place]):
        return None
    return float(values[place])


def outlined(dataset: Dataset) -> bool:
    """Whether the data set brings outlines of tumour nuclei, for every patch."""
    return not dataset.patches.filter(tumour_mask="").exists()


def correlations(before: Maps, after: Maps) -> NDArray[np.float64]:
    """Pearson's correlation of each map with the other, both smoothed, (n,); NaN for one that is the same all over."""
    flat = []
    for maps in (before, after):
        smooth = gaussian_filter(maps.astype(np.float64), (0, BLUR, BLUR))
        flat.append(smooth.reshape(len(maps), -1) - smooth.mean((1, 2))[:, None])
    lengths = np.linalg.norm(flat[0], axis=1) * np.linalg.norm(flat[1], axis=1)
    return np.divide((flat[0] * flat[1]).sum(1), lengths, out=np.full(len(before), np.nan), where=lengths > 0)


def coarse_share(maps: Maps) -> NDArray[np.float64]:
    """Share of each map's variation (its power without the mean) at wavelengths above ``COARSE`` pixels, (n,)."""
    centred = maps - maps.mean((1, 2), keepdims=True, dtype=np.float64)
    power = np.abs(np.fft.fft2(centred)) ** 2
    height, width = maps.shape[1:]
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])
    total = power.sum((1, 2))
    coarse = power[:, frequency < 1 / COARSE].sum(1)
    return np.divide(coarse, total, out=np.full(len(maps), np.nan), where=total > 0)


def both_right(answers: dict[str, Any], patches: Sequence[Patch]) -> list[Patch]:
    """Those that both classifiers of a comparison get right."""
    truth = np.array([patch.tumour for patch in patches], dtype=bool)
    right = [(np.array(answers[side]["p_tumour"]) >= 0.5) == truth for side in SIDES]
    return [patch for patch, fine in zip(patches, right[0] & right[1]) if fine]
