"""Response times: does a perturbed patch take longer?"""

from dataclasses import dataclass
from math import exp

import numpy as np
import pandas as pd
from scipy import stats

from core.proportions import Interval
from study.statistics.two_way import means, over_readers

ONE_READER = "paired t test of the log times over {}, for this reader alone"
SEVERAL_READERS = "log times, readers and {} random (modified large-sample interval)"


@dataclass(frozen=True)
class ResponseTime:
    """Ratio perturbed / original of geometric mean times, over readers and their patches."""

    ratio: float
    ci95: Interval | None
    p: float | None
    wilcoxon_p: float | None
    """Signed rank over units; one reader only, because it holds the readers fixed."""
    patches: int
    original_ms: float
    perturbed_ms: float
    readers: int = 1
    units: int = 0
    method: str = ""
    reason: str | None = None
    """Why there is no interval, where there is none."""


def response_time(
    original_ms: np.ndarray,
    perturbed_ms: np.ndarray,
    patch: np.ndarray,
    reader: np.ndarray | None = None,
    unit: np.ndarray | None = None,
) -> ResponseTime | None:
    """Paired readings (N,) of positive times, the patch of each and, if told, its reader and its unit.

    Differences of log times are averaged within reader and patch, then over a reader's patches, then over readers
    (:mod:`study.statistics.two_way`). The unit is the patch unless told. None without any pair.
    """
    if len(patch) == 0:
        return None
    pairs = pd.DataFrame({
        "reader": "" if reader is None else reader,
        "patch": patch,
        "unit": patch if unit is None else unit,
        "original": np.log(np.asarray(original_ms, float)),
        "perturbed": np.log(np.asarray(perturbed_ms, float)),
    })  # fmt: skip
    pairs["d"] = pairs["perturbed"] - pairs["original"]
    cells = pairs.groupby(["reader", "patch", "unit"], sort=True)[["original", "perturbed", "d"]].mean().reset_index()
    found = over_readers(means(cells["d"].to_numpy(), cells["reader"].to_numpy(), cells["unit"].to_numpy()))
    patches = int(cells["patch"].nunique())
    named = "patches" if found.units == patches else "slides"
    wilcoxon = None
    if found.readers == 1 and found.units > 1:
        d = cells.groupby("unit")["d"].mean().to_numpy()
        wilcoxon = float(stats.wilcoxon(d).pvalue) if np.any(np.abs(d) > 1e-12) else None
    by_reader = cells.groupby("reader")[["original", "perturbed"]].mean().mean()
    return ResponseTime(
        ratio=exp(found.mean),
        ci95=None if found.ci95 is None else (exp(found.ci95[0]), exp(found.ci95[1])),
        p=found.p,
        wilcoxon_p=wilcoxon,
        patches=patches,
        original_ms=exp(float(by_reader["original"])),
        perturbed_ms=exp(float(by_reader["perturbed"])),
        readers=found.readers,
        units=found.units,
        method=(ONE_READER if found.readers == 1 else SEVERAL_READERS).format(named),
        reason=found.reason,
    )
