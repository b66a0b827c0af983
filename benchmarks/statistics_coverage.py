"""How often do the intervals cover the truth, and how often is a claim false? By simulation, JSON on stdout.

    python benchmarks/statistics_coverage.py [--replications 2000] [--seed 1]

One reader and five, 20 patches, two sets; nominal 95 % coverage, and 2.5 % false claims of non-inferiority when the
truth lies on the margin. An answer is right when a normal score exceeds a threshold; the score's variance is shared
out between reader, patch, arm and noise. `alike`: every reading independent; `mixed` and `strong`: patches differ in
difficulty and in what the perturbation does to them. One reader is the reader of interest: only patches and noise vary.
"""

import argparse
import json
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
from scipy import stats
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from study.statistics.clustered import Clusters
from study.statistics.primary import one_reader, several_readers

PATCHES, SETS, MARGIN, LEVEL = 20, 2, 0.10, 0.95
SHARES = {
    "alike": {},
    "mixed": {"reader": 0.05, "patch": 0.30, "reader_patch": 0.10, "arm_reader": 0.02, "arm_patch": 0.05, "all": 0.08},
    "strong": {"reader": 0.05, "patch": 0.40, "reader_patch": 0.10, "arm_reader": 0.05, "arm_patch": 0.20, "all": 0.10},
}
TRUTHS = ((0.90, 0.0), (0.98, 0.0), (0.90, -MARGIN), (0.95, -MARGIN))  # TPF on originals, true change


def draw(rng: np.random.Generator, readers: int, tpf: float, change: float, shares: dict[str, float]) -> np.ndarray:
    """Correctness (2 arms, sets, readers, patches)."""
    shares = {k: v for k, v in shares.items() if readers > 1 or k not in ("reader", "arm_reader")}
    noise = 1 - sum(shares.values())

    def part(name: str, *shape: int) -> np.ndarray:
        return np.sqrt(shares.get(name, 0.0)) * rng.standard_normal(shape)

    n = PATCHES
    common = part("reader", readers, 1) + part("patch", 1, n) + part("reader_patch", readers, n)
    arms = []
    for p in (tpf, tpf + change):
        score = common + part("arm_reader", readers, 1) + part("arm_patch", 1, n) + part("all", readers, n)
        score = score + np.sqrt(noise) * rng.standard_normal((SETS, readers, n))
        arms.append(score > -stats.norm.ppf(p))
    return np.array(arms)


def clusters_of(correct: np.ndarray) -> Clusters:
    original, perturbed = (arm.reshape(-1, PATCHES) for arm in correct)
    cells = (original & perturbed, original & ~perturbed, ~original & perturbed, ~original & ~perturbed)
    return Clusters(*(cell.sum(axis=0) for cell in cells))


def cell(readers: int, shares: dict[str, float], tpf: float, change: float, replications: int, seed: int) -> dict:
    rng = np.random.default_rng(seed)
    counts = dict.fromkeys(("covered", "non_inferior", "equivalent", "different", "covered_crossed"), 0)
    width = 0.0
    for _ in range(replications):
        correct = draw(rng, readers, tpf, change, shares)
        clusters = clusters_of(correct)
        if readers == 1:
            primary, crossed = one_reader(clusters, MARGIN, LEVEL), None
        else:
            primary, crossed, _ = several_readers(correct.mean(axis=1), clusters, MARGIN, LEVEL)
        low, high = primary.ci
        counts["covered"] += low <= change <= high
        counts["non_inferior"] += low > -MARGIN
        counts["equivalent"] += low > -MARGIN and high < MARGIN
        counts["different"] += low > 0 or high < 0
        if crossed is not None:
            counts["covered_crossed"] += crossed.ci95[0] <= change <= crossed.ci95[1]
        width += high - low
    found = {name: round(count / replications, 4) for name, count in counts.items()}
    if readers == 1:
        del found["covered_crossed"]
    on_margin = change <= -MARGIN
    return {
        "tpf_original": tpf,
        "true_change": change,
        "coverage": found.pop("covered"),
        **({"coverage_crossed": found.pop("covered_crossed")} if readers > 1 else {}),
        "false_claim": found["non_inferior"] if on_margin else None,
        "false_equivalent": found["equivalent"] if on_margin else None,
        "false_different": None if change else found["different"],
        "mean_width": round(width / replications, 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    started = time.perf_counter()
    jobs = [(readers, name, truth) for readers in (1, 5) for name in SHARES for truth in TRUTHS]
    run = partial(cell, replications=options.replications, seed=options.seed)
    cells = [
        {"readers": readers, "patches_differ": name, **run(readers, SHARES[name], *truth)}
        for readers, name, truth in tqdm(jobs, file=sys.stderr)
    ]
    error = (0.025 * 0.975 / options.replications) ** 0.5
    document = {
        "patches": PATCHES,
        "sets": SETS,
        "margin": MARGIN,
        "nominal_coverage": LEVEL,
        "nominal_false_claim": round((1 - LEVEL) / 2, 4),
        "replications": options.replications,
        "standard_error_of_2.5_percent": round(error, 4),
        "seed": options.seed,
        "seconds": round(time.perf_counter() - started, 1),
        "cells": cells,
    }
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
