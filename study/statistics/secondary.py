"""The questions beside the primary one, each from the checked tidy table: agreement, detection, time, model, flow."""

from typing import Any

import numpy as np
import pandas as pd

from study.statistics.agreement import Agreement, agreement
from study.statistics.detection import BangIndex, DPrime, ForcedChoice, bang, d_prime, forced_choice, mean_t
from study.statistics.paired import Paired, mcnemar_exact
from study.statistics.psychometric import psychometric
from study.statistics.schema import arm_family
from study.statistics.times import ResponseTime, response_time

BANNER = (
    "The model's true positives on perturbed patches are few because patches were chosen for fooling it. That is how "
    "the study was built, not evidence about the model; the p value below only restates it."
)


def two_arms(rows: pd.DataFrame, perturbed_arm: str) -> pd.DataFrame:
    """Rows of the two compared arms, the arm renamed to ``original`` or ``perturbed``."""
    kept = rows[rows["arm"].isin(["original", perturbed_arm])]
    return kept.assign(arm=np.where(kept["arm"] == "original", "original", "perturbed"))


def _ratings(rows: pd.DataFrame, unit: list[str], rater: str) -> tuple[np.ndarray, np.ndarray]:
    wide = rows.pivot(index=unit, columns=rater, values="label")
    return wide.to_numpy(float), wide.index.get_level_values("patch_id").to_numpy()


def intra_reader(rows: pd.DataFrame) -> dict[str, Any] | None:
    """Set against set per arm: pooled over readers (bootstrapped over patches), and each reader. None for one set."""
    if rows["set"].nunique() < 2:
        return None
    result: dict[str, Any] = {}
    for arm in ("original", "perturbed"):
        part = rows[rows["arm"] == arm]
        if part.empty:
            continue
        ratings, patch = _ratings(part, ["reader_id", "patch_id"], "set")
        result[arm] = agreement(ratings, patch)
        by_reader = result.setdefault("by_reader", [])
        for reader, own in part.groupby("reader_id", sort=True):
            by_reader.append(
                {"reader": str(reader), "arm": arm, "agreement": agreement(_ratings(own, ["patch_id"], "set")[0])}
            )
    return result


def inter_reader(rows: pd.DataFrame) -> tuple[Agreement, dict[str, Agreement]] | None:
    """Reader against reader over patch x arm x set, and per arm; intervals over patches. None for one reader."""
    if rows["reader_id"].nunique() < 2:
        return None
    unit = ["patch_id", "arm", "set"]
    per_arm = {str(arm): agreement(*_ratings(part, unit, "reader_id")) for arm, part in rows.groupby("arm")}
    return agreement(*_ratings(rows, unit, "reader_id")), per_arm


def negatives(rows: pd.DataFrame) -> dict[str, Any] | None:
    """d' and criterion per reader and arm, and the change of each over readers. None without both classes."""
    answered = rows[rows["label"].notna()]
    if answered["truth"].nunique() < 2:
        return None
    found: dict[str, dict[str, DPrime]] = {}
    for (reader, arm), part in answered.groupby(["reader_id", "arm"], sort=True):
        positive, negative = part[part["truth"] == 1], part[part["truth"] == 0]
        if len(positive) and len(negative):
            found.setdefault(str(reader), {})[str(arm)] = d_prime(
                int(positive["label"].sum()), len(positive), int(negative["label"].sum()), len(negative)
            )
    both = [arms for arms in found.values() if {"original", "perturbed"} <= set(arms)]
    change = {
        name: mean_t(np.array([getattr(arms["perturbed"], name) - getattr(arms["original"], name) for arms in both]))
        for name in ("d_prime", "criterion")
        if both
    }
    per_reader = [
        {"reader": reader, "arm": arm, "value": value} for reader, arms in found.items() for arm, value in arms.items()
    ]
    return {"per_reader": per_reader, "change": change}


def altered(rows: pd.DataFrame) -> dict[str, Any] | None:
    """`Was this image altered?`: d' per reader, its mean, and Bang's index per arm. None where it was not asked."""
    if "perturbed_response" not in rows:
        return None
    asked = rows[rows["perturbed_response"].notna()]
    if asked.empty or asked["arm"].nunique() < 2:
        return None
    per_reader: list[tuple[str, DPrime]] = []
    for reader, part in asked.groupby("reader_id", sort=True):
        yes = {arm: part.loc[part["arm"] == arm, "perturbed_response"] for arm in ("original", "perturbed")}
        if len(yes["original"]) and len(yes["perturbed"]):
            per_reader.append(
                (
                    str(reader),
                    d_prime(
                        int(yes["perturbed"].sum()),
                        len(yes["perturbed"]),
                        int(yes["original"].sum()),
                        len(yes["original"]),
                    ),
                )
            )
    index: dict[str, BangIndex] = {}
    for arm, truth in (("original", 0), ("perturbed", 1)):
        said = asked.loc[asked["arm"] == arm, "perturbed_response"]
        if len(said):
            index[arm] = bang(int((said == truth).sum()), int((said != truth).sum()))
    return {
        "per_reader": [{"reader": reader, "value": value} for reader, value in per_reader],
        "mean": mean_t(np.array([value.d_prime for _, value in per_reader])) if per_reader else None,
        "bang": index,
    }


def pair_comparison(table: pd.DataFrame) -> dict[str, Any] | None:
    """Two-interval forced choice: proportion correct per reader, their mean. None without such rows."""
    rows = table[(table["arm"].map(arm_family) == "pair") & table["correct"].notna()]
    if rows.empty:
        return None
    per_reader: list[tuple[str, ForcedChoice]] = [
        (str(reader), forced_choice(int(part["correct"].sum()), len(part)))
        for reader, part in rows.groupby("reader_id", sort=True)
    ]
    return {
        "per_reader": [{"reader": reader, "value": value} for reader, value in per_reader],
        "mean_proportion": mean_t(np.array([value.proportion for _, value in per_reader]), null=0.5, bounds=(0, 1)),
        "mean_d_prime": mean_t(np.array([value.d_prime for _, value in per_reader])),
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
    family = table["arm"].map(arm_family)
    result: dict[str, Any] = {}
    for task, kept, rising in (("labelling", family == "perturbed", False), ("pair", family == "pair", True)):
        rows = table[kept & table["correct"].notna() & (table["budget"] > 0) & ((table["truth"] == 1) | rising)]
        norm = rows["norm"].fillna("") if "norm" in rows else pd.Series("", index=rows.index)
        for name, part in rows.groupby(norm):
            if part["budget"].nunique() < 3:
                continue
            key = f"{task} {name}".strip()
            result[key] = {"pooled": _curve(part, rising)}
            if part["reader_id"].nunique() > 1:
                result[key]["per_reader"] = [
                    {"reader": str(reader), "value": _curve(own, rising)}
                    for reader, own in part.groupby("reader_id", sort=True)
                    if own["budget"].nunique() >= 3
                ]
    return result or None


def _curve(rows: pd.DataFrame, rising: bool):
    by_budget = rows.groupby("budget")["correct"].agg(["sum", "size"])
    return psychometric(
        by_budget.index.to_numpy(),
        by_budget["sum"].to_numpy(),
        by_budget["size"].to_numpy(),
        guess=0.5 if rising else 0.0,
        rising=rising,
    )


def times(rows: pd.DataFrame, warnings: list[str]) -> ResponseTime | None:
    """Perturbed against original times of the same reader, set and patch. None where no times are known."""
    if "rt_ms" not in rows or rows["rt_ms"].notna().sum() == 0:
        return None
    usable = rows[rows["rt_ms"] > 0]
    dropped = int(rows["label"].notna().sum() - len(usable))
    if dropped:
        warnings.append(f"{dropped} answers have no response time above zero and are left out of the times.")
    wide = usable.pivot(index=["reader_id", "set", "patch_id"], columns="arm", values="rt_ms")
    wide = wide.reindex(columns=["original", "perturbed"]).dropna().reset_index()
    return response_time(wide["original"].to_numpy(), wide["perturbed"].to_numpy(), wide["patch_id"].to_numpy())


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
