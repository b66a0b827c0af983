"""The primary question on one class of patches: did the fraction answered correctly change with the perturbation?

On positives (truth 1) the fraction is the TPF and this is Table 1b; on negatives it is the specificity, by the same
methods.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from core.proportions import Interval, tango
from study.statistics.clustered import Clusters, effective, obuchowski, yang
from study.statistics.paired import Paired, mcnemar_exact, mcnemar_midp, newcombe
from study.statistics.primary import Crossed, Primary, Scored, flipped, one_reader, several_readers
from study.statistics.readings import crossover, reading
from study.statistics.rule import judge
from study.statistics.units import unit_of


@dataclass(frozen=True)
class Count:
    """Correct answers ``tp`` (true positives; true negatives on negatives) of ``n`` answered."""

    tp: int
    n: int


@dataclass(frozen=True)
class TableRow:
    reader: str
    set: int
    original: Count
    perturbed: Count


@dataclass(frozen=True)
class PerSet:
    """One reader, one set. ``a`` .. ``d`` count patches answered in both arms; the rest is None without any.

    In a crossover, where a set shows each patch in one arm, ``set`` counts readings: the first original answer to a
    patch is paired with the first perturbed one, whichever set they were given in.
    """

    reader: str
    set: int
    a: int
    b: int
    c: int
    d: int
    delta: float | None
    mcnemar_exact_p: float | None
    mcnemar_midp: float | None
    tango_ci95: Interval | None
    newcombe_ci95: Interval | None


@dataclass(frozen=True)
class PerReader:
    """One reader over all sets; the slides or patients are the clusters where they are known, else the patches."""

    reader: str
    patches: int
    pairs: int
    delta: float
    signflip_p: float
    signflip_method: str
    signflip_error: float
    vif: float
    n_eff: float
    tango_neff_ci95: Interval
    tango_neff_ci90: Interval
    obuchowski_p: float
    yang_p: float


@dataclass
class Endpoint:
    table: list[TableRow] = field(default_factory=list)
    per_set: list[PerSet] = field(default_factory=list)
    per_reader: list[PerReader] = field(default_factory=list)
    crossed: Crossed | None = None
    primary: Primary | None = None
    warnings: list[str] = field(default_factory=list)
    crossover: bool = False


def endpoint(
    rows: pd.DataFrame,
    perturbed_arm: str,
    *,
    margin: float | None,
    level: float,
    measure: str = "true positive fraction",
    reference_arm: str = "original",
    withheld: str = "",
) -> Endpoint:
    """Analyse ``rows`` of one truth (checked tidy table): ``reference_arm`` against ``perturbed_arm``.

    ``measure`` names the fraction in sentences; ``withheld`` is why no verdict may be given, if there is a reason.
    Every answer counts towards the estimate. The 2x2 tables hold pairs: one reader's answers to both stimuli of a patch
    in one set (in a crossover: in the k-th reading of each).
    """
    result = Endpoint()
    rows = rows[rows["arm"].isin([reference_arm, perturbed_arm])]
    rows = rows.assign(arm=np.where(rows["arm"] == reference_arm, "original", "perturbed"))
    result.table = _table(rows)
    # A patch that nobody was shown in one of the arms, as beside a catch image, is not missing an answer.
    rows = rows[rows.groupby("patch_id")["arm"].transform("nunique") == 2]
    result.crossover = crossover(rows)
    pairs = _pairs(rows, result)
    answered = rows[rows["correct"].notna()]
    both = answered.groupby("reader_id")["arm"].nunique() == 2
    answered = answered[answered["reader_id"].isin(both.index[both])]
    if answered.empty:
        result.warnings.append(
            f"No reader answered both {reference_arm} and {perturbed_arm} patches: nothing can be compared."
        )
        result.primary = Primary.undefined("no pairs", margin, level)
        return result
    _warn_incomplete(rows, result.warnings)
    result.per_reader = [_per_reader(str(reader), part) for reader, part in pairs.groupby("reader_id", sort=True)]
    result.primary, result.crossed, said = primary_of(answered, margin, level, measure, withheld)
    result.warnings += said
    return result


def _table(rows: pd.DataFrame) -> list[TableRow]:
    """Correct answers of all answers by reader, set and arm."""
    counts = rows.groupby(["reader_id", "set", "arm"])["correct"].agg(["sum", "count"]).unstack("arm", fill_value=0)
    arms = ("original", "perturbed")
    counts = counts.reindex(columns=pd.MultiIndex.from_product([["sum", "count"], arms]), fill_value=0).fillna(0)
    return [
        TableRow(str(reader), int(number), Count(int(right[0]), int(right[2])), Count(int(right[1]), int(right[3])))
        for (reader, number), *right in counts.itertuples(name=None)
    ]


def _pairs(rows: pd.DataFrame, result: Endpoint) -> pd.DataFrame:
    """Answers in both arms of a patch, by reader and reading; fills ``per_set``, names what has no partner."""
    wide = (
        rows.assign(set=reading(rows), unit=unit_of(rows))
        .pivot(index=["reader_id", "set", "patch_id", "unit"], columns="arm", values="correct")
        .reindex(columns=["original", "perturbed"])
        .reset_index()
    )
    whole = wide["original"].notna() & wide["perturbed"].notna()
    half = wide["original"].notna() ^ wide["perturbed"].notna()
    for (reader, number), part in wide[half].groupby(["reader_id", "set"]):
        result.warnings.append(
            f"Reader {reader}, set {number}: {len(part)} of the patches have an answer in one arm only; they count "
            "towards the estimate, and stand in no 2x2 table."
        )
    for (reader, number), part in wide.assign(whole=whole).groupby(["reader_id", "set"], sort=True):
        result.per_set.append(_per_set(str(reader), int(number), part[part["whole"]]))
    return wide[whole]


def _per_set(reader: str, number: int, pairs: pd.DataFrame) -> PerSet:
    if pairs.empty:
        return PerSet(reader, number, 0, 0, 0, 0, None, None, None, None, None)
    t = Paired.count(pairs["original"].to_numpy(), pairs["perturbed"].to_numpy())
    b, c = int(t.b), int(t.c)
    return PerSet(
        reader,
        number,
        int(t.a),
        b,
        c,
        int(t.d),
        t.delta,
        mcnemar_exact(b, c),
        mcnemar_midp(b, c),
        tango(b, c, t.n),
        newcombe(t),
    )


def _per_reader(reader: str, pairs: pd.DataFrame) -> PerReader:
    """From the pairs alone, so that the change belongs to the intervals beside it."""
    clusters = Clusters.count(*(pairs[name].to_numpy() for name in ("original", "perturbed", "unit")))
    _, first, patch = np.unique(pairs["patch_id"].to_numpy(str), return_index=True, return_inverse=True)
    sets = np.bincount(patch)
    scores = np.stack([np.bincount(patch, weights=pairs[arm]) / sets for arm in ("original", "perturbed")])
    unit = np.unique(pairs["unit"].to_numpy(str)[first], return_inverse=True)[1]
    units = judge(scores[:, None], unit).margin.units
    eff, flip = effective(clusters), flipped(units)
    return PerReader(
        reader=reader,
        patches=int(pairs["patch_id"].nunique()),
        pairs=int(eff.pairs.n),
        delta=float(units.mean),
        signflip_p=flip.p,
        signflip_method=flip.patterns,
        signflip_error=flip.error,
        vif=eff.vif,
        n_eff=eff.n_eff,
        tango_neff_ci95=eff.tango(0.95),
        tango_neff_ci90=eff.tango(0.90),
        obuchowski_p=obuchowski(clusters)[1],
        yang_p=yang(clusters)[1],
    )


def _warn_incomplete(rows: pd.DataFrame, warnings: list[str]) -> None:
    missing = rows["correct"].isna()
    if missing.any():
        arms = rows.loc[missing, "arm"].value_counts()
        warnings.append(
            f"{int(missing.sum())} of {len(rows)} presentations were not answered "
            f"({int(arms.get('original', 0))} original, {int(arms.get('perturbed', 0))} perturbed). A score is the "
            "mean over the answers that there are; see the tipping point under sensitivity."
        )


def _scored(answered: pd.DataFrame) -> Scored:
    """(2, readers, patches): means over sets, NaN where a reader has no answer to the stimulus."""
    mean = answered.groupby(["arm", "reader_id", "patch_id"])["correct"].mean().unstack("patch_id")
    readers = sorted(set(answered["reader_id"]))
    scores = np.stack([mean.loc[arm].reindex(readers).to_numpy() for arm in ("original", "perturbed")])
    units = answered.assign(unit=unit_of(answered)).drop_duplicates("patch_id").set_index("patch_id")["unit"]
    units = units.reindex(mean.columns)
    if not units.str.startswith("group ").any():
        return Scored(scores, None)
    return Scored(scores, np.unique(units.to_numpy(str), return_inverse=True)[1])


def primary_of(
    answered: pd.DataFrame,
    margin: float | None,
    level: float,
    measure: str = "true positive fraction",
    withheld: str = "",
) -> tuple[Primary, Crossed | None, list[str]]:
    """The primary estimate alone, from answers in the arms ``original`` and ``perturbed``; and warnings."""
    if answered["reader_id"].nunique() == 1:
        return one_reader(_scored(answered), margin, level, measure, withheld), None, []
    units = answered.assign(unit=unit_of(answered)).groupby(["reader_id", "arm"])["unit"].nunique()
    fewest = units.groupby("reader_id").min()
    warnings = [
        f"Reader {reader} has answers to one patch (or slide) only in an arm and stays out of the crossed analysis."
        for reader in fewest.index[fewest < 2]
    ]
    answered = answered[answered["reader_id"].isin(fewest.index[fewest >= 2])]
    if answered["reader_id"].nunique() < 2:
        warnings.append(
            "The crossed analysis needs two readers with two patches each; there are not, so nothing is claimed over "
            "readers. See the readers one by one."
        )
        return Primary.undefined("too few patches per reader", margin, level), None, warnings
    primary, crossed, said = several_readers(_scored(answered), margin, level, measure, withheld)
    return primary, crossed, warnings + said
