"""What the paper's own design could have shown, computed from the margins of its Table 1b.

Foote et al. published, of one pathologist who read 20 patches in two arms and two sets, only how many were right in
each of the four readings. Which patches were wrong together is unknown: all joint patterns that have these margins are
gone through here, and what can be said is what holds for every one of them.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import product
from typing import Any

import numpy as np

from core.published import SOURCE, TABLE_1B
from study.design.crossed import Components, SimulatedStudies
from study.statistics.clustered import Clusters, effective, sign_flip
from study.statistics.paired import Paired, mcnemar_exact
from study.statistics.rule import judge

STUDIES = 20_000
SEED = 2021
DROP = 0.10


def joint_patterns(wrong: Sequence[int], patches: int) -> Iterator[np.ndarray]:
    """Every way in which readings of the same patches can be wrong together, patches being exchangeable.

    Args:
        wrong: (readings,) number of wrong answers in each reading.
        patches: number of patches.

    Yields:
        Booleans (patches, readings), True for correct; each multiset of rows with these column sums once.
    """
    subsets = [subset for subset in product((0, 1), repeat=len(wrong)) if any(subset)]

    def fill(number: int, left: tuple[int, ...], room: int) -> Iterator[list[tuple[int, ...]]]:
        if number == len(subsets):
            if not any(left):
                yield []
            return
        subset = subsets[number]
        most = min(room, *(w for w, member in zip(left, subset, strict=True) if member))
        for count in range(most + 1):
            rest = tuple(w - count * member for w, member in zip(left, subset, strict=True))
            for others in fill(number + 1, rest, room - count):
                yield [subset] * count + others

    for rows in fill(0, tuple(wrong), patches):
        mistakes = np.zeros((patches, len(wrong)), dtype=bool)
        if rows:
            mistakes[: len(rows)] = rows
        yield ~mistakes


@cache
def paper_design() -> dict[str, Any]:
    """The published design judged by our own methods. Fractions; ranges are [least, most] over the joint patterns."""
    rows: list[dict[str, Any]] = TABLE_1B
    patches, sets = rows[0]["original"]["n"], len(rows)
    tp = [row[arm]["tp"] for row in rows for arm in ("original", "perturbed")]
    p_values: dict[str, list[float]] = {"per_set": [], "pooled": [], "sign_flip": []}
    scores: list[np.ndarray] = []
    tango_margins: dict[str, list[float]] = {"ci90": [], "ci95": []}
    number = 0
    for correct in joint_patterns([patches - right for right in tp], patches):
        number += 1
        original, perturbed = correct[:, 0::2], correct[:, 1::2]  # (patches, sets)
        clusters = Clusters.count(original.ravel(), perturbed.ravel(), np.repeat(np.arange(patches), sets))
        for s in range(sets):
            table = Paired.count(original[:, s], perturbed[:, s])
            p_values["per_set"].append(mcnemar_exact(int(table.b), int(table.c)))
        pooled = clusters.pooled
        p_values["pooled"].append(mcnemar_exact(int(pooled.b), int(pooled.c)))
        p_values["sign_flip"].append(sign_flip(clusters.differences).p)
        scores.append(np.stack([original.mean(axis=1), perturbed.mean(axis=1)])[:, None])
        for name, level in (("ci90", 0.90), ("ci95", 0.95)):
            tango_margins[name].append(float(np.abs(effective(clusters).tango(level)).max()))
    tpf = sum(tp[0::2]) / (patches * sets)
    rule = judge(np.array(scores)).margin
    margins = {
        name: [float(value) for value in np.abs(rule.limits(level)).max(axis=0)]
        for name, level in (("ci90", 0.90), ("ci95", 0.95))
    }
    quiet = judge(np.ones((2, 1, patches))).margin
    return {
        "source": SOURCE,
        "patches": patches,
        "sets": sets,
        "true_positives": tp,
        "joint_patterns": number,
        "mcnemar_exact_p": {"per_set": _range(p_values["per_set"]), "pooled": _range(p_values["pooled"])},
        "signflip_p": _range(p_values["sign_flip"]),
        "smallest_claimable_margin": {name: _range(values) for name, values in margins.items()},
        "smallest_margin_by_tango": {name: _range(values) for name, values in tango_margins.items()},
        "one_reading_without_discordance": {
            "patches": patches,
            "ci90": quiet.interval(0.90)[1],
            "ci95": quiet.interval(0.95)[1],
        },
        "power_of_a_drop": _power_of_a_drop(patches, sets, tpf),
    }


def _range(values: list[float]) -> list[float]:
    return [float(min(values)), float(max(values))]


def _power_of_a_drop(patches: int, sets: int, tpf: float) -> dict[str, Any]:
    """Power of the sign-flip test at 5 % (two-sided) to see a drop of ten points, by the spread between patches."""
    assumed = {"typical": Components(), "none": Components(0, 0, 0, 0, 0), "wide": Components(patch=1.5, patch_arm=0.5)}
    powers = {}
    for name, components in assumed.items():
        studies = SimulatedStudies(
            patches=patches,
            readers=1,
            sets=sets,
            tpf=tpf,
            difference=-DROP,
            components=components,
            studies=STUDIES,
            seed=SEED,
        )
        powers[name] = studies.claims(patches, margin=DROP, alpha=0.025)
    typical = powers["typical"]
    return {
        "readers": 1,
        "patches": patches,
        "sets": sets,
        "tpf": tpf,
        "difference": -DROP,
        "test": "exact sign-flip test of the patches' differences, two-sided 5 %",
        "power": typical.different,
        "power_by_spread_between_patches": {name: claims.different for name, claims in powers.items()},
        "monte_carlo_error": typical.error(typical.different),
        "studies": STUDIES,
        "seed": SEED,
    }
