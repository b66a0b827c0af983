"""Planning before the study: a form with sliders, the paper's own design, tables and curves."""

import base64
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from core.access import is_researcher
from core.errors import InvalidInput
from study.conduct.planning_figures import power_curves
from study.conduct.planning_form import PlanForm
from study.design.paper_design import paper_design
from study.design.planning import plan
from study.design.power import LARGEST_N

LABELS = {
    "mcnemar_exact": "Find the change: exact McNemar test",
    "mcnemar_midp": "Find the change: mid-p McNemar test",
    "different": "Find the change",
    "non_inferior": "Claim non-inferiority, if nothing changed",
    "equivalent": "Claim equivalence, if nothing changed",
}


@require_safe
@login_required
def page(request: HttpRequest) -> HttpResponse:
    """The form, and its plan. Bad values stay in the form with the reason beside them."""
    form, made = _planned(request)
    context: dict[str, Any] = {"form": form, "paper": _paper()}
    if made is not None:
        patches = made["assumptions"]["patches"]
        context |= {
            "plan": made,
            "one_reading": _rows(made["one_reading"]["power"], made["one_reading"]["smallest_n"], LARGEST_N),
            "crossed": _rows(
                made["crossed"]["power"],
                made["crossed"]["smallest_patches"],
                made["crossed"]["largest_tried"],
                made["crossed"]["monte_carlo_error"],
            ),
            "one_reading_svg": _address(power_curves(made["one_reading"], patches)),
            "crossed_svg": _address(power_curves(made["crossed"], patches)),
            "query": request.GET.urlencode(),
        }
    return render(request, "study/plan.html", context)


@require_safe
@login_required
def document(request: HttpRequest) -> HttpResponse:
    """The same plan as one JSON document, as ``plan_study --json`` prints it."""
    form, made = _planned(request)
    if made is None:
        return JsonResponse({"errors": form.errors}, status=400)
    response = JsonResponse(made, json_dumps_params={"indent": 2})
    response["Content-Disposition"] = 'attachment; filename="plan.json"'
    return response


def _paper() -> dict[str, Any]:
    """The paper's design in the words and points of the page."""
    paper = paper_design()
    drop, p = paper["power_of_a_drop"], paper["mcnemar_exact_p"]
    return paper | {
        "rows": [f"{right} of {paper['patches']}" for right in paper["true_positives"]],
        "p": " to ".join(sorted({f"{value:.2g}" for part in p.values() for value in part})),
        "margin": {
            name: [f"{100 * value:.1f}" for value in span] for name, span in paper["smallest_claimable_margin"].items()
        },
        "quiet": {name: f"{100 * paper['one_reading_without_discordance'][name]:.1f}" for name in ("ci90", "ci95")},
        "drop": {
            "points": f"{-100 * drop['difference']:.0f}",
            "tpf": f"{100 * drop['tpf']:.1f}",
            "power": f"{drop['power']:.2f}",
            "studies": f"{drop['studies']:,}",
        },
    }


def _planned(request: HttpRequest) -> tuple[PlanForm, dict[str, Any] | None]:
    if not is_researcher(request.user):
        raise PermissionDenied
    form = PlanForm.of(request.GET.dict())
    if not form.is_valid():
        return form, None
    try:
        return form, plan(form.assumptions())
    except InvalidInput as error:
        name, _, reason = str(error).partition(": ")
        form.add_error(name if reason and name in form.fields else None, reason or str(error))
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


def _address(svg: bytes) -> str:
    # In the page itself: the curves were computed for it, and another process would have to compute them again.
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
