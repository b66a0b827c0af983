"""The study builder's form, and those of readers and of the steps of a study's life."""

from dataclasses import fields
from typing import Any

from django import forms
from django.db.models import Count, Q

from attacks.models import Attack, PairSet
from core.forms import SEED
from core.models import User
from study.models import Study
from study.protocol.settings import CONSENT, CRITERION, StudySettings

STRATA = [
    ("", "at random"),
    ("group", "over slides or patients"),
    ("tumour_cells", "over tumour-cell counts"),
    ("margin", "over the classifier’s margin"),
]
QUESTIONS = [
    ("confidence", "confidence, 1 to 5"),
    ("perturbed_response", "“was this image altered?”"),
    ("tumour_cell_count", "number of tumour cells"),
    ("note", "free note"),
]


class AttackField(forms.ModelChoiceField):
    def label_from_instance(self, attack: Attack) -> str:
        found = attack.summary.get("flipped_positives")
        negatives = attack.summary.get("flipped", 0) - (found or 0)
        pool = "" if found is None else f": {found} positive and {negatives} negative patches flipped"
        return f"{attack.name}{pool}"


class AttacksField(forms.ModelMultipleChoiceField):
    label_from_instance = AttackField.label_from_instance


def finished_attacks():
    """Those with images to show: natural changes have a table only."""
    found = Attack.objects.exclude(completed_at=None).exclude(kind=Attack.Kind.NATURAL)
    return found.defer("settings").order_by("-created_at")


def possible_readers():
    return User.objects.filter(role=User.Role.READER, is_superuser=False, is_active=True).order_by("username")


class StudyForm(forms.Form):
    """Everything that is chosen when a study is built; ``settings()`` is its part for ``StudySettings``."""

    name = forms.CharField(max_length=200)
    attack = AttackField(
        Attack.objects.none(),
        required=False,
        help_text="Its flipped patches are the pool; its images are the perturbed arm.",
    )
    further_attacks = AttacksField(
        Attack.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Further arms",
        help_text="Other attacks on the same classifier: the same patches under another norm or budget.",
    )
    pairs = forms.ModelChoiceField(
        PairSet.objects.none(), required=False, label="Or imported pairs", help_text="Instead of an attack."
    )
    positives = forms.IntegerField(initial=20, min_value=0, max_value=100_000, label="Positive cases")
    negatives = forms.IntegerField(initial=0, min_value=0, max_value=100_000, label="Negative cases")
    stratify = forms.ChoiceField(choices=STRATA, required=False, label="Draw cases")
    noise = forms.BooleanField(
        required=False,
        label="Noise control",
        help_text="Each case also with its perturbation’s own pixels shuffled: equal energy, no attack.",
    )
    catch = forms.IntegerField(
        initial=0,
        min_value=0,
        max_value=1000,
        label="Catch images",
        help_text="Cases that are also shown altered for anybody to see.",
    )
    copies = forms.IntegerField(
        initial=2, min_value=1, max_value=10, label="Sets", help_text="How often each image is read."
    )
    min_gap = forms.IntegerField(
        initial=5,
        min_value=1,
        max_value=10_000,
        label="Minimum gap",
        help_text="Positions between two images of one patch.",
    )
    washout_hours = forms.FloatField(
        initial=336,
        min_value=0,
        max_value=100_000,
        label="Wash-out (hours)",
        help_text="From the end of a set to the next; 336 is two weeks.",
    )
    task = forms.ChoiceField(choices=Study.Task.choices)
    pair_display = forms.ChoiceField(
        choices=Study.PairDisplay.choices, label="Pairs are shown", help_text="For the pair comparison."
    )
    questions = forms.MultipleChoiceField(
        choices=QUESTIONS,
        required=False,
        initial=["confidence"],
        widget=forms.CheckboxSelectMultiple,
        label="Further questions",
    )
    margin = forms.FloatField(
        required=False,
        initial=0.10,
        min_value=0.001,
        max_value=0.999,
        help_text="For equivalence and non-inferiority: 0.10 is ten points.",
    )
    alpha = forms.FloatField(initial=0.025, min_value=0.0001, max_value=0.4999, label="Level (one-sided)")
    scale = forms.IntegerField(initial=2, min_value=1, max_value=8, help_text="Screen pixels per image pixel.")
    surroundings = forms.ChoiceField(choices=Study.Surroundings.choices)
    practice = forms.IntegerField(initial=4, min_value=0, max_value=1000, label="Practice images")
    examples = forms.IntegerField(initial=4, min_value=0, max_value=1000, label="Example images")
    break_every = forms.IntegerField(
        initial=40, min_value=0, max_value=1000, label="Break after", help_text="Images between reminders; 0: none."
    )
    criterion = forms.CharField(
        initial=CRITERION, widget=forms.Textarea(attrs={"rows": 3}), label="Labelling criterion"
    )
    consent_text = forms.CharField(
        initial=CONSENT, widget=forms.Textarea(attrs={"rows": 4}), required=False, label="Consent"
    )
    readers = forms.ModelMultipleChoiceField(
        User.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="More can be invited later, also after freezing.",
    )
    planned_readers = forms.IntegerField(
        initial=2, min_value=1, max_value=50, label="Readers planned", help_text="For the power only."
    )
    seed = SEED

    SECTIONS = (
        ("What is shown", ("name", "attack", "further_attacks", "pairs")),
        ("Cases and controls", ("positives", "negatives", "stratify", "noise", "catch")),
        ("Reading", ("copies", "min_gap", "washout_hours", "task", "pair_display", "questions")),
        ("Analysis", ("margin", "alpha", "planned_readers")),
        ("Readers", ("readers",)),
        (
            "Room and texts",
            ("scale", "surroundings", "practice", "examples", "break_every", "criterion", "consent_text"),
        ),
        ("Chance", ("seed",)),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["attack"].queryset = self.fields["further_attacks"].queryset = finished_attacks()
        self.fields["pairs"].queryset = PairSet.objects.annotate(originals=Count("pairs", filter=Q(pairs__variant="")))
        self.fields["readers"].queryset = possible_readers()

    def sections(self) -> list[dict[str, Any]]:
        return [{"title": title, "fields": [self[name] for name in names]} for title, names in self.SECTIONS]

    def settings(self) -> StudySettings:
        given = self.cleaned_data
        values = {field.name: given[field.name] for field in fields(StudySettings)}
        return StudySettings(**values | {"questions": tuple(given["questions"]), "stratify": given["stratify"] or None})


def cloned(study: Study) -> dict[str, Any]:
    """The builder's initial values for a study like this one."""
    source = study.source or {}
    settings = source.get("settings") or {}
    known = {field.name for field in fields(StudySettings)}
    values = {name: value for name, value in settings.items() if name in known}
    attack = source.get("attack") or {}
    values |= {
        "name": f"{study.name} copy"[:200],
        "seed": study.seed + 1,
        "stratify": settings.get("stratify") or "",
        "attack": Attack.objects.filter(name=attack.get("name", "")).values_list("pk", flat=True).first(),
        "further_attacks": list(
            Attack.objects.filter(name__in=[one["name"] for one in source.get("further_attacks", [])]).values_list(
                "pk", flat=True
            )
        ),
    }
    if attack.get("kind") == "pairs":
        values["pairs"] = PairSet.objects.filter(name=attack["name"]).values_list("pk", flat=True).first()
    return values


class InviteForm(forms.Form):
    username = forms.RegexField(
        r"^[\w.@+-]+$",
        max_length=150,
        label="User name",
        help_text="With which the reader signs in; made if it is new.",
        error_messages={"invalid": "Letters, digits and @ . + - _ only."},
    )
    email = forms.EmailField(required=False, label="E-mail")
    days = forms.IntegerField(initial=14, min_value=1, max_value=365, label="Link holds for (days)")


class WithdrawForm(forms.Form):
    reason = forms.CharField(required=False, max_length=200)


class UnblindForm(forms.Form):
    confirm = forms.CharField(max_length=60, label="Type the study’s short name to confirm")
