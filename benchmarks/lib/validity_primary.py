"""The primary verdict under simulation: how often it claims what is not so, covers the truth, and finds what is so.

A reader is right when a normal score exceeds a threshold; the score's variance is shared out between reader, patch, arm
and noise. The thresholds make the fraction correct over readers and patches the one asked for.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats

from study.design.crossed import judge_studies
from study.statistics.rule import judge

MARGIN, ALPHA, SETS = 0.10, 0.025, 2
SHARES: dict[str, dict[str, float]] = {
    "alike": {},
    "moderate": {
        "reader": 0.05,
        "patch": 0.30,
        "reader_patch": 0.10,
        "arm_reader": 0.02,
        "arm_patch": 0.05,
        "all": 0.08,
    },
    "spread": {"reader": 0.05, "patch": 0.55, "reader_patch": 0.10, "arm_reader": 0.02, "arm_patch": 0.08, "all": 0.05},
    "strong": {"reader": 0.05, "patch": 0.40, "reader_patch": 0.10, "arm_reader": 0.05, "arm_patch": 0.20, "all": 0.10},
    "mixture": {},
    "unequal readers": {"reader": 0.15, "patch": 0.35, "reader_patch": 0.05, "arm_reader": 0.06, "arm_patch": 0.05},
}
"""Shares of the score's variance: of reader, patch and their pairing, each also by arm ("all": of all three).

``alike``: every answer independent. ``mixture``: answers are independent, and the change consists of patches that are
lost to every reader. ``unequal readers``: a fifth of the variance lies between readers.
"""
TPFS = (0.90, 0.95, 0.98)
READERS, PATCHES = (1, 3, 5), (20, 40, 80)


@dataclass(frozen=True)
class Setting:
    """One cell: ``slides`` None where every patch is from a slide of its own; ``slide_sd`` in logits, by arm.

    ``largest`` is the number of patches of the largest slide, where one outweighs the others; else all are equal.
    """

    readers: int
    patches: int
    tpf: float
    change: float
    scenario: str
    slides: int | None = None
    slide_sd: float = 0.0
    largest: int | None = None

    @property
    def unit(self) -> np.ndarray | None:
        """(patches,): the slide of each patch."""
        if self.slides is None:
            return None
        if self.largest is None:
            return np.arange(self.patches) % self.slides
        others = np.arange(self.patches - self.largest) % (self.slides - 1) + 1
        return np.r_[np.zeros(self.largest, int), others]


def draw(rng: np.random.Generator, setting: Setting, studies: int) -> np.ndarray:
    """Correctness (studies, 2 arms, readers, patches, sets)."""
    r, n = setting.readers, setting.patches
    shares = {k: v for k, v in SHARES[setting.scenario].items() if r > 1 or k not in ("reader", "arm_reader")}

    def part(name: str, *shape: int) -> np.ndarray | float:
        share = shares.get(name, 0.0)
        return share**0.5 * rng.standard_normal((studies, *shape), dtype=np.float32) if share else 0.0

    lost = None
    fractions = [setting.tpf, setting.tpf + setting.change]
    if setting.scenario == "mixture" and setting.change:
        lost = rng.random((studies, 1, n, 1)) < -setting.change / setting.tpf
        fractions = [setting.tpf] * 2
    common = part("reader", r, 1, 1) + part("patch", 1, n, 1) + part("reader_patch", r, n, 1)
    arms = []
    for number, fraction in enumerate(fractions):
        score = common + part("arm_reader", r, 1, 1) + part("arm_patch", 1, n, 1) + part("all", r, n, 1)
        scale = 1.0
        if setting.slides and number:
            sd = setting.slide_sd / 1.7  # a logit is 1.7 probits
            slide = sd * rng.standard_normal((studies, 1, setting.slides, 1), dtype=np.float32)
            score = score + slide[:, :, setting.unit]
            scale = (1 + sd**2) ** 0.5
        noise = (1 - sum(shares.values())) ** 0.5
        score = score + noise * rng.standard_normal((studies, r, n, SETS), dtype=np.float32)
        arms.append(score > -stats.norm.ppf(fraction) * scale)
    if lost is not None:
        arms[1] = arms[1] & ~lost
    return np.stack(arms, axis=1)


def cell(setting: Setting, replications: int, seed: int) -> dict:
    """Rates of one setting, each with its Monte Carlo error. ``false_claim`` where the truth lies on the margin."""
    rng = np.random.default_rng([seed, *repr(setting).encode()])
    counts = np.zeros(4)
    for first in range(0, replications, 500):
        correct = draw(rng, setting, min(500, replications - first))
        unit = setting.unit
        found, above, both = judge_studies(correct, unit, MARGIN, ALPHA)
        rule = judge(correct.mean(axis=4), unit).margin
        covered = ~rule.above(setting.change, ALPHA) & ~rule.below(setting.change, ALPHA)
        counts += [found.sum(), above.sum(), both.sum(), covered.sum()]
    different, non_inferior, equivalent, coverage = counts / replications
    rates = {"coverage": coverage}
    if setting.change <= -MARGIN:
        rates |= {"false_claim": non_inferior, "power_different": different}
    else:
        rates |= {"false_different": different, "power_non_inferior": non_inferior, "power_equivalent": equivalent}
    row = {
        "readers": setting.readers,
        "patches": setting.patches,
        "slides": setting.slides,
        "slide_sd": setting.slide_sd,
        "largest_slide": setting.largest,
        "tpf": setting.tpf,
        "change": setting.change,
        "scenario": setting.scenario,
    }
    for name, rate in rates.items():
        row[name] = round(float(rate), 4)
        row[f"{name}_error"] = round(float((rate * (1 - rate) / replications) ** 0.5), 4)
    return row


def settings(quick: bool) -> Iterator[Setting]:
    """The table: the truth on the margin everywhere, no change for coverage and power."""
    for readers in READERS:
        for patches in PATCHES:
            for scenario in SHARES:
                if readers == 1 and scenario == "unequal readers":
                    continue
                for tpf in TPFS:
                    yield Setting(readers, patches, tpf, -MARGIN, scenario)
                    if not quick or tpf != 0.95:
                        yield Setting(readers, patches, tpf, 0.0, scenario)
    for readers in (1, 5):
        for patches, slides in ((40, 5), (40, 10), (40, 20), (80, 10), (80, 20)):
            for slide_sd in (0.45, 0.90):
                for change in (-MARGIN, 0.0):
                    yield Setting(readers, patches, 0.90, change, "moderate", slides, slide_sd)
        for slides, largest in ((12, 30), (18, 30), (16, 20)):
            for change in (-MARGIN, 0.0):
                yield Setting(readers, 80, 0.90, change, "moderate", slides, 0.90, largest)


def summary(rows: list[dict]) -> list[dict]:
    """The worst of each size: false claims, false differences, coverage, and the power where nothing changed."""
    found = []
    for readers, patches, slides in sorted({(r["readers"], r["patches"], r["slides"] or 0) for r in rows}):
        part = [r for r in rows if (r["readers"], r["patches"], r["slides"] or 0) == (readers, patches, slides)]
        usual = [r for r in part if r["scenario"] != "unequal readers"]
        worst = max((r for r in usual if "false_claim" in r), key=lambda r: r["false_claim"])
        quiet = [r for r in usual if "false_different" in r]
        found.append(
            {
                "readers": readers,
                "patches": patches,
                "slides": slides or None,
                "worst_false_claim": worst["false_claim"],
                "error": worst["false_claim_error"],
                "where": f"{worst['scenario']}, TPF {worst['tpf']:g}",
                "unequal_readers": max(
                    (r["false_claim"] for r in part if r not in usual and "false_claim" in r), default=None
                ),
                "worst_false_different": max(r["false_different"] for r in quiet),
                "least_coverage": min(r["coverage"] for r in usual),
                "power_equivalent_at_0.90": {r["scenario"]: r["power_equivalent"] for r in quiet if r["tpf"] == 0.90},
            }
        )
    return found
