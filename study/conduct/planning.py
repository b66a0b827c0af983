"""The planning page: a form with sliders, the paper's own design, tables and power curves."""

import base64
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from core.access import researcher_page
from core.errors import InvalidInput
from core.pages import show_error
from study.conduct import planner
from study.conduct.planner import Planned
from study.conduct.planning_form import PlanForm, TaskForm
from study.conduct.sight_forms import BiasForm, LadderForm
from study.design.power import LARGEST_N
from study.models import Study
from study.protocol.duration import SECONDS

FORMS: dict[str, type[TaskForm]] = {form.task: form for form in (PlanForm, LadderForm, BiasForm)}
TITLES = {
    "": "Labelling: original against perturbed",
    "ladder": "Ladder: where is the change seen?",
    "bias": "Bias: does it look more like tumour?",
}
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
    paper = None if form.task else planner.paper()
    context: dict[str, Any] = {"form": form, "paper": paper and _paper(paper), "tasks": _tasks(form.task)}
    context["about_spreads"] = form.folded_help
    if planned is not None:
        context |= _shown(form.task, planned) | {"query": request.GET.urlencode()}
    missing = paper is None and not form.task
    context["calculating"] = missing or (planned is None and not form.errors)
    return render(request, "study/plan.html", context)


def _tasks(chosen: str) -> list[dict[str, Any]]:
    return [{"task": task, "title": TITLES[task], "chosen": task == chosen} for task in FORMS]


def _shown(task: str, planned: Planned) -> dict[str, Any]:
    plan = planned.plan
    figures = {f"{name}_svg": _data_address(svg) for name, svg in planned.figures.items()}
    return {"plan": plan, "results": f"study/plan/_{task or 'labelling'}.html", **figures, **_OF_TASK[task](plan)}


def _labelling(plan: dict[str, Any]) -> dict[str, Any]:
    crossed = plan["crossed"]
    return {
        "one_reading": _rows(plan["one_reading"]["power"], plan["one_reading"]["smallest_n"], LARGEST_N),
        "crossed": _rows(
            crossed["power"], crossed["smallest_patches"], crossed["largest_tried"], crossed["monte_carlo_error"]
        ),
    }


def _ladder(plan: dict[str, Any]) -> dict[str, Any]:
    seconds = SECONDS[Study.Task.PAIR] * plan["pairs_per_reader"]
    return {
        "minutes": max(1, round(seconds / 60)),
        "sizes": [
            ("Readers", "readers", plan["by_readers"], plan["assumptions"]["readers"]),
            ("Patches", "patches", plan["by_patches"], plan["assumptions"]["patches"]),
        ],
    }


def _bias(plan: dict[str, Any]) -> dict[str, Any]:
    tried = plan["largest_tried"]
    asked = plan["assumptions"]["pairs"] * plan["assumptions"]["sets"]
    return {
        "needed": [f"over {tried:,}" if n is None else f"{n:,}" for n in plan["pairs_needed"].values()],
        "minutes": max(1, round(SECONDS[Study.Task.BIAS] * asked / 60)),
    }


_OF_TASK: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {"": _labelling, "ladder": _ladder, "bias": _bias}


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


def _plan_of(request: HttpRequest) -> tuple[Any, Planned | None]:
    """The form of the task, and its plan if its values can be planned with and it has been computed."""
    form = FORMS.get(request.GET.get("task", ""), PlanForm).filled(request.GET.dict())
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
