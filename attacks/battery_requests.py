"""What can be asked of several attacks and several classifiers at once: a battery, and a table of transfer."""

from typing import Any

from rest_framework import serializers

from attacks.engine.norms import check_budget
from attacks.models import Battery, Transfer
from attacks.request_fields import (
    FOLDED,
    MEASURED,
    AttackSettings,
    limit_field,
    norm_field,
    patches_field,
)
from core.errors import InvalidInput
from core.requests import Named, Request, as_json, device_field, seed_field
from jobs.models import Job
from jobs.requests import free_name
from jobs.services import submit_once
from model.models import Classifier
from model.requests import name_field


class BatteryRequest(AttackSettings):
    """Several attacks of different kinds within one budget: what stands against all of them is the robust accuracy."""

    not_in_command = ()

    name = name_field(default="", allow_blank=True, help_text="Name of the battery; made of its settings if left out.")
    norm = norm_field(MEASURED, "What the budget limits.")
    budget = limit_field()
    patches = patches_field()
    others = Named(
        word="classifier",
        queryset=Classifier.objects.all(),
        many=True,
        default=list,
        label="Other classifiers",
        help_text="Perturbations made on these are tried on this one, too (transfer).",
    )
    every = serializers.BooleanField(
        default=False,
        label="Every attack on every patch",
        help_text="Else an attack is asked only about patches that stood against those before it.",
    )
    restarts = serializers.IntegerField(
        min_value=0, max_value=100, default=1, help_text="Random starts of the descent.", style=FOLDED
    )
    steps = serializers.IntegerField(
        min_value=2, max_value=10_000, default=100, label="Gradient steps", help_text="Of each walk.", style=FOLDED
    )
    queries = serializers.IntegerField(
        min_value=0,
        max_value=1_000_000,
        default=1000,
        label="Queries of the black-box search",
        help_text="Answers per patch that stands; 0 leaves the search out.",
        style=FOLDED,
    )


class TransferRequest(Request):
    """Perturbations made on each of several classifiers, shown to each of them."""

    command_only = ("device",)
    positional = ("classifiers",)

    name = name_field(default="", allow_blank=True, help_text="Name of the table; made of its settings if left out.")
    classifiers = Named(
        word="classifier",
        queryset=Classifier.objects.all(),
        many=True,
        help_text="Two or more: each is attacked with what was made on every other.",
    )
    norm = norm_field(MEASURED, "What the budget limits.")
    budget = limit_field()
    patches = patches_field()
    seed = seed_field()
    device = device_field()

    def validate(self, settings: dict[str, Any]) -> dict[str, Any]:
        try:
            check_budget(settings["norm"], settings["budget"])
        except InvalidInput as error:
            raise serializers.ValidationError({"budget": [error.message]}) from None
        if len({one.pk for one in settings["classifiers"]}) < 2:
            raise serializers.ValidationError({"classifiers": ["Choose two or more."]})
        return settings


def battery(*, classifier: Classifier, by: Any, name: str = "", **settings: Any) -> Job:
    """Several attacks on a classifier's test patches; ``settings`` are those of ``BatteryRequest``."""
    name = free_name("battery", Battery, name, "battery") if name.strip() else ""
    arguments = as_json(BatteryRequest, settings | {"name": name, "classifier": classifier})
    title = f"Battery of attacks on {classifier.name}"
    return submit_once(kind="battery", arguments=arguments, requested_by=by, title=title)


def transfer(*, classifiers: list[Classifier], by: Any, name: str = "", **settings: Any) -> Job:
    """Perturbations made on each of several classifiers, shown to each; ``settings`` as in ``TransferRequest``."""
    name = free_name("transfer", Transfer, name, "transfer table") if name.strip() else ""
    arguments = as_json(TransferRequest, settings | {"name": name, "classifiers": classifiers})
    title = f"Transfer between {len(classifiers)} classifiers"
    return submit_once(kind="transfer", arguments=arguments, requested_by=by, title=title)
