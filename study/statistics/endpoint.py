"""The primary question on one class of patches: did the fraction answered correctly change with the perturbation?

On positives (truth 1) the fraction is the TPF and this is Table 1b; on negatives it is the specificity, by the same
methods.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from study.statistics.clustered import Clusters, effective, obuchowski, sign_flip, yang
from study.statistics.paired import Interval, Paired, mcnemar_exact, mcnemar_midp, newcombe, tango
from study.statistics.primary import Crossed, Primary, one_reader, several_readers


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
    """One reader, one set. ``a`` .. ``d`` count patches answered in both arms; the rest is None without any."""

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
    """One reader over all sets; patches are the units."""

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


def endpoint(
    rows: pd.DataFrame,
    perturbed_arm: str,
    *,
    margin: float | None,
    level: float,
    measure: str = "true positive fraction",
) -> Endpoint:
    """Analyse ``rows`` of one truth (checked tidy table): ``original`` against ``perturbed_arm``.

    ``measure`` names the fraction in sentences. A pair is one reader's answers to both stimuli of a patch in one set;
    half pairs are counted in ``table`` and named in ``warnings``, and leave the comparison.
    """
    result = Endpoint()
    rows = rows[rows["arm"].isin(["original", perturbed_arm])]
    result.table = [
        _table_row(reader, number, part, perturbed_arm)
        for (reader, number), part in rows.groupby(["reader_id", "set"], sort=True)
    ]
    # A patch that was never shown in one of the arms, as beside a catch image, lacks no answer.
    rows = rows[rows.groupby("patch_id")["arm"].transform("nunique") == 2]
    wide = (
        rows.assign(arm=np.where(rows["arm"] == "original", "original", "perturbed"))
        .pivot(index=["reader_id", "set", "patch_id"], columns="arm", values="correct")
        .reindex(columns=["original", "perturbed"])
        .reset_index()
    )
    whole = wide["original"].notna() & wide["perturbed"].notna()
    for (reader, number), part in wide[~whole].groupby(["reader_id", "set"]):
        result.warnings.append(
            f"Reader {reader}, set {number}: {len(part)} of the patches lack an answer in one arm or both; they are "
            "counted but cannot be compared."
        )
    pairs = wide[whole]
    for (reader, number), part in wide.groupby(["reader_id", "set"], sort=True):
        result.per_set.append(
            _per_set(str(reader), int(number), part[part["original"].notna() & part["perturbed"].notna()])
        )
    if pairs.empty:
        result.warnings.append(f"No patch was answered both original and {perturbed_arm}: nothing can be compared.")
        result.primary = Primary.undefined("no pairs", margin, level)
        return result
    _warn_unbalanced(pairs, result.warnings)
    clusters = {reader: _clusters(part) for reader, part in pairs.groupby("reader_id", sort=True)}
    result.per_reader = [_per_reader(str(reader), c) for reader, c in clusters.items()]
    if len(clusters) == 1:
        result.primary = one_reader(next(iter(clusters.values())), margin, level, measure)
    else:
        _crossed(pairs, result, margin, level, measure)
    return result


def _table_row(reader, number, part: pd.DataFrame, perturbed_arm: str) -> TableRow:
    def count(arm: str) -> Count:
        answered = part.loc[part["arm"] == arm, "correct"].dropna()
        return Count(int(answered.sum()), len(answered))

    return TableRow(str(reader), int(number), count("original"), count(perturbed_arm))


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


def _clusters(pairs: pd.DataFrame) -> Clusters:
    return Clusters.count(*(pairs[name].to_numpy() for name in ("original", "perturbed", "patch_id")))


def _per_reader(reader: str, clusters: Clusters) -> PerReader:
    eff, flip = effective(clusters), sign_flip(clusters.differences)
    return PerReader(
        reader=reader,
        patches=len(clusters.pairs),
        pairs=int(eff.pairs.n),
        delta=eff.pairs.delta,
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


def _warn_unbalanced(pairs: pd.DataFrame, warnings: list[str]) -> None:
    per_patch = pairs.groupby(["reader_id", "patch_id"]).size()
    if per_patch.nunique() > 1:
        most = int(per_patch.max())
        for reader, sizes in per_patch.groupby(level=0):
            short = int((sizes < most).sum())
            if short:
                warnings.append(
                    f"Reader {reader}: {short} of {len(sizes)} patches have fewer than {most} complete sets; a patch's "
                    "score is the mean over the sets it has."
                )
    patches = pairs["patch_id"].nunique()
    for reader, sizes in per_patch.groupby(level=0):
        if len(sizes) < patches:
            warnings.append(
                f"Reader {reader} has pairs of {len(sizes)} of {patches} patches; the crossed analysis uses the "
                "patches each reader has (jackknife over patches)."
            )


def _scores(pairs: pd.DataFrame) -> np.ndarray:
    """(2, readers, patches): means over sets, NaN where a reader lacks the patch."""
    mean = pairs.groupby(["reader_id", "patch_id"])[["original", "perturbed"]].mean()
    return np.stack([mean[arm].unstack("patch_id").to_numpy() for arm in ("original", "perturbed")])


def _crossed(pairs: pd.DataFrame, result: Endpoint, margin: float | None, level: float, measure: str) -> None:
    sizes = pairs.groupby("reader_id")["patch_id"].nunique()
    for reader in sizes.index[sizes < 2]:
        result.warnings.append(f"Reader {reader} has pairs of one patch only and stays out of the crossed analysis.")
    pairs = pairs[pairs["reader_id"].isin(sizes.index[sizes >= 2])]
    if pairs["reader_id"].nunique() < 2:
        result.warnings.append(
            "The crossed analysis needs two readers with two patches each; there are not, so nothing is claimed over "
            "readers. See the readers one by one."
        )
        result.primary = Primary.undefined("too few patches per reader", margin, level)
        return
    result.primary, result.crossed, said = several_readers(_scores(pairs), _clusters(pairs), margin, level, measure)
    result.warnings += said
