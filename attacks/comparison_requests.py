"""A request for a comparison of two classifiers, and the job that it becomes."""

from typing import Any

from rest_framework import serializers

from attacks.models import Comparison
from attacks.request_fields import MEASURED
from core.requests import MORE, Named, Request, as_json, device_field, seed_field
from jobs.models import Job
from jobs.requests import free_name
from jobs.services import submit_once
from model.models import Classifier
from model.requests import name_field


class ComparisonRequest(Request):
    """Two classifiers on the same test patches: accuracy as they are and under attack, calibration, smallest flips."""

    command_only = ("device",)
    positional = ("first", "second")

    first = Named(word="classifier", queryset=Classifier.objects.all(), help_text="Such as the one trained as usual.")
    second = Named(word="classifier", queryset=Classifier.objects.all(), help_text="Such as its defended twin.")
    name = name_field(default="", allow_blank=True, help_text="Name of the comparison; made of both if left out.")
    norms = serializers.ListField(
        child=serializers.ChoiceField(choices=MEASURED),
        default=list,
        help_text="What budgets limit; L∞ and L2 if none is chosen.",
    )
    natural = serializers.BooleanField(
        default=False,
        label="Natural changes, too",
        help_text="Each natural change at its worst, within the bounds by which the data set's slides differ.",
    )
    patches = serializers.IntegerField(
        min_value=10,
        max_value=1_000_000,
        allow_null=True,
        default=None,
        help_text="So many of the common test patches only, drawn by the seed; all if left out.",
        style={"section": MORE},
    )
    seed = seed_field(style={"section": MORE})
    device = device_field()


def compare(*, first: Classifier, second: Classifier, by: Any, name: str = "", **settings: Any) -> Job:
    """Two classifiers side by side; ``settings`` are those of ``ComparisonRequest``."""
    name = free_name("compare", Comparison, name, "comparison") if name.strip() else ""
    arguments = as_json(ComparisonRequest, {"first": first, "second": second, "name": name} | settings)
    title = f"Compare {first.name} with {second.name}"
    return submit_once(kind="compare", arguments=arguments, requested_by=by, title=title[:200])
