"""d' and the like over several readers, each with its jackknife over units: sight told from habit."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from study.statistics.detection import DPrime, choice_d_prime, d_prime, d_prime_and_criterion
from study.statistics.two_way import Overall, PerReader, left_out, over_readers, ratio, sums
from study.statistics.units import unit_of


@dataclass(frozen=True)
class Detected:
    """What readers said to `was this image altered?`, over readers."""

    per_reader: list[tuple[str, DPrime]]
    mean: Overall | None
    """d'."""
    said: dict[str, Overall]
    """Share `altered` per arm."""
    sight: Overall | None
    bias: Overall | None


def _counted(rows: pd.DataFrame, columns: list[pd.Series]) -> tuple[list[np.ndarray], np.ndarray]:
    return sums([column.to_numpy(float) for column in columns], rows["reader_id"].to_numpy(), unit_of(rows).to_numpy())


def _of_counts(function: Callable[..., np.ndarray], tables: list[np.ndarray], rows: np.ndarray) -> PerReader:
    """A function of each reader's counts, with all units and without each."""
    both = [left_out(table) for table in tables]
    return PerReader(function(*(whole for whole, _ in both)), function(*(without for _, without in both)), rows)


def detected(asked: pd.DataFrame) -> Detected:
    """``asked``: rows with an answer, of readers who gave one in both arms."""
    said, perturbed = asked["perturbed_response"], asked["arm"] == "perturbed"
    (hits, signals, alarms, noise), rows = _counted(asked, [said * perturbed, perturbed, said * ~perturbed, ~perturbed])
    names = np.unique(asked["reader_id"].astype(str))
    by_reader = np.stack([table.sum(axis=1) for table in (hits, signals, alarms, noise)], axis=1).astype(int)
    p, o = PerReader(*ratio(hits, signals), rows), PerReader(*ratio(alarms, noise), rows)
    sight = PerReader(p.value - o.value, p.without - o.without, rows)
    bias = PerReader((p.value + o.value) / 2 - 0.5, (p.without + o.without) / 2 - 0.5, rows)
    strength = _of_counts(lambda *counts: d_prime_and_criterion(*counts)[0], [hits, signals, alarms, noise], rows)
    return Detected(
        per_reader=[(str(name), d_prime(*counts)) for name, counts in zip(names, by_reader.tolist())],
        mean=over_readers(strength),
        said={arm: over_readers(value, null=0.5, bounds=(0, 1)) for arm, value in (("original", o), ("perturbed", p))},
        sight=over_readers(sight, bounds=(-1, 1)),
        bias=over_readers(bias, bounds=(-0.5, 0.5)),
    )


def changes(rows: pd.DataFrame) -> dict[str, Overall]:
    """Change of d' and criterion from original to perturbed, of readers with both classes answered in both arms."""
    label, truth, perturbed = rows["label"], rows["truth"] == 1, rows["arm"] == "perturbed"
    columns = [
        column
        for arm in (perturbed, ~perturbed)
        for kind in (truth, ~truth)
        for column in (label * arm * kind, arm & kind)
    ]
    tables, per_unit = _counted(rows, columns)

    def change(which: int) -> PerReader:
        def of(*counts: np.ndarray) -> np.ndarray:
            return d_prime_and_criterion(*counts[:4])[which] - d_prime_and_criterion(*counts[4:])[which]

        return _of_counts(of, tables, per_unit)

    return {"d_prime": over_readers(change(0)), "criterion": over_readers(change(1))}


def strength(rows: pd.DataFrame) -> Overall:
    """d' of one arm over readers who answered patches with and without tumour."""
    label, truth = rows["label"], rows["truth"] == 1
    tables, per_unit = _counted(rows, [label * truth, truth, label * ~truth, ~truth])
    return over_readers(_of_counts(lambda *counts: d_prime_and_criterion(*counts)[0], tables, per_unit))


def choice_strength(right: np.ndarray, reader: np.ndarray, unit: np.ndarray) -> PerReader:
    """d' of each reader's forced choices (N,) of 0/1."""
    tables, rows = sums([right, np.ones(len(right))], reader, unit)
    return _of_counts(choice_d_prime, tables, rows)
