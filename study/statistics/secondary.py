"""The questions beside the primary one, each from the checked tidy table: agreement, detection, time, model, flow."""

from typing import Any

import numpy as np
import pandas as pd

from study.statistics.agreement import Agreement, agreement
from study.statistics.detection import BangIndex, bang, bang_repeated, d_prime, repeated_choice
from study.statistics.paired import Paired, mcnemar_exact
from study.statistics.psychometric import Psychometric, psychometric
from study.statistics.readings import crossover, reading
from study.statistics.schema import arm_family
from study.statistics.sight import Detected, changes, choice_strength, detected
from study.statistics.times import ResponseTime, response_time
from study.statistics.two_way import means, over_readers
from study.statistics.units import unit_of

BANNER = (
    "The model's true positives on perturbed patches are few because patches were chosen for fooling it. That is how "
    "the study was built, not evidence about the model; the p value below only restates it."
)


def two_arms(rows: pd.DataFrame, perturbed_arm: str, reference_arm: str = "original") -> pd.DataFrame:
    """Rows of the two compared arms, renamed to ``original`` (the reference) and ``perturbed``."""
    kept = rows[rows["arm"].isin([reference_arm, perturbed_arm])]
    return kept.assign(arm=np.where(kept["arm"] == reference_arm, "original", "perturbed"))


def _ratings(rows: pd.DataFrame, unit: list[str], rater: str) -> pd.DataFrame:
    """Labels by rated unit and rater; ``rows`` has the unit of inference in the column ``unit``."""
    return rows.pivot(index=[*unit, "unit"], columns=rater, values="label").astype(float)


def _named(wide: pd.DataFrame, level: str) -> np.ndarray:
    return wide.index.get_level_values(level).to_numpy()


def intra_reader(rows: pd.DataFrame) -> dict[str, Any] | None:
    """Reading against reading of the same stimulus, per arm: pooled over readers (readers and units random), and each.

    None where nobody read a stimulus twice: with one set, or a crossover with as many sets as arms; see
    :func:`why_no_intra_reader`.
    """
    rows = rows.assign(reading=reading(rows), unit=unit_of(rows))
    if rows["reading"].nunique() < 2:
        return None
    result: dict[str, Any] = {}
    for arm in ("original", "perturbed"):
        part = rows[rows["arm"] == arm]
        if part.empty:
            continue
        wide = _ratings(part, ["reader_id", "patch_id"], "reading")
        result[arm] = agreement(wide.to_numpy(), _named(wide, "unit"), _named(wide, "reader_id"))
        by_reader = result.setdefault("by_reader", [])
        for reader, own in part.groupby("reader_id", sort=True):
            alone = agreement(_ratings(own, ["patch_id"], "reading").to_numpy())
            by_reader.append({"reader": str(reader), "arm": arm, "agreement": alone})
    return result


def why_no_intra_reader(rows: pd.DataFrame) -> str | None:
    """Why there is no agreement of a reader with the own earlier reading; None where there is, or with one set."""
    if rows["set"].nunique() < 2 or reading(rows).nunique() > 1:
        return None
    return (
        f"Set against set: with {rows['set'].nunique()} sets in which each patch shows one arm, every reader read each "
        "image once, so that no reading can be compared with an earlier one. Twice as many sets would allow it."
    )


def inter_reader(rows: pd.DataFrame) -> tuple[Agreement, dict[str, Agreement]] | None:
    """Reader against reader over patch x arm x reading, and per arm. None for one reader.

    Intervals go over units and speak of these readers.
    """
    if rows["reader_id"].nunique() < 2:
        return None
    rows = rows.assign(reading=reading(rows), unit=unit_of(rows))
    unit = ["patch_id", "arm", "reading"]

    def between(part: pd.DataFrame) -> Agreement:
        wide = _ratings(part, unit, "reader_id")
        return agreement(wide.to_numpy(), _named(wide, "unit"))

    return between(rows), {str(arm): between(part) for arm, part in rows.groupby("arm")}


def negatives(rows: pd.DataFrame) -> dict[str, Any] | None:
    """d' and criterion per reader and arm, and the change of each over readers. None without both classes."""
    answered = rows[rows["label"].notna()]
    if answered["truth"].nunique() < 2:
        return None
    per_reader: list[dict[str, Any]] = []
    both = []
    for reader, own in answered.groupby("reader_id", sort=True):
        found = []
        for arm, part in own.groupby("arm", sort=True):
            positive, negative = part[part["truth"] == 1], part[part["truth"] == 0]
            if len(positive) and len(negative):
                value = d_prime(
                    int(positive["label"].sum()), len(positive), int(negative["label"].sum()), len(negative)
                )
                found.append(arm)
                per_reader.append({"reader": str(reader), "arm": str(arm), "value": value})
        if {"original", "perturbed"} <= set(found):
            both.append(reader)
    compared = answered[answered["reader_id"].isin(both)]
    return {"per_reader": per_reader, "change": changes(compared) if both else {}}


def altered(rows: pd.DataFrame) -> dict[str, Any] | None:
    """`Was this image altered?`: how often it was said of either arm, and d'. None where it was not asked.

    Bang's index of one arm mixes sight with a habit: who says `altered` to everything knows all about the perturbed
    arm and nothing about the original one. So ``said`` gives each arm's share, ``sight`` their difference (the mean
    of the two arms' indices) and ``bias`` how far their mean lies from one half. Readers and units are random.
    """
    if "perturbed_response" not in rows:
        return None
    asked = rows[rows["perturbed_response"].notna()]
    if asked.empty or asked["arm"].nunique() < 2:
        return None
    asked = asked.assign(unit=unit_of(asked))
    bang_of: dict[str, BangIndex] = {}
    for arm, truth in (("original", 0), ("perturbed", 1)):
        part = asked[asked["arm"] == arm]
        if len(part):
            right = (part["perturbed_response"] == truth).to_numpy()
            bang_of[arm] = bang_repeated(right, part["reader_id"].to_numpy(), part["unit"].to_numpy())
    arms_of_reader = asked.groupby("reader_id")["arm"].nunique()
    both = asked[asked["reader_id"].isin(arms_of_reader.index[arms_of_reader == 2])]
    found = detected(both) if len(both) else Detected([], None, {}, None, None)
    return {
        "per_reader": [{"reader": reader, "value": value} for reader, value in found.per_reader],
        "mean": found.mean,
        "bang": bang_of,
        "said": found.said,
        "sight": found.sight,
        "bias": found.bias,
    }


def pair_comparison(table: pd.DataFrame) -> dict[str, Any] | None:
    """`Which one was altered?`: proportion correct per reader, their mean. None without such rows.

    Pairs of a ladder and of two identical images are told by :mod:`study.statistics.visibility`.
    """
    return _choices(table[(table["arm"].map(arm_family) == "pair") & ~_of_ladder(table)])


def bias_task(table: pd.DataFrame) -> dict[str, Any] | None:
    """`Which looks more like tumour?` of two twins of equal energy: how often the one pushed toward it was chosen."""
    return _choices(table[table["arm"].map(arm_family) == "bias"])


def _of_ladder(table: pd.DataFrame) -> pd.Series:
    return table["level"].notna() if "level" in table else pd.Series(False, index=table.index)


def _choices(rows: pd.DataFrame) -> dict[str, Any] | None:
    """Two-interval forced choice; answers on one pair are one piece of knowledge, in however many sets."""
    rows = rows[rows["correct"].notna()]
    if rows.empty:
        return None
    unit = unit_of(rows)
    per_reader = [
        {
            "reader": str(reader),
            "value": repeated_choice(part["correct"].to_numpy(int), unit[part.index].to_numpy()),
        }
        for reader, part in rows.groupby("reader_id", sort=True)
    ]
    right, reader = rows["correct"].to_numpy(float), rows["reader_id"].to_numpy()
    return {
        "per_reader": per_reader,
        "mean_proportion": over_readers(means(right, reader, unit.to_numpy()), null=0.5, bounds=(0, 1)),
        "mean_d_prime": over_readers(choice_strength(right, reader, unit.to_numpy())),
    }


def questionnaire(answers: list[dict[str, Any]]) -> dict[str, Any] | None:
    """`Could you tell that images had been altered?`: Bang's index over readers, all of whom saw altered images."""
    said = [str(row["noticed"]) for row in answers if row.get("noticed")]
    if not said:
        return None
    yes, no = said.count("yes"), said.count("no")
    return {"readers": len(said), "bang": bang(yes, no, len(said) - yes - no)}


def curves(table: pd.DataFrame) -> dict[str, Any] | None:
    """Psychometric functions over budgets, pooled and per reader and norm. None for fewer than three budgets."""
    if "budget" not in table:
        return None
    table = table[~_of_ladder(table)]
    family = table["arm"].map(arm_family)
    result: dict[str, Any] = {}
    for task, kept, rising in (("labelling", family == "perturbed", False), ("pair", family == "pair", True)):
        rows = table[
            kept
            & ~_of_ladder(table)
            & table["correct"].notna()
            & (table["budget"] > 0)
            & ((table["truth"] == 1) | rising)
        ]
        norm = rows["norm"].fillna("") if "norm" in rows else pd.Series("", index=rows.index)
        for name, part in rows.groupby(norm):
            if part["budget"].nunique() < 3:
                continue
            key = f"{task} {name}".strip()
            several = part["reader_id"].nunique() > 1
            result[key] = {"pooled": _curve(part, rising, pooled=several)}
            if several:
                result[key]["per_reader"] = [
                    {"reader": str(reader), "value": _curve(own, rising)}
                    for reader, own in part.groupby("reader_id", sort=True)
                    if own["budget"].nunique() >= 3
                ]
    return result or None


def _curve(rows: pd.DataFrame, rising: bool, pooled: bool = False) -> Psychometric:
    by_budget = rows.groupby("budget")["correct"].agg(["sum", "size"])
    return psychometric(
        by_budget.index.to_numpy(),
        by_budget["sum"].to_numpy(),
        by_budget["size"].to_numpy(),
        guess=0.5 if rising else 0.0,
        rising=rising,
        pooled=pooled,
    )


def times(rows: pd.DataFrame, warnings: list[str]) -> ResponseTime | None:
    """Perturbed against original times of the same reader and patch. None where no times are known.

    A reader's log times of a patch are averaged over sets in each arm, so that it does not matter whether a set shows
    both arms of the patch. Only answered presentations count: one that was left without an answer has no time.
    """
    if "rt_ms" not in rows or rows["rt_ms"].notna().sum() == 0:
        return None
    answered = rows[rows["label"].notna()]
    usable = answered[answered["rt_ms"] > 0]
    if len(usable) < len(answered):
        warnings.append(
            f"{len(answered) - len(usable)} answers have no response time above zero and are left out of the times."
        )
    log_ms = np.log(usable["rt_ms"])
    if crossover(usable):
        log_ms = log_ms - _course(usable, log_ms)
    key = ["reader_id", "patch_id", "unit"]
    wide = usable.assign(unit=unit_of(usable), log_ms=log_ms).groupby([*key, "arm"])["log_ms"].mean().unstack("arm")
    pairs = np.exp(wide.reindex(columns=["original", "perturbed"]).dropna()).reset_index()
    return response_time(
        *(pairs[name].to_numpy() for name in ("original", "perturbed", "patch_id", "reader_id", "unit"))
    )


def _course(rows: pd.DataFrame, log_ms: pd.Series) -> pd.Series:
    """How much slower or faster than over all sets a reader was in each row's set, both arms counting the same.

    In a crossover the two arms of a patch lie in different sets; readers get faster, and without this that would
    stand in every patch's difference, with one sign where the original came first and the other where it came later.
    """
    by_arm = log_ms.groupby([rows["reader_id"], rows["set"], rows["arm"]]).mean().unstack("arm")
    if by_arm.shape[1] < 2:
        return pd.Series(0.0, index=rows.index)
    level = by_arm.mean(axis=1, skipna=False)  # a set with one arm only tells nothing of its pace
    course = (level - level.groupby(level="reader_id").transform("mean")).fillna(0.0).rename("course")
    return rows[["reader_id", "set"]].join(course, on=["reader_id", "set"])["course"]


def model_readings(rows: pd.DataFrame) -> dict[str, Any] | None:
    """The model's own true positives per arm, and each reader against it on the perturbed arm (positives only)."""
    if "model_label" not in rows or rows["model_label"].notna().sum() == 0:
        return None
    rows = rows[rows["model_label"].notna()]
    stimuli = rows.drop_duplicates(["patch_id", "arm"])
    counts = {
        arm: {"tp": int((part["model_label"] == part["truth"]).sum()), "n": len(part)}
        for arm, part in stimuli.groupby("arm")
    }
    against = []
    perturbed = rows[(rows["arm"] == "perturbed") & rows["correct"].notna()]
    for (reader, number), part in perturbed.groupby(["reader_id", "set"], sort=True):
        t = Paired.count(part["correct"].to_numpy(), (part["model_label"] == part["truth"]).to_numpy())
        against.append(
            {
                "reader": str(reader),
                "set": int(number),
                "both": t.a,
                "reader_only": t.b,
                "model_only": t.c,
                "neither": t.d,
                "mcnemar_exact_p": mcnemar_exact(int(t.b), int(t.c)),
            }
        )
    return {**counts, "reader_against_model": against, "banner": BANNER}


def display(table: pd.DataFrame) -> dict[str, Any] | None:
    """How wide images were on readers' screens, over the answers for which that was measured; None where for none."""
    if "width_mm" not in table:
        return None
    answered = table[table["label"].notna()]
    widths = answered["width_mm"].dropna()
    if widths.empty:
        return None
    return {
        "answers": len(answered),
        "measured": len(widths),
        "width_mm": {"median": widths.median(), "lowest": widths.min(), "highest": widths.max()},
    }


def flow(table: pd.DataFrame, invited: int | None, pairs: int) -> dict[str, Any]:
    """Invited, started, finished; scheduled, answered, amended, excluded, analysed."""
    answered = table["label"].notna()
    by_reader = answered.groupby(table["reader_id"])
    started = by_reader.transform("any")
    amended = table["revision"] > 1 if "revision" in table else pd.Series(False, index=table.index)
    excluded = table["excluded"] & answered  # what was never answered cannot be left out
    reasons: dict[str, int] = {}
    if excluded.any():
        named = table["exclusion_reason"] if "exclusion_reason" in table else pd.Series(None, index=table.index)
        counted = named[excluded].fillna("no reason given").value_counts()
        reasons = {str(reason): int(n) for reason, n in counted.items()}
    return {
        "readers": {
            "invited": invited if invited is not None else int(table["reader_id"].nunique()),
            "started": int(by_reader.any().sum()),
            "finished": int(by_reader.all().sum()),
        },
        "presentations": {
            "scheduled": len(table),
            "scheduled_for_started": int(started.sum()),
            "unanswered_of_started": int((started & ~answered).sum()),
            "answered": int(answered.sum()),
            "unanswered": int((~answered).sum()),
            "amended": int((amended & answered).sum()),
            "flagged": int(excluded.sum()),
            "analysed": int(answered.sum()),
            "analysed_per_protocol": int((answered & ~excluded).sum()),
        },
        "flag_reasons": reasons,
        "pairs_compared": pairs,
    }
