"""How often do the intervals and tests of ``study.statistics.order`` keep their rates? Vectorised simulation.

Readers x patches x 2 sets under two schedules: ``paper`` (both arms of a patch in every set) and ``twin-split`` (one
arm per set, crossed over). A share of second meetings is recognised and answered as before. An answer is right when a
normal score exceeds a threshold; its variance is shared out between reader, patch, slide, arm and noise.
"""

from collections import Counter
from collections.abc import Iterable

import numpy as np
from scipy import stats

from study.statistics.effects import readers_and_units
from study.statistics.order import PER_IMAGES, Cells, slopes

SETS = 2
AT_ONCE = 1000
SHARES = {
    "alike": {},
    "moderate": {"reader": 0.05, "patch": 0.30, "reader_patch": 0.10, "arm_reader": 0.02, "arm_patch": 0.05},
    "strong": {"reader": 0.05, "patch": 0.40, "reader_patch": 0.10, "arm_reader": 0.05, "arm_patch": 0.20},
    "slides": {"reader": 0.05, "patch": 0.15, "slide": 0.15, "reader_patch": 0.10, "arm_slide": 0.20},
}
SHARES["readers"] = SHARES["moderate"] | {"arm_reader": 0.15}
DRIFTS = (0.0, -0.10)
"""Change of the fraction correct per 100 images."""
DESIGNS = ((1, 20, 20), (1, 40, 10), (2, 40, 40), (5, 20, 20), (5, 40, 40), (5, 40, 10), (5, 80, 80))
"""Readers, patches, slides."""
TRUTHS = ((0.90, 0.0), (0.90, -0.10), (0.98, 0.0))
RECOGNISED = (0.0, 0.50)
CONTRASTS = {
    "first_exposure": ((-1, 1, 0, 0, 0, 0, 0, 0), True),
    "all_answers": ((0, 0, -1, 1, 0, 0, 0, 0), True),
    "first_less_all": ((-1, 1, 1, -1, 0, 0, 0, 0), False),
    "carry_over": ((0, 0, 0, 0, -1, -1, 1, 1), False),
    "period": ((0, 0, 0, 0, -0.5, 0.5, 0.5, -0.5), False),
}


def _scores(
    rng: np.random.Generator, studies: int, design: tuple[int, int, int], shares: dict[str, float]
) -> tuple[np.ndarray, np.ndarray]:
    """What is kept over readings (studies, readers, patches, arms), and the noise of each (..., sets).

    The spread over readers is left out for one reader, who is the reader of interest.
    """
    readers, patches, slides = design
    if readers == 1:
        shares = {name: share for name, share in shares.items() if name not in ("reader", "arm_reader")}
    slide = np.arange(patches) % slides

    def part(name: str, *shape: int) -> np.ndarray:
        return np.sqrt(shares.get(name, 0.0)) * rng.standard_normal((studies, *shape))

    score = part("reader", readers, 1, 1) + part("patch", 1, patches, 1) + part("reader_patch", readers, patches, 1)
    score = score + part("arm_reader", readers, 1, 2) + part("arm_patch", 1, patches, 2)
    score = score + (part("slide", 1, slides, 1) + part("arm_slide", 1, slides, 2))[:, :, slide]
    noise = np.sqrt(1 - sum(shares.values())) * rng.standard_normal((studies, readers, patches, 2, SETS))
    return score, noise


def draw(
    rng: np.random.Generator, studies: int, design: tuple[int, int, int], truth: tuple[float, float],
    shares: dict[str, float], recognised: float, schedule: str,
) -> Cells:  # fmt: skip
    """Cells of ``studies`` studies: first O, P; all O, P; original first O, P; perturbed first O, P."""
    readers, patches, slides = design
    score, noise = _scores(rng, studies, design, shares)
    threshold = stats.norm.ppf([truth[0], truth[0] + truth[1]])[:, None]
    right = score[..., None] + noise > -threshold  # (studies, readers, patches, arms, sets)

    # Half of each reader's patches are met original first, in random order.
    original_first = rng.random((studies, readers, patches)).argsort(axis=-1) < patches // 2
    known = rng.random((studies, readers, patches, SETS)) < recognised
    meetings = 1 if schedule == "twin-split" else SETS
    right = right[..., :meetings]
    for number in range(meetings):
        first = np.where(original_first, right[..., 0, number], right[..., 1, number])
        for arm, second in ((1, original_first), (0, ~original_first)):
            right[..., arm, number] = np.where(second & known[..., number], first, right[..., arm, number])

    o, p = original_first[..., None], ~original_first[..., None]
    n = np.concatenate([o, p, o | p, o | p, o, o, p, p], axis=-1).astype(float)
    n[..., 2:4] *= meetings
    arms = np.tile(right[..., 0], (1, 1, 1, 4))
    arms[..., 2:4] = False
    right_sums = arms * n
    right_sums[..., 2:4] = right.sum(axis=-1)
    slide = np.arange(patches) % slides
    return Cells(_over_slides(n, slide, slides), _over_slides(right_sums, slide, slides))


def _over_slides(values: np.ndarray, slide: np.ndarray, slides: int) -> np.ndarray:
    """(studies, readers, patches, cells) to sums (studies, slides, readers, cells)."""
    return np.einsum("srpc,pg->sgrc", values, (slide[:, None] == np.arange(slides)).astype(float))


def judged(cells: Cells, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Low and high end of the 95 % interval, per study; as ``Cells.contrast`` does for one."""
    weights, padded = np.array(CONTRASTS[name][0], float), CONTRASTS[name][1]
    estimates, left = cells.means(weights)
    if not padded:
        centre, half = estimates.mean(axis=-1), readers_and_units(estimates, left, cells.n.shape[-3]).half_width()
    else:
        shrunk, left = cells.padded(weights != 0).means(weights)
        centre, half = shrunk.mean(axis=-1), _over_readers(estimates, left, cells.n.shape[-3])
    return centre - half, centre + half


def _over_readers(estimates: np.ndarray, left: np.ndarray, units: int) -> np.ndarray:
    """The half width of ``two_way.over_readers`` for many studies at once, with units of equal size."""
    r, g = left.shape[-1], left.shape[-2]
    centred = left - left.mean(axis=-2, keepdims=True)
    s = (g - 1) / g * np.swapaxes(centred, -1, -2) @ centred
    over_units = s.mean(axis=(-1, -2)) * stats.t.ppf(0.975, units - 1) ** 2
    if r == 1:
        return np.sqrt(over_units)
    common = np.maximum((s.sum(axis=(-1, -2)) - np.trace(s, axis1=-2, axis2=-1)) / (r * (r - 1)), 0.0)
    both = stats.t.ppf(0.975, r - 1) ** 2 * estimates.var(axis=-1, ddof=1) / r
    both = both + stats.t.ppf(0.975, units - 1) ** 2 * common
    return np.sqrt(np.maximum(over_units, both))


def cells(replications: int, seed: int) -> list[dict]:
    """One entry per schedule, design, spread, truth and share recognised, each rate with its Monte Carlo error.

    ``covered``: the first-exposure interval holds the true change. ``covered_all``: the interval of all answers does.
    ``disagree``, ``carry_over``, ``period``: how often each is announced (false where nothing is recognised).
    """
    rng = np.random.default_rng(seed)
    found = []
    for schedule in ("paper", "twin-split"):
        for design in DESIGNS:
            for name, shares in SHARES.items():
                if (name == "slides") != (design[1] != design[2]):
                    continue
                for truth in TRUTHS:
                    for recognised in RECOGNISED if truth[1] else RECOGNISED[:1]:
                        hits = _added(
                            _hits(draw(rng, part, design, truth, shares, recognised, schedule), truth[1])
                            for part in _parts(replications)
                        )
                        found.append(
                            dict(zip(("readers", "patches", "slides"), design))
                            | {"schedule": schedule, "spread": name, "tpf_original": truth[0], "true_change": truth[1]}
                            | {"recognised": recognised}
                            | _rates(hits, replications)
                        )
    return found


def _parts(replications: int) -> list[int]:
    """So many studies at a time, to keep memory flat."""
    return [min(AT_ONCE, replications - done) for done in range(0, replications, AT_ONCE)]


def _added(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for part in counts:
        total.update(part)
    return dict(total)


def _hits(study: Cells, change: float) -> dict[str, int]:
    """In how many studies the change is covered, and order effects are announced."""
    hits = {}
    for name, key in (("first_exposure", "covered"), ("all_answers", "covered_all")):
        low, high = judged(study, name)
        hits[key] = int(np.sum((low <= change) & (change <= high)))
    for name, key in (("first_less_all", "disagree"), ("carry_over", "carry_over"), ("period", "period")):
        low, high = judged(study, name)
        hits[key] = int(np.sum((high > low) & ((low > 0) | (high < 0))))
    return hits


def _rates(hits: dict[str, int], replications: int) -> dict[str, float]:
    """Shares of the studies, with their errors."""
    rates = {key: count / replications for key, count in hits.items()}
    errors = {f"{key}_error": _error(rate, replications) for key, rate in rates.items()}
    return {key: round(rate, 4) for key, rate in rates.items()} | errors


def _error(rate: float, replications: int) -> float:
    """Monte Carlo standard error."""
    return round(float(np.sqrt(rate * (1 - rate) / replications)), 4)


def course_cells(replications: int, seed: int) -> list[dict]:
    """How often the 95 % intervals of the slopes along a set cover the planted drift, under the schedule ``paper``.

    ``original``: the slope in one arm; ``difference``: that of the difference between the arms, which is zero.
    """
    rng = np.random.default_rng(seed)
    found = []
    for design in DESIGNS:
        for name, shares in SHARES.items():
            if (name == "slides") != (design[1] != design[2]):
                continue
            for drift in DRIFTS:
                hits = _added(
                    _course_hits(_draw_course(rng, part, design, shares, drift), drift) for part in _parts(replications)
                )
                named = dict(zip(("readers", "patches", "slides"), design)) | {"spread": name, "drift": drift}
                found.append(named | _rates(hits, replications))
    return found


def _course_hits(sums: np.ndarray, drift: float) -> dict[str, int]:
    """In how many studies the slope of the original arm, and the difference of the arms' slopes, are covered."""
    total = sums.sum(axis=1, keepdims=True)
    whole, left = slopes(total)[:, 0], slopes(total - sums)  # (studies, r, 2), (studies, g, r, 2)
    hits = {}
    for key, weights, true in (("original", (1.0, 0.0), drift), ("difference", (-1.0, 1.0), 0.0)):
        estimates = whole @ np.array(weights)
        half = readers_and_units(estimates, left @ np.array(weights), sums.shape[1]).half_width()
        hits[key] = int(np.sum(np.abs(estimates.mean(axis=-1) - true) <= half))
    return hits


def _draw_course(
    rng: np.random.Generator, studies: int, design: tuple[int, int, int], shares: dict[str, float], drift: float
) -> np.ndarray:
    """Sums (studies, slides, readers, sets, arms, 5) of 1, x, y, xy, x^2 with x the position in hundreds."""
    score, noise = _scores(rng, studies, design, shares)
    readers, patches, slides = design
    places = rng.random((studies, readers, SETS, 2 * patches)).argsort(axis=-1) / PER_IMAGES
    x = np.moveaxis(places.reshape(studies, readers, SETS, patches, 2), 2, -1)
    right = score[..., None] + noise > -stats.norm.ppf(0.9 + drift * x)
    powers = np.stack([np.ones_like(x), x, right, x * right, x * x], axis=-1)
    powers = np.swapaxes(powers, -3, -2).reshape(studies, readers, patches, -1)
    sums = _over_slides(powers, np.arange(patches) % slides, slides)
    return sums.reshape(studies, slides, readers, SETS, 2, 5)
