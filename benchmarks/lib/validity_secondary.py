"""How often is a secondary result false? Simulated studies in which the truth is known; used by benchmarks/validity.py.

    cells(replications, seed) -> one dict per line of the table

Readers and patches (or slides) are drawn anew in every study, with effects of their own on every arm that are zero on
average; so whatever is found is false. ``former`` is the rate of the method used before, on the same studies: patches
or answers as the only units.
"""

from collections.abc import Iterator
from math import sqrt
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from study.design.crossed import judge_studies
from study.statistics.agreement import agreement
from study.statistics.detection import bang, bang_repeated, forced_choice, repeated_choice
from study.statistics.gee import gee
from study.statistics.psychometric import psychometric
from study.statistics.secondary import altered, negatives, times
from study.statistics.two_way import PerReader, means, over_readers, ratio

LOG_TIME_SD = 0.4  # of one reading; a reader's times vary by half
EFFECTS = {  # SD over readers and over patches (or slides) of what an arm does, in log time
    "none": (0.0, 0.0),
    "usual": (0.10, 0.10),
    "large": (0.20, 0.20),
}
LAYOUTS = {  # patches of each slide
    "20 patches": [1] * 20,
    "40 patches": [1] * 40,
    "40 of 20 slides": [2] * 20,
    "40 of 8 slides": [5] * 8,
    "40 of 12 unequal slides": [12, 6, 5, 4, 3, 2, 2, 2, 1, 1, 1, 1],
}


def cells(replications: int, seed: int) -> list[dict[str, Any]]:
    return [cell for part in (_times, _odds, _altered, _choice, _strength, _agreement, _curves, _controls)
            for cell in part(replications, seed)]  # fmt: skip


def _cell(name: str, what: str, nominal: float, hits: list[bool], former: list[bool] | None = None) -> dict[str, Any]:
    n = len(hits)
    rate = float(np.mean(hits)) if n else None
    return {
        "name": name,
        "what": what,
        "nominal": nominal,
        "rate": None if rate is None else round(rate, 4),
        "monte_carlo_error": round(sqrt(nominal * (1 - nominal) / n), 4) if n else None,
        "replications": n,
        "former": None if former is None else round(float(np.mean(former)), 4),
    }


def _excludes(interval: tuple[float, float] | None, value: float) -> bool:
    return interval is not None and not interval[0] <= value <= interval[1]


def _t_test(x: np.ndarray) -> bool:
    """Whether the one-sample t test finds a mean other than zero at 5 %."""
    spread = float(x.std(ddof=1))
    return spread > 1e-12 and abs(float(x.mean())) / spread * sqrt(len(x)) > stats.t.ppf(0.975, len(x) - 1)


# Response times


def _time_differences(rng: np.random.Generator, readers: int, slide: np.ndarray, effects) -> np.ndarray:
    """(readers, patches): log time perturbed less original of one set; half of the unit's effect is the patch's own."""
    by_reader, by_unit = effects
    patches, slides = len(slide), int(slide.max()) + 1
    shared = by_unit * rng.standard_normal(slides)[slide]
    if slides < patches:
        shared = sqrt(0.5) * (shared + by_unit * rng.standard_normal(patches))
    noise = sqrt(2) * LOG_TIME_SD * rng.standard_normal((readers, patches))
    return by_reader * rng.standard_normal((readers, 1)) * (readers > 1) + shared + noise


def _times(replications: int, seed: int) -> Iterator[dict[str, Any]]:
    """p of the response time, on differences of log times."""
    for readers in (1, 2, 3, 5):
        for layout, sizes in LAYOUTS.items():
            slide = np.repeat(np.arange(len(sizes)), sizes)
            member = (slide[:, None] == np.arange(len(sizes))).astype(float)  # (patches, slides)
            count = np.tile(member.sum(axis=0), (readers, 1))
            for name, effects in EFFECTS.items():
                rng = np.random.default_rng(seed)
                false, former = [], []
                for _ in range(replications):
                    d = _time_differences(rng, readers, slide, effects)
                    found = over_readers(PerReader(*ratio(d @ member, count), count.sum(axis=0)))
                    false.append(_excludes(found.ci95, 0.0))
                    by_patch = d.mean(axis=0)
                    former.append(_t_test(by_patch))
                title = f"response time, {_readers(readers)}, {layout}, effects {name}"
                yield _cell(title, "false difference", 0.05, false, former)
    yield _crossover_times(max(replications // 8, 20), seed)


def _crossover_times(replications: int, seed: int) -> dict[str, Any]:
    """The whole path from a table: 5 readers x 40 patches, twins in different sets, readers a third faster in set 2."""
    readers, patches = 5, 40
    rng = np.random.default_rng(seed)
    reader, patch, arm = (axis.ravel() for axis in np.indices((readers, patches, 2)))
    number = 1 + (patch + reader + arm) % 2
    frame = pd.DataFrame({"reader_id": reader, "patch_id": patch, "arm": np.where(arm, "perturbed", "original")})
    frame = frame.assign(set=number, label=1.0)
    false = []
    for _ in range(replications):
        by_reader, by_patch = 0.1 * rng.standard_normal(readers), 0.1 * rng.standard_normal(patches)
        log_ms = 8 - 0.4 * (number == 2) + 0.3 * rng.standard_normal(patches)[patch]
        log_ms = log_ms + arm * (by_reader[reader] + by_patch[patch]) + LOG_TIME_SD * rng.standard_normal(len(arm))
        found = times(frame.assign(rt_ms=np.exp(log_ms)), [])
        false.append(found is not None and _excludes(found.ci95, 1.0))
    title = "response time, 5 readers, 40 patches, twins in different sets, learning"
    return _cell(title, "false difference", 0.05, false)


# Answers: right or wrong, altered or not


def _answers(rng, readers: int, patches: int, slides: int, sets: int, share: float, sd: dict[str, float]) -> np.ndarray:
    """(2 arms, sets, readers, patches) of 0/1: a normal score above a cut. Over all readers and patches ``share`` say 1
    in either arm; ``sd`` (reading to reading: 1) of reader, patch, reader_arm and unit_arm."""
    slide = np.arange(patches) % slides

    def part(name: str, *shape: int) -> np.ndarray:
        return sd.get(name, 0.0) * rng.standard_normal(shape)

    many = float(readers > 1)  # one reader is the reader of interest
    score = many * part("reader", readers, 1) + part("patch", patches)
    arms = [
        score + many * part("reader_arm", readers, 1) + part("unit_arm", slides)[slide]
        + rng.standard_normal((sets, readers, patches))
        for _ in range(2)
    ]  # fmt: skip
    total = 1 + sd.get("patch", 0.0) ** 2 + sd.get("unit_arm", 0.0) ** 2
    total += many * (sd.get("reader", 0.0) ** 2 + sd.get("reader_arm", 0.0) ** 2)
    return (np.array(arms) > -sqrt(total) * stats.norm.ppf(share)).astype(float)


def _axes(shape: tuple[int, ...], slides: int) -> dict[str, np.ndarray]:
    """Per answer of :func:`_answers`, flattened: arm, set, reader, patch, unit."""
    arm, number, reader, patch = (axis.ravel() for axis in np.indices(shape))
    return {"arm": arm, "set": number, "reader": reader, "patch": patch, "unit": patch % slides}


def _odds(replications: int, seed: int) -> Iterator[dict[str, Any]]:
    sd = {"reader": 0.3, "patch": 0.7, "reader_arm": 0.25, "unit_arm": 0.4}
    replications = max(replications // 2, 20)
    for readers, patches, slides in ((1, 40, 40), (2, 40, 40), (3, 40, 40), (5, 20, 20), (5, 40, 40), (5, 40, 8)):
        at = _axes((2, 2, readers, patches), slides)
        rng = np.random.default_rng(seed)
        false, former = [], []
        for _ in range(replications):
            y = _answers(rng, readers, patches, slides, 2, 0.85, sd).ravel()
            found, on_patches = gee(y, at["arm"], at["unit"], at["reader"]), gee(y, at["arm"], at["patch"])
            false.append(found is not None and found.p < 0.05)
            former.append(on_patches is not None and on_patches.p < 0.05)
        title = f"odds ratio (GEE), {_readers(readers)}, {patches} patches of {slides} slides"
        yield _cell(title, "false difference", 0.05, false, former)


def _altered(replications: int, seed: int) -> Iterator[dict[str, Any]]:
    """`Was this image altered?` asked of readers who see nothing, of whom some say yes more readily than others."""
    replications = max(replications // 4, 20)
    for readers, habit, share in ((5, 0.5, 0.5), (5, 1.0, 0.5), (5, 0.5, 0.25), (3, 0.5, 0.5), (2, 0.5, 0.5)):
        sd = {"reader": habit, "patch": 0.4, "reader_arm": 0.1, "unit_arm": 0.2}
        patches = 40
        at = _axes((2, 2, readers, patches), patches)
        frame = pd.DataFrame({"reader_id": at["reader"].astype(str), "patch_id": at["patch"].astype(str)})
        frame["arm"] = np.where(at["arm"], "perturbed", "original")
        right_if = at["arm"] == 1
        rng = np.random.default_rng(seed)
        covered, former, false = [], [], []
        for _ in range(replications):
            said = _answers(rng, readers, patches, patches, 2, share, sd).ravel()
            y, who, unit = said[right_if], at["reader"][right_if], at["unit"][right_if]
            truth = 2 * share - 1
            covered.append(not _excludes(bang_repeated(y, who, unit).ci95 or (-1, 1), truth))
            former.append(not _excludes(bang(int(y.sum()), int(len(y) - y.sum())).ci95, truth))
            found = altered(frame.assign(perturbed_response=said)) if len(false) < replications // 2 else None
            if found is not None:
                false.append(_excludes(found["sight"].ci95, 0.0))
        title = f"altered or not, {_readers(readers)}, yes-habit SD {habit:g}, {100 * share:g} % yes"
        yield _cell(f"{title}: Bang's index", "coverage", 0.95, covered, former)
        yield _cell(f"{title}: sight", "false sight", 0.05, false)


def _choice(replications: int, seed: int) -> Iterator[dict[str, Any]]:
    """Forced choice among pairs of which nobody sees which is altered, but prefers one of the two for good."""
    for sets, steady in ((1, 1.0), (2, 1.0), (4, 1.0), (4, 0.7)):
        for readers in (1, 5) if steady == 1 else (1,):
            rng = np.random.default_rng(seed)
            pairs, false, former, missed = 20, [], [], []
            unit, who = np.tile(np.arange(pairs), sets * readers), np.repeat(np.arange(readers), sets * pairs)
            for _ in range(replications):
                liked = rng.random((readers, 1, pairs)) < np.where(rng.random(pairs) < 0.5, 0.8, 0.2)
                kept = rng.random((readers, sets, pairs)) < steady
                right = np.where(kept, liked, rng.random((readers, sets, pairs)) < 0.5).astype(int).ravel()
                if readers == 1:
                    found = repeated_choice(right, unit)
                    false.append(found.exact_p <= 0.05)
                    former.append(forced_choice(int(right.sum()), len(right)).exact_p <= 0.05)
                    missed.append(found.upper95 < 0.5)
                else:
                    overall = over_readers(means(right, who, unit), null=0.5, bounds=(0, 1))
                    false.append(_excludes(overall.ci95, 0.5))
                    by_reader = right.reshape(readers, -1).mean(axis=1)
                    former.append(_t_test(by_reader - 0.5))
            title = f"forced choice, {_readers(readers)}, 20 pairs, {sets} set{'s' * (sets > 1)}, {steady:.0%} steady"
            yield _cell(title, "false sight (one-sided)" if readers == 1 else "false sight", 0.05, false, former)
            if readers == 1:
                yield _cell(f"{title}: upper bound", "false bound", 0.05, missed)


def _strength(replications: int, seed: int) -> Iterator[dict[str, Any]]:
    """Change of d' over readers, as many patches without tumour as with."""
    sd = {"reader": 0.3, "patch": 0.7, "reader_arm": 0.2, "unit_arm": 0.4}
    replications = max(replications // 8, 20)
    for readers, patches in ((2, 20), (5, 20), (5, 40)):
        at = _axes((2, 2, readers, patches), patches)
        frame = pd.DataFrame(
            {"reader_id": at["reader"].astype(str), "arm": np.where(at["arm"], "perturbed", "original")}
        )
        both = pd.concat(
            [frame.assign(patch_id=[f"{kind}{p}" for p in at["patch"]], truth=kind) for kind in (1, 0)],
            ignore_index=True,
        )
        rng = np.random.default_rng(seed)
        false, former = [], []
        for _ in range(replications):
            label = np.concatenate(
                [_answers(rng, readers, patches, patches, 2, share, sd).ravel() for share in (0.85, 0.15)]
            )
            found = negatives(both.assign(label=label))
            false.append(found is not None and _excludes(found["change"]["d_prime"].ci95, 0.0))
            per = {(row["reader"], row["arm"]): row["value"].d_prime for row in found["per_reader"]} if found else {}
            change = [per[str(r), "perturbed"] - per[str(r), "original"] for r in range(readers)]
            former.append(_t_test(np.array(change)))
        title = f"change of d', {_readers(readers)}, {patches} + {patches} patches"
        yield _cell(title, "false difference", 0.05, false, former)


def _agreement(replications: int, seed: int) -> Iterator[dict[str, Any]]:
    """A reader against the own earlier reading: 40 patches, two sets; readers and patches differ."""
    sd, patches = {"reader": 0.3, "patch": 0.7}, 40
    for readers in (1, 2, 5):
        rng = np.random.default_rng(seed)
        reader, patch = (axis.ravel() for axis in np.indices((readers, patches)))
        studies = [_answers(rng, readers, patches, patches, 2, 0.85, sd)[0].reshape(2, -1).T for _ in range(1000)]
        truth = agreement(np.concatenate(studies))
        share, chance_corrected = truth.percent_agreement or 0.0, truth.ac1 or 0.0
        covered, former, ac1, former_ac1 = [], [], [], []
        for ratings in studies[: max(replications // 10, 20)]:
            found, on_patches = agreement(ratings, patch, reader), agreement(ratings, patch)
            covered.append(not _excludes(found.wilson_ci95, share))
            former.append(not _excludes(agreement(ratings).wilson_ci95, share))
            ac1.append(not _excludes((found.bootstrap_ci95 or {})["ac1"], chance_corrected))
            former_ac1.append(not _excludes((on_patches.bootstrap_ci95 or {})["ac1"], chance_corrected))
        yield _cell(f"set against set, {_readers(readers)}: agreement", "coverage", 0.95, covered, former)
        yield _cell(f"set against set, {_readers(readers)}: AC1", "coverage", 0.95, ac1, former_ac1)


def _curves(replications: int, seed: int) -> Iterator[dict[str, Any]]:
    """Threshold of one reader: five budgets, 40 answers each; only intervals that are given count."""
    x = np.array([1.0, 2, 4, 8, 16])
    for lapse in (0.02, 0.08, 0.15, 0.25):
        rng = np.random.default_rng(seed)
        covered = []
        p = (1 - lapse) / (1 + (x / 4) ** 2)
        for _ in range(max(replications // 20, 10)):
            ci = psychometric(x, rng.binomial(40, p), np.full(5, 40), guess=0.0, rising=False).ci95
            if ci is not None:
                covered.append(ci[0] <= 4 <= ci[1])
        title = f"psychometric threshold, one reader, lapses {lapse:.0%}, where an interval is given"
        yield _cell(title, "coverage", 0.95, covered)


def _controls(replications: int, seed: int) -> Iterator[dict[str, Any]]:
    """Four arms against one original, judged by the verdict's rule: any false claim of non-inferiority, of a change.

    Where no arm's claim is true Holm claims something just when the smallest of the four p is at most alpha / 4. One
    reader, 80 patches, two sets, TPF .90; the score's variance lies .3 between patches and .05 between arms of a patch.
    """
    margin, patches, alpha, arms = 0.10, 80, 0.025, 4
    for what, drop in (("non-inferiority", margin), ("difference", 0.0)):
        rng = np.random.default_rng(seed)
        threshold = stats.norm.ppf(np.r_[0.9, np.full(arms, 0.9 - drop)])[:, None, None]
        score = sqrt(0.3) * rng.standard_normal((replications, 1, patches, 1), dtype=np.float32)
        score = score + sqrt(0.05) * rng.standard_normal((replications, 1 + arms, patches, 1), dtype=np.float32)
        noise = sqrt(0.65) * rng.standard_normal((replications, 1 + arms, patches, 2), dtype=np.float32)
        correct = (score + noise > -threshold)[:, :, None]

        def claimed(level: float, correct: np.ndarray = correct, drop: float = drop) -> np.ndarray:
            judged = [judge_studies(correct[:, [0, arm]], None, margin, level) for arm in range(1, arms + 1)]
            return np.any([above if drop else different for different, above, _ in judged], axis=0)

        yield _cell(
            f"four control arms, any false {what}", "any false claim", alpha if drop else 2 * alpha,
            claimed(alpha / arms).tolist(), claimed(alpha).tolist(),
        )  # fmt: skip


def _readers(number: int) -> str:
    return f"{number} reader{'s' * (number > 1)}"
