"""Reads for the office's pages: counts and links. Nothing here touches an arm of a study."""

from collections import Counter
from statistics import fmean, stdev
from typing import Any

from django.db.models import Count, QuerySet
from django.urls import reverse

from attacks.models import Attack, PairSet
from model.models import Classifier, CrossValidation, Dataset, Job, Patch
from study.models import Study

BINS = ((0, 0), (1, 4), (5, 9), (10, 19), (20, 49), (50, None))
"""Tumour cells per patch, as shown; 0 and 5 are the paper's limits."""


def in_words(settings: dict[str, Any]) -> dict[str, str]:
    """Settings as a person reads them: nested ones in rows of their own, nothing that was left open."""
    found: dict[str, str] = {}
    for name, value in settings.items():
        name = str(name).replace("_", " ")
        if isinstance(value, dict):
            found |= {f"{name}: {inner}": text for inner, text in in_words(value).items()}
        elif value not in (None, "", [], ()):
            found[name] = _in_words(value)
    return found


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}" if abs(value) < 1e6 else str(value)
    if isinstance(value, (list, tuple)):
        return ", ".join(_in_words(one) for one in value)
    if isinstance(value, dict):
        return "; ".join(f"{name} {text}" for name, text in in_words(value).items())
    return str(value)


def made_by(job: Job) -> list[dict[str, str]]:
    """Links to what a finished job made, as far as it still exists."""
    result = job.result or {}
    links = []
    for key, model, address in (
        ("dataset", Dataset, "office:dataset"),
        ("classifier", Classifier, "office:classifier"),
        ("attack", Attack, "office:attack"),
        ("pairs", PairSet, "office:pair_set"),
    ):
        if (name := result.get(key)) and (row := model.objects.filter(name=name).only("pk").first()):
            links.append({"text": f"{model._meta.verbose_name} {name}", "url": reverse(address, args=[row.pk])})
    if (slug := result.get("study")) and Study.objects.filter(slug=slug).exists():
        links.append({"text": f"study {slug}", "url": reverse("office:study", args=[slug])})
    return links + _drawn_by(job, result)


def _drawn_by(job: Job, result: dict[str, Any]) -> list[dict[str, str]]:
    """Links to the curves and figures that a finished job made."""
    given = job.arguments
    if job.kind == "success_curves" and (row := Classifier.objects.filter(name=result.get("classifier")).first()):
        return [{"text": "success curves", "url": reverse("attacks:curves", args=[row.pk])}]
    if job.kind == "figure" and result:
        return [{"text": "figures", "url": reverse("figures:gallery", args=[given["of"], given["pk"]])}]
    if (pk := result.get("cross_validation")) and CrossValidation.objects.filter(pk=pk).exists():
        return [{"text": "curves and folds", "url": reverse("figures:gallery", args=["cross-validation", pk])}]
    return []


def datasets() -> list[Dataset]:
    return list(Dataset.objects.annotate(classifier_count=Count("classifiers")))


def groups(dataset: Dataset) -> list[dict[str, Any]]:
    """Patches per slide or patient, the largest first; empty where no groups are known."""
    rows = Counter()
    positives = Counter()
    for group, tumour in dataset.patches.exclude(group="").values_list("group", "tumour"):
        rows[group] += 1
        positives[group] += tumour
    return [
        {"group": group, "positives": positives[group], "negatives": count - positives[group], "patches": count}
        for group, count in rows.most_common()
    ]


def cell_counts(dataset: Dataset) -> list[dict[str, Any]]:
    """Patches by tumour cells; empty where no nuclei were outlined."""
    counts = list(dataset.patches.exclude(tumour_cells=None).values_list("tumour_cells", flat=True))
    if not counts:
        return []
    rows = []
    for low, high in BINS:
        number = sum(low <= count and (high is None or count <= high) for count in counts)
        text = str(low) if low == high else f"{low} or more" if high is None else f"{low} to {high}"
        rows.append({"cells": text, "patches": number, "share": number / len(counts)})
    return rows


def thumbnails(dataset: Dataset, *, each: int = 12) -> list[dict[str, Any]]:
    """Some patches of both classes, spread over the order of reading."""
    found = []
    for tumour, word in ((True, "Tumour"), (False, "No tumour")):
        ids = list(Patch.objects.filter(dataset=dataset, tumour=tumour).values_list("pk", flat=True))
        step = max(1, len(ids) // each)
        rows = Patch.objects.in_bulk(ids[::step][:each])
        found.append({"word": word, "count": len(ids), "patches": [rows[pk] for pk in ids[::step][:each]]})
    return found


def table_1a_rows(dataset: Dataset | None = None) -> list[dict[str, Any]]:
    """One row per cross-validation: mean and SD of accuracy and AUC over its folds, as in Table 1a."""
    found = CrossValidation.objects.select_related("dataset").prefetch_related("results")
    if dataset is not None:
        found = found.filter(dataset=dataset)
    rows = []
    for one in found:
        results = list(one.results.all())
        row = {"cross_validation": one, "folds_done": len(results), "folds": one.runs * one.folds}
        row["preset"] = (one.settings.get("settings") or {}).get("preset", "")
        rows.append(row | spread_of(one))
    return rows


def spread_of(validation: CrossValidation) -> dict[str, float | None]:
    """``accuracy``, ``accuracy_sd``, ``auc``, ``auc_sd`` over the folds that are done."""
    results = list(validation.results.all())
    found: dict[str, float | None] = {}
    for name in ("accuracy", "auc"):
        values = [getattr(result, name) for result in results]
        found[name] = fmean(values) if values else None
        found[f"{name}_sd"] = stdev(values) if len(values) > 1 else None
    return found


def classifiers() -> list[Classifier]:
    """Without their splits and probabilities, which are long."""
    return list(
        Classifier.objects.select_related("dataset")
        .defer("split", "test_probabilities", "history")
        .annotate(attack_count=Count("attacks"))
    )


def attacks(classifier: Classifier | None = None) -> QuerySet[Attack]:
    found = Attack.objects.select_related("classifier").defer(
        "classifier__split", "classifier__test_probabilities", "classifier__history"
    )
    return found.filter(classifier=classifier) if classifier else found


def flip_share(attack: Attack) -> float | None:
    """Share of the attacked patches (those classified correctly) that were flipped on displayed bytes."""
    attacked = attack.summary.get("attacked")
    return attack.summary.get("flipped", 0) / attacked if attacked else None
