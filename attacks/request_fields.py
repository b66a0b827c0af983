"""What the requests of attacks share: the choices that there are, and the fields that several have."""

from typing import Any

from rest_framework import serializers

from attacks.engine.norms import check_budget, check_reachable
from attacks.models import Attack
from attacks.selectors import CHUNK
from core.errors import InvalidInput
from core.requests import MORE, Named, Number, Request, device_field, seed_field
from model.models import Classifier
from model.requests import name_field

MEASURED = [
    ("linf", "L∞: largest change of any channel"),
    ("l2", "L2: root mean squared change"),
    ("l1", "L1: mean absolute change"),
    ("l0", "L0: share of pixels changed"),
]
NORMS = [*MEASURED, ("none", "no limit")]
LOSSES = [("margin", "margin between the classes"), ("ce", "the paper's cross-entropy")]
UNIVERSAL_LOSSES = [*LOSSES, ("features", "distance of the features from where they were, which needs no label")]
STEP_RULES = [
    ("sign", "by the gradient's sign"),
    ("l2", "along the gradient"),
    ("sparse", "few components, the strongest for L0 and L1"),
    ("adaptive", "of adaptive length (APGD), the strongest for L2 and L∞"),
    ("raw", "a multiple of the gradient, as in the paper"),
]
ROUNDINGS = [
    ("aware", "judged on the displayed image"),
    ("nearest", "rounded to the nearest afterwards"),
    ("truncate", "cut off afterwards"),
]
CHANGES = [
    ("jpeg", "JPEG compression"),
    ("noise", "noise"),
    ("blur", "blur"),
    ("brightness", "brightness"),
    ("haematoxylin", "haematoxylin stain"),
    ("eosin", "eosin stain"),
]
WORST = [
    ("stain", "stain: gains and shifts of haematoxylin, eosin and the rest"),
    ("tone", "brightness, contrast and gamma"),
    ("blur", "out of focus"),
    ("place", "a small shift and turn"),
    ("rotation", "rotation"),
    ("zoom", "zoom"),
    ("crop", "crop: a part of the patch, enlarged"),
    ("jpeg", "JPEG compression"),
    ("resample", "scaled down and up again"),
    ("flip", "flips and quarter turns"),
    ("noise", "noise"),
]
STAINS = [
    ("ruifrok", "those that Ruifrok and Johnston measured"),
    ("macenko", "estimated from the data set's patches (Macenko et al. 2009)"),
]
FOLDED = {"section": MORE}


def norm_field(norms: list[tuple[str, str]], help_text: str) -> serializers.ChoiceField:
    return serializers.ChoiceField(choices=norms, default="linf", help_text=help_text)


def budget_field() -> Number:
    return Number(
        min_value=0,
        max_value=255,
        allow_null=True,
        default=None,
        help_text="In 0-255 units on displayed bytes; for L0 a share of pixels. Left out where there is no limit.",
        style={"suggested": 8},
    )


def limit_field() -> Number:
    return Number(
        min_value=0,
        max_value=255,
        help_text="In 0-255 units on displayed bytes; for L0 a share of pixels.",
        style={"suggested": 8},
    )


def positives_only_field() -> serializers.BooleanField:
    return serializers.BooleanField(
        default=False, label="Positives only", help_text="Leave the patches without tumour alone."
    )


def chunk_field() -> serializers.IntegerField:
    return serializers.IntegerField(
        min_value=1,
        max_value=100_000,
        allow_null=True,
        default=None,
        help_text=f"Patches attacked and stored together; {CHUNK}, and eight times that on a GPU, if left out.",
    )


def patches_field() -> serializers.IntegerField:
    return serializers.IntegerField(
        min_value=1,
        max_value=1_000_000,
        allow_null=True,
        default=None,
        label="Patches",
        help_text="Of so many test patches only, drawn by the seed; all if left out.",
    )


def parts_field() -> serializers.IntegerField:
    return serializers.IntegerField(
        min_value=1,
        max_value=64,
        default=1,
        label="Workers",
        help_text="Split over workers: how many share the patches.",
    )


class AttackSettings(Request):
    """What every kind of attack is asked for."""

    command_only: tuple[str, ...] = ("device",)
    not_in_command: tuple[str, ...] = ("kind",)
    positional = ("classifier",)

    name = name_field(default="", allow_blank=True, help_text="Name of the attack; made of its settings if left out.")
    classifier = Named(word="classifier", queryset=Classifier.objects.all(), help_text="Whose patches are changed.")
    seed = seed_field(style=FOLDED)
    device = device_field()

    def validate(self, settings: dict[str, Any]) -> dict[str, Any]:
        if "budget" in settings:
            try:
                budget = check_budget(settings["norm"], settings["budget"])
                if settings.get("classifier") is not None:
                    size = settings["classifier"].dataset.size
                    check_reachable(settings["norm"], budget, size, size)
            except InvalidInput as error:
                raise serializers.ValidationError({"budget": [error.message]}) from None
        return settings


def kind_field(kind: str) -> serializers.ChoiceField:
    """Which kind of attack a request is for; pages and the API tell requests apart by it."""
    return serializers.ChoiceField(choices=[(kind, Attack.Kind(kind).label)], default=kind, style={"hidden": True})
