"""Mean and SD over runs and folds, as Table 1a gives them."""

from collections.abc import Iterable
from statistics import fmean, stdev


def spread(values: Iterable[float]) -> dict[str, float | None]:
    """Mean and SD (n - 1); the SD of a single value is unknown."""
    numbers = list(values)
    return {"mean": fmean(numbers), "sd": stdev(numbers) if len(numbers) > 1 else None}


def spread_of_folds(values: Iterable[tuple[int, float]]) -> dict[str, float | None]:
    """Of (run, value): mean and SD over all folds, and the SD of the runs' means, both named."""
    pairs = list(values)
    runs = sorted({run for run, _ in pairs})
    by_run = [fmean(value for run, value in pairs if run == wanted) for wanted in runs]
    return spread(value for _, value in pairs) | {"sd_of_runs": spread(by_run)["sd"]}
