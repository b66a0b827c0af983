"""Requests for attacks of every kind, success curves and imports of pairs: their settings, and the jobs they become."""

from typing import Any

from rest_framework import serializers

from attacks.engine.curves import AXES
from attacks.engine.recipe import DEFAULT_STEPS, minimal_recipe
from attacks.models import Attack, PairSet
from attacks.request_fields import (
    CHANGES,
    FOLDED,
    LOSSES,
    MEASURED,
    NORMS,
    ROUNDINGS,
    STAINS,
    STEP_RULES,
    UNIVERSAL_LOSSES,
    WORST,
    AttackSettings,
    budget_field,
    chunk_field,
    kind_field,
    norm_field,
    parts_field,
    patches_field,
    positives_only_field,
)
from attacks.selectors import chunk_for
from core.errors import InvalidInput
from core.requests import Named, Number, Request, as_json, device_field, seed_field
from jobs.models import Job
from jobs.requests import free_name, import_source
from jobs.services import submit, submit_once
from model.models import Classifier
from model.requests import folder_fields, name_field, skip_bad_field

PAIRS_CSV = "pairs.csv (original,perturbed,label[,group,attack,budget])"


class GradientAttackRequest(AttackSettings):
    """Projected gradient descent within a budget (section 2.2, equation 1)."""

    command_only = ("device", "chunk", "amp")
    not_in_command = ("kind", "parts")

    kind = kind_field("pgd")
    norm = norm_field(NORMS, "What the budget limits.")
    budget = budget_field()
    steps = serializers.IntegerField(
        min_value=1,
        max_value=10_000,
        allow_null=True,
        default=None,
        label="Step limit",
        help_text="A patch ends earlier once it flips; 50 (100 by sparse steps) if left out.",
    )
    confidence = Number(
        min_value=0,
        max_value=0.999999,
        default=0.0,
        help_text="Probability that the wrong class must reach; 0: any that wins.",
    )
    positives_only = positives_only_field()
    paper = serializers.BooleanField(
        default=False,
        label="Exactly as in the paper",
        help_text="The raw cross-entropy gradient, judged on floats and rounded afterwards.",
    )
    step_rule = serializers.ChoiceField(
        choices=STEP_RULES,
        allow_null=True,
        default=None,
        help_text="How a step is made; sparse for L0 and L1, by the sign for L∞, else along the gradient, if left out.",
        style=FOLDED | {"empty": "as fits the norm"},
    )
    step_size = Number(
        min_value=1e-9,
        allow_null=True,
        default=None,
        help_text="In 0-255 units; a quarter of the budget if left out.",
        style=FOLDED,
    )
    loss = serializers.ChoiceField(choices=LOSSES, default="margin", help_text="What is climbed.", style=FOLDED)
    rounding = serializers.ChoiceField(
        choices=ROUNDINGS, default="aware", help_text="When a patch counts as flipped.", style=FOLDED
    )
    random_start = serializers.BooleanField(
        default=False, help_text="Noise within the budget before the first step.", style=FOLDED
    )
    amp = serializers.BooleanField(
        default=False, help_text="Gradients in bfloat16, on a GPU only; verdicts stay float32.", style=FOLDED
    )
    chunk = chunk_field()
    parts = parts_field()


class MinimalAttackRequest(AttackSettings):
    """The smallest displayed perturbation of each patch."""

    command_only = ("device", "chunk")
    not_in_command = ("kind", "parts")

    kind = kind_field("minimal")
    norm = norm_field(MEASURED, "What is made as small as possible.")
    positives_only = positives_only_field()
    patches = patches_field()
    rescaled = serializers.BooleanField(default=False, help_text="L1 only: the paper's rescaled L1.", style=FOLDED)
    steps = serializers.IntegerField(
        min_value=2,
        max_value=10_000,
        allow_null=True,
        default=None,
        label="Gradient steps",
        help_text="If left out: "
        + ", ".join(f"{steps} for {norm.upper()}" for norm, steps in DEFAULT_STEPS.items() if "-" not in norm)
        + ".",
        style=FOLDED,
    )
    chunk = chunk_field()
    parts = parts_field()

    def validate(self, settings: dict[str, Any]) -> dict[str, Any]:
        try:
            minimal_recipe(norm=settings["norm"], rescaled=settings["rescaled"])
        except InvalidInput as error:
            raise serializers.ValidationError({"rescaled": [error.message]}) from None
        return super().validate(settings)


class UniversalAttackRequest(AttackSettings):
    """One perturbation for many patches (section 3.3, equation 2), learned on the training positives."""

    kind = kind_field("universal")
    norm = norm_field(NORMS, "What the budget limits.")
    budget = budget_field()
    paper = serializers.BooleanField(
        default=False, label="Exactly as in the paper", help_text="One patch at a time, raw steps."
    )
    passes = serializers.IntegerField(
        min_value=1,
        max_value=10_000,
        allow_null=True,
        default=None,
        help_text="Over the training positives; 10 (the paper's 5) if left out.",
        style=FOLDED,
    )
    batch = serializers.IntegerField(
        min_value=1,
        max_value=65_536,
        allow_null=True,
        default=None,
        help_text="Patches per step; 16 (the paper's 1) if left out.",
        style=FOLDED,
    )
    step_size = Number(
        min_value=1e-9,
        allow_null=True,
        default=None,
        help_text="In 0-255 units; exactly as in the paper: times the gradient. A tenth of the budget if left out.",
        style=FOLDED,
    )
    momentum = Number(
        min_value=0,
        max_value=0.999999,
        allow_null=True,
        default=None,
        help_text="Share of the direction so far that is kept; 0.9 (the paper's 0) if left out.",
        style=FOLDED,
    )
    loss = serializers.ChoiceField(
        choices=UNIVERSAL_LOSSES,
        allow_null=True,
        default=None,
        help_text="What is climbed; the margin (the paper's: ce) if left out.",
        style=FOLDED | {"empty": "as fits the recipe"},
    )
    lead = Number(
        min_value=0,
        allow_null=True,
        default=None,
        help_text="Patches whose wrong class leads by so many logits are left out of a step; 1 if left out.",
        style=FOLDED,
    )
    sizes = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=1_000_000),
        max_length=50,
        default=list,
        label="Learn on fewer, too",
        help_text="Numbers of training positives: how the success grows with them.",
        style=FOLDED,
    )


class NaturalChangesRequest(AttackSettings):
    """Blur, JPEG, stain and the like in steps of strength: a yardstick for an attack's energy."""

    kind = kind_field("natural")
    kinds = serializers.ListField(
        child=serializers.ChoiceField(choices=CHANGES),
        default=list,
        label="Changes",
        help_text="Which changes; all of them if none is chosen.",
    )


class WorstCaseRequest(AttackSettings):
    """Natural changes at their worst within bounds, beside random draws within the same bounds."""

    kind = kind_field("worst")
    kinds = serializers.ListField(
        child=serializers.ChoiceField(choices=WORST),
        default=list,
        label="Changes",
        help_text="Which changes; all of them if none is chosen.",
    )
    patches = patches_field()
    bounds = serializers.ListField(
        child=serializers.CharField(max_length=60),
        max_length=20,
        default=list,
        help_text="Such as blur=0.1..0.8 or eosin gain=0.9..1.1, instead of those measured between slides or fixed.",
        style=FOLDED,
    )
    quantile = Number(
        min_value=0.001,
        max_value=0.499,
        default=0.05,
        help_text="Of the slides' own spread: bounds lie at this quantile and at 1 less it.",
        style=FOLDED,
    )
    steps = serializers.IntegerField(
        min_value=1, max_value=1000, default=10, label="Gradient steps", help_text="Of each climb.", style=FOLDED
    )
    stains = serializers.ChoiceField(
        choices=STAINS, default="ruifrok", label="Colours of the stains", help_text="Densities.", style=FOLDED
    )
    stain_matrix = serializers.ListField(
        child=Number(min_value=0, max_value=10),
        default=list,
        max_length=6,
        label="Colours given",
        help_text="Six densities: of haematoxylin in red, green and blue, then of eosin; instead of those above.",
        style=FOLDED,
    )


ATTACKS: dict[str, tuple[str, type[Request]]] = {
    "pgd": ("attack", GradientAttackRequest),
    "minimal": ("minimal", MinimalAttackRequest),
    "universal": ("universal", UniversalAttackRequest),
    "natural": ("corruptions", NaturalChangesRequest),
    "worst": ("worst_case", WorstCaseRequest),
}
"""The kind of job of each kind of attack, and what it is asked for."""


class CurvesRequest(Request):
    """Success against budget of a classifier (Fig. 4)."""

    command_only = ("classifier", "device")  # the address of page and API names the classifier
    positional = ("classifier",)

    classifier = Named(word="classifier", queryset=Classifier.objects.all(), help_text="Whose patches are changed.")
    norms = serializers.ListField(
        child=serializers.ChoiceField(choices=list(AXES.items())),
        default=list,
        help_text="Which norms are searched; all of them if none is chosen.",
    )
    patches = patches_field()
    checks = serializers.IntegerField(
        min_value=0, max_value=20, default=2, help_text="Attacks at single budgets per norm, to check the curve by."
    )
    check_patches = serializers.IntegerField(
        min_value=1, max_value=100_000, default=64, label="Patches of a check", help_text="How many patches they see."
    )
    seed = seed_field()
    device = device_field()


class PairsRequest(Request):
    """Pairs of a folder with pairs.csv: an uploaded zip file, or a folder on the server."""

    not_in_command = ("upload",)
    positional = ("folder",)

    name = name_field(help_text="Name of the new set of pairs.")
    upload, folder = folder_fields(PAIRS_CSV)
    classifier = Named(
        word="classifier",
        queryset=Classifier.objects.all(),
        allow_null=True,
        default=None,
        help_text="Its verdicts on the pairs are recorded, so that readers can be compared with it.",
    )
    skip_bad = skip_bad_field()


def attack(*, classifier: Classifier, by: Any, kind: str = "pgd", name: str = "", parts: int = 1, **more: Any) -> Job:
    """Perturbations of a classifier's test patches; ``more`` are settings of the request of that kind of attack."""
    work, declared = ATTACKS[kind]
    name = free_name(work, Attack, name, "attack") if name.strip() else ""
    settings = as_json(declared, more | {"name": name, "classifier": classifier})
    if parts > 1:
        positives_only = settings.get("positives_only", False)
        settings["chunk"] = chunk_for(classifier, workers=parts, positives_only=positives_only)
    title = f"Attack {classifier.name}: {name or Attack.Kind(kind).label}"
    return submit_once(kind=work, arguments=settings, requested_by=by, title=title, parts=parts)


def success_curves(*, classifier: Classifier, by: Any, **settings: Any) -> Job:
    """Fig. 4 of a classifier; ``settings`` are those of ``CurvesRequest``."""
    arguments = as_json(CurvesRequest, {"classifier": classifier} | settings)
    title = f"Success curves of {classifier.name}"
    return submit_once(kind="success_curves", arguments=arguments, requested_by=by, title=title)


def import_pairs(
    *,
    name: str,
    by: Any,
    upload: Any = None,
    folder: str = "",
    classifier: Classifier | None = None,
    skip_bad: bool = False,
) -> Job:
    """Pairs of a folder with ``pairs.csv``."""
    name = free_name("import_pairs", PairSet, name, "set of pairs")
    arguments = {"name": name, "classifier": classifier.name if classifier else "", "skip_bad": skip_bad}
    arguments |= import_source(upload=upload, folder=folder)
    return submit(kind="import_pairs", arguments=arguments, requested_by=by, title=f"Import pairs: {name}")
