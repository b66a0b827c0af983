"""Classifiers, cross-validations and attacks: ordered here, watched as jobs, compared side by side."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from attacks.models import Perturbation
from core.errors import BadInput
from model.models import Classifier
from study import office_selectors, orders
from study.office_forms import AttackForm, CrossValidateForm, TrainForm
from study.views.office_common import paged, researcher_page, say_at_field
from study.views.office_data import image_response

page_methods = require_http_methods(["GET", "HEAD", "POST"])
PAPER_TABLE_1A = {"accuracy": 0.89, "accuracy_sd": 0.014, "auc": 0.96, "auc_sd": 0.004}


def order_page(request: HttpRequest, form_class: type, order: Any, **page: str) -> HttpResponse:
    """A form that orders a job. Choices in the address fill it in."""
    posted = request.method == "POST"
    form = form_class(request.POST, request.FILES) if posted else form_class(initial=request.GET.dict())
    if posted and form.is_valid():
        try:
            job = order(by=request.user, **form.cleaned_data)
        except BadInput as error:
            say_at_field(form, error)
        else:
            return redirect("office:job", pk=job.pk)
    return render(request, "office/order.html", {"form": form} | page, status=400 if form.errors else 200)


@require_safe
@researcher_page
def classifiers(request: HttpRequest) -> HttpResponse:
    context = {
        "classifiers": office_selectors.classifiers(),
        "rows": office_selectors.table_1a_rows(),
        "paper": PAPER_TABLE_1A,
    }
    return render(request, "office/classifiers.html", context)


@page_methods
@researcher_page
def new_classifier(request: HttpRequest) -> HttpResponse:
    def order(*, preset: str, **given: Any):
        return orders.train(preset_name=preset, **given)

    return order_page(
        request,
        TrainForm,
        order,
        title="Train a classifier",
        back="office:classifiers",
        lead="Patches of one slide or patient are kept together: in training, or in the test.",
        submit="Train",
    )


@page_methods
@researcher_page
def new_cross_validation(request: HttpRequest) -> HttpResponse:
    def order(*, preset: str, **given: Any):
        return orders.cross_validate(preset_name=preset, **given)

    return order_page(
        request,
        CrossValidateForm,
        order,
        title="Cross-validate",
        back="office:classifiers",
        lead="Table 1a: mean and standard deviation over runs and folds. Each finished fold is kept.",
        submit="Cross-validate",
    )


@require_safe
@researcher_page
def classifier(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Classifier.objects.select_related("dataset").defer("test_probabilities"), pk=pk)
    confusion = found.metrics.get("confusion")
    context = {
        "classifier": found,
        "train_count": len(found.split.get("train", [])),
        "test_count": len(found.split.get("test", [])),
        "grouped": found.split.get("grouped"),
        "confusion": confusion,
        "settings": office_selectors.in_words(found.settings),
        "attacks": [
            {"attack": one, "share": office_selectors.flip_share(one)} for one in office_selectors.attacks(found)
        ],
        "rows": office_selectors.table_1a_rows(found.dataset),
        "paper": PAPER_TABLE_1A,
    }
    return render(request, "office/classifier.html", context)


@require_safe
@researcher_page
def attacks(request: HttpRequest) -> HttpResponse:
    page = paged(request, office_selectors.attacks())
    rows = [{"attack": one, "share": office_selectors.flip_share(one)} for one in page]
    return render(request, "office/attacks.html", {"rows": rows, "page": page})


@page_methods
@researcher_page
def new_attack(request: HttpRequest) -> HttpResponse:
    return order_page(
        request,
        AttackForm,
        orders.attack,
        title="Attack a classifier",
        back="office:attacks",
        lead="Its test patches are changed until the answer to the displayed 8-bit image is wrong.",
        submit="Attack",
    )


@require_POST
@researcher_page
def order_curves(request: HttpRequest, pk: int) -> HttpResponse:
    """Fig. 4 of a classifier, as a job."""
    return redirect(
        "office:job", pk=orders.success_curves(classifier=get_object_or_404(Classifier, pk=pk), by=request.user).pk
    )


@require_safe
@researcher_page
def attack(request: HttpRequest, pk: int) -> HttpResponse:
    """What came of an attack, and a gallery of the flipped patches with their norms."""
    found = get_object_or_404(office_selectors.attacks(), pk=pk)
    flipped = found.perturbations.filter(flipped=True).select_related("patch").order_by("l2")
    context = {
        "attack": found,
        "share": office_selectors.flip_share(found),
        "page": paged(request, flipped),
        "settings": office_selectors.in_words(found.settings),
    }
    return render(request, "office/attack.html", context)


@require_safe
@researcher_page
def perturbed_image(request: HttpRequest, pk: int) -> HttpResponse:
    perturbation = get_object_or_404(Perturbation.objects.exclude(image=""), pk=pk)
    return image_response(perturbation.image.name, perturbation.sha256)
