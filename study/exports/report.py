"""The report: one HTML file with its figures inside, to be printed anywhere; and what the page shares with it."""

from base64 import b64encode
from typing import Any

from django.template.loader import render_to_string
from django.utils import timezone

from study.exports.figures import FIGURES
from study.exports.methods import checklist, methods_text
from study.exports.tables import table_1a
from study.models import Study

VERDICTS = {
    "equivalent": "Equivalent at the margin",
    "non_inferior": "Non-inferior at the margin",
    "different": "A difference was found",
    "inconclusive": "Inconclusive",
}


def page_context(study: Study, analysis: dict[str, Any]) -> dict[str, Any]:
    """What the results page and the report show."""
    primary = analysis["primary"]
    return {
        "study": study,
        "analysis": analysis,
        "primary": primary,
        "level": f"{100 * primary['level']:g}",
        "headline": VERDICTS.get(primary["verdict"] or "", "No comparison could be made"),
        "table_1a": table_1a(analysis),
        "table_1a_source": (analysis.get("model") or {}).get("table_1a"),
        "two_by_two": [row for row in analysis["per_set"] if row["delta"] is not None],
        "agreements": _agreements(analysis),
        "methods": methods_text(study.protocol, analysis),
        "checklist": checklist(study.protocol, analysis),
        "simulated": study.assignments.filter(simulated=True).exists(),
    }


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
    context = {**page_context(study, analysis), "figures": figures, "made_at": timezone.now(), "report": True}
    return render_to_string("study/report.html", context)
