"""The report: one HTML file with its figures inside, to be printed anywhere; and what the page shares with it."""

from base64 import b64encode
from typing import Any

from django.template.loader import render_to_string
from django.utils import timezone

from study.models import Study
from study.results.exports import visibility
from study.results.exports.figures import FIGURES, finished
from study.results.exports.methods import checklist, methods_text
from study.results.exports.model_figures import model_figures
from study.results.exports.tables import crossed_over, percent, percents, reading_word, table_1a

VERDICTS = {
    "equivalent": "Equivalent (margin {margin:g} points)",
    "non_inferior": "Non-inferior (margin {margin:g} points)",
    "different": "A difference was found",
    "inconclusive": "Inconclusive",
}


def page_context(study: Study, analysis: dict[str, Any]) -> dict[str, Any]:
    """What the results page and the report show."""
    primary = analysis["primary"]
    pair = None if primary["ci"] else analysis["detection"]["pair_comparison"]
    return {
        "study": study,
        "analysis": analysis,
        "primary": primary,
        "level": f"{100 * primary['level']:g}",
        "headline": _headline(primary, pair, bool(analysis["visibility"])),
        "blind_spots": visibility.page_rows(analysis),
        "predictors": visibility.predictor_rows(analysis),
        "unranked": visibility.unranked(analysis),
        "pair_statement": _pair_statement(pair) if pair else None,
        "table_1a": table_1a(analysis),
        "table_1b": _table_1b(analysis),
        "model_note": _model_note((analysis.get("model") or {}).get("classifier") or {}),
        "table_1a_source": (analysis.get("model") or {}).get("table_1a"),
        "two_by_two": [row for row in analysis["per_set"] if row["delta"] is not None],
        "agreements": _agreements(analysis),
        "methods": methods_text(study.protocol, analysis),
        "checklist": checklist(study.protocol, analysis),
        "basis": _basis(analysis),
        "crossed_over": crossed_over(analysis),
        "reading_word": reading_word(analysis),
        "further_arms": _further_arms(analysis),
        "order": _order(analysis.get("order")),
        "finished": finished(analysis["flow"]["readers"]),
        "simulated": study.assignments.filter(simulated=True).exists(),
    }


def _model_note(classifier: dict[str, Any]) -> str:
    """Under Table 1a: whose numbers these are, and how it began."""
    if not classifier.get("name"):
        return ""
    kind, _, why = str(classifier.get("initialisation") or "not recorded").partition("; ")
    began = f"{kind} ({why.rstrip('.')})" if why else kind
    network = f"{classifier['name']}, {classifier['arch']}" if classifier.get("arch") else classifier["name"]
    return f"Classifier: {network}. First weights: {began}. Its own weights: {classifier['weights_sha256'][:12]}…"


def _headline(primary: dict[str, Any], pair: dict[str, Any] | None, ladder: bool) -> str:
    if primary["ci"] is None and ladder:
        return "Pairs on a ladder: what fools the model, and what readers see"
    if pair:
        return "Pair comparison"
    if primary["ci"] is None:
        return "No comparison could be made"
    if primary.get("withheld"):
        return "No verdict is given"
    return VERDICTS[primary["verdict"]].format(margin=100 * (primary["margin"] or 0))


_ARMS = {
    "natural-worst": "Natural changes at their worst (natural-worst)",
    "natural-random": "Natural changes at random (natural-random)",
    "noise": "Noise of equal energy (noise)",
    "universal": "Universal perturbation (universal)",
}
"""Arms whose names say little by themselves."""


def _further_arms(analysis: dict[str, Any]) -> list[dict[str, Any]]:
    """The other comparisons, one after the other: what is compared with what, and its result."""
    found = [
        {"title": _ARMS.get(arm, f"Arm: {arm}"), "arm": arm, "reference": "Original", "value": value}
        for arm, value in analysis["controls"].items()
    ]
    for name, value in (analysis.get("against_noise") or {}).items():
        arm, _, reference = name.partition(" against ")
        found.append({"title": name.capitalize(), "arm": arm, "reference": reference or "noise", "value": value})
    return found


_ORDER = (
    ("Change, every answer", "all_answers"),
    ("Change, first meeting with a patch alone", "first_exposure"),
    ("First meetings less every answer", "first_less_all"),
    ("Change where the original came first", "original_first"),
    ("Change where the perturbed patch came first", "perturbed_first"),
    ("Carry-over: both arms together, perturbed first less original first", "carry_over"),
    ("Period: the second meeting less the first", "period"),
)
_COURSES = (("Per 100 images of a set", "within_set"), ("From one set to the next", "between_sets"))


def _order(found: dict[str, Any] | None) -> dict[str, Any]:
    """The lines of the table on order and learning."""
    if not found:
        return {}
    rows = [(title, found[key]) for title, key in _ORDER]
    for title, key in _COURSES:
        rows += [(f"{title}, {arm}", found[key][arm]) for arm in ("original", "perturbed", "difference")]
    return {"rows": rows, "statement": found["statement"], "design": found["design"]}


def _basis(analysis: dict[str, Any]) -> dict[str, Any]:
    """What the verdict rests on, which is less than what was read: patches with tumour, readers who saw both arms."""
    n, primary = analysis["n"], analysis["primary"]
    if primary["ci"] is None:
        return {"readers": n["readers"], "patches": n["patches"], "readings": n["sets"], "of": "patches", "beside": ""}
    answered = {row["set"] for row in analysis["table_1b"] if row["original"]["n"] + row["perturbed"]["n"]}
    beside = [f"{n['negatives']} patches without tumour"] if n["negatives"] else []
    apart = n["readers"] - primary["readers"]
    beside += [f"{apart} reader{'s' * (apart != 1)} without answers in both arms"] if apart else []
    return {
        "readers": primary["readers"],
        "patches": primary["patches"],
        "readings": len({row["set"] for row in analysis["per_set"]} if crossed_over(analysis) else answered),
        "of": "patches with tumour",
        "beside": " and ".join(beside),
    }


def _table_1b(analysis: dict[str, Any]) -> dict[str, Any]:
    """Table 1b with a pair of columns per set: the model (the same in every set), the readers, the published rows."""
    published = analysis["published"]["table_1b"]
    sets = sorted({row["set"] for row in analysis["table_1b"]} | {row["set"] for row in published})

    def row(who: str, by_set: dict[int, dict[str, Any]]) -> dict[str, Any]:
        empty = {"original": None, "perturbed": None}
        found = [by_set.get(number, empty) for number in sets]
        return {"who": who, "cells": [(one["original"], one["perturbed"]) for one in found]}

    def rows(source: list[dict[str, Any]], title: str) -> list[dict[str, Any]]:
        readers = dict.fromkeys(one["reader"] for one in source)
        return [
            row(title.format(reader), {one["set"]: one for one in source if one["reader"] == reader})
            for reader in readers
        ]

    groups = [{"kind": "readers", "rows": rows(analysis["table_1b"], "Reader {}")}]
    groups.append({"kind": "published", "rows": rows(published, "Pathologist")})
    model = analysis.get("model") or {}
    if "original" in model and "perturbed" in model:
        groups.insert(0, {"kind": "model", "rows": [row("Model", dict.fromkeys(sets, model))]})
    return {"sets": sets, "groups": groups}


def _pair_statement(pair: dict[str, Any]) -> str:
    """What the forced choice shows, over readers."""
    mean, readers = pair["mean_proportion"], pair["per_reader"]
    correct, n = (sum(row["value"][key] for row in readers) for key in ("correct", "n"))
    spread = ""
    if mean["ci95"]:
        spread = (
            f"; mean over {mean['readers']} readers {percent(mean['mean'])} (95 % interval {percents(mean['ci95'])})"
        )
    most = max(row["value"]["upper95"] for row in readers)
    return (
        f"The altered image was named in {correct} of {n} comparisons{spread}; guessing gives 50 %. "
        f"The highest one-sided 95 % bound of a reader is {percent(most)}."
    )


def _agreements(analysis: dict[str, Any]) -> list[dict[str, Any]]:
    """Columns of the agreement table: {title, value}."""
    intra, inter = analysis["intra_reader"] or {}, analysis["inter_reader"] or {}
    columns = [
        {"title": f"Set against set, {arm}", "value": intra[arm]} for arm in ("original", "perturbed") if intra.get(arm)
    ]
    columns += [
        {"title": f"Between readers, {arm}", "value": inter[arm]} for arm in ("original", "perturbed") if inter.get(arm)
    ]
    if inter:
        columns.append({"title": "Between readers, both", "value": inter})
    return columns


def report_html(study: Study, analysis: dict[str, Any]) -> str:
    """The whole report as text; figures are embedded, nothing is fetched."""
    figures = {}
    for name, draw in FIGURES.items():
        drawn = draw(analysis)
        if drawn is not None:
            figures[name] = "data:image/svg+xml;base64," + b64encode(drawn).decode()
    context = {
        **page_context(study, analysis),
        "figures": figures,
        "model_figures": model_figures(study),
        "made_at": timezone.now(),
        "report": True,
    }
    return render_to_string("study/report.html", context)
