"""The planning page: a form with sliders, the paper's own design, tables and power curves."""

import base64
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from core.access import researcher_page
from core.errors import InvalidInput
from core.pages import show_error
from study.conduct import planner
from study.conduct.planner import Planned
from study.conduct.planning_form import PlanForm
from study.design.power import LARGEST_N

LABELS = {
    "mcnemar_exact": "Find the change: exact McNemar test",
    "mcnemar_midp": "Find the change: mid-p McNemar test",
    "different": "Find the change",
    "non_inferior": "Claim non-inferiority, if nothing changed",
    "equivalent": "Claim equivalence, if nothing changed",
}


@require_safe
@researcher_page
def page(request: HttpRequest) -> HttpResponse:
    """The form and its plan. Wrong values stay in the form, each with an error beside it.

    While a plan is being computed the page says so and asks again.
    """
    form, planned = _plan_of(request)
    paper = planner.paper()
    context: dict[str, Any] = {"form": form, "paper": paper and _paper(paper)}
    if planned is not None:
        context |= _shown(planned) | {"query": request.GET.urlencode()}
    context["calculating"] = paper is None or (planned is None and not form.errors)
    return render(request, "study/plan.html", context)


def _shown(planned: Planned) -> dict[str, Any]:
    plan = planned.plan
    crossed = plan["crossed"]
    return {
        "plan": plan,
        "one_reading": _rows(plan["one_reading"]["power"], plan["one_reading"]["smallest_n"], LARGEST_N),
        "crossed": _rows(
            crossed["power"], crossed["smallest_patches"], crossed["largest_tried"], crossed["monte_carlo_error"]
        ),
        "one_reading_svg": _data_address(planned.one_reading_svg),
        "crossed_svg": _data_address(planned.crossed_svg),
    }


@require_safe
@researcher_page
def document(request: HttpRequest) -> HttpResponse:
    """The same plan as a JSON document, as ``plan_study --json`` prints it; 202 while it is being computed."""
    form, planned = _plan_of(request)
    if form.errors:
        return JsonResponse({"errors": form.errors}, status=400)
    if planned is None:
        return JsonResponse({"status": "calculating"}, status=202, headers={"Retry-After": "1"})
    response = JsonResponse(planned.plan, json_dumps_params={"indent": 2})
    response["Content-Disposition"] = 'attachment; filename="plan.json"'
    return response


def _paper(paper: dict[str, Any]) -> dict[str, Any]:
    """The paper's design, its numbers formatted for the page."""
    drop, p = paper["power_of_a_drop"], paper["mcnemar_exact_p"]
    return paper | {
        "rows": [f"{right} of {paper['patches']}" for right in paper["true_positives"]],
        "p": " to ".join(sorted({f"{value:.2g}" for part in p.values() for value in part})),
        "margin": {
            name: [f"{100 * value:.1f}" for value in span] for name, span in paper["smallest_claimable_margin"].items()
        },
        "without_discordance": {
            name: f"{100 * paper['one_reading_without_discordance'][name]:.1f}" for name in ("ci90", "ci95")
        },
        "drop": {
            "points": f"{-100 * drop['difference']:.0f}",
            "tpf": f"{100 * drop['tpf']:.1f}",
            "power": f"{drop['power']:.2f}",
            "studies": f"{drop['studies']:,}",
        },
    }


def _plan_of(request: HttpRequest) -> tuple[PlanForm, Planned | None]:
    """The form, and its plan if its values can be planned with and it has been computed."""
    form = PlanForm.filled(request.GET.dict())
    if not form.is_valid():
        return form, None
    try:
        return form, planner.planned(form.assumptions())
    except InvalidInput as error:
        show_error(form, error)
        return form, None


def _rows(
    power: dict[str, float],
    smallest: dict[str, dict[str, int | None]],
    tried: int,
    errors: dict[str, float] | None = None,
) -> list[dict[str, Any]]:
    return [
        {
            "label": LABELS[name],
            "power": value,
            "error": errors[name] if errors else None,
            "needed": [f"over {tried:,}" if n is None else f"{n:,}" for n in smallest[name].values()],
        }
        for name, value in power.items()
    ]


def _data_address(svg: bytes) -> str:
    # Part of the page: at an address of its own, another process would have to compute the curves again.
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
