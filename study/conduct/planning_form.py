"""The form of the planning page for labelling, in per cent and points, and the assumptions that it stands for."""

from dataclasses import asdict
from typing import Any, Self

from django import forms

from study.design.crossed import Components
from study.design.planning import Assumptions

ANSWERS_PER_PLAN = 4_000_000
"""Simulated answers per plan, about a second's work. With more readers and sets fewer studies are simulated."""


def number(label: str, low: float, high: float, step: float, initial: float, help_text: str = "") -> forms.Field:
    whole = float(step).is_integer() and float(initial).is_integer()
    kind: Any = forms.IntegerField if whole else forms.FloatField
    widget = forms.NumberInput(attrs={"step": step, "data-slider": ""})
    return kind(label=label, min_value=low, max_value=high, initial=initial, help_text=help_text, widget=widget)


def _spread(label: str, initial: float, help_text: str) -> forms.Field:
    return number(label, 0, 2, 0.05, initial, help_text)


class TaskForm(forms.Form):
    """A GET form, so that a plan has an address that can be sent to others. ``task`` names it there."""

    task = ""
    assumed: type[Any]
    """The dataclass whose fields this form's are, unless ``assumptions`` says otherwise."""
    shares: tuple[str, ...] = ()
    """Fields that people write in per cent."""
    folded: tuple[str, ...] = ()
    """Fields that are folded away: what is assumed of readers and patches."""
    folded_help = ""

    @classmethod
    def filled(cls, values: dict[str, Any]) -> Self:
        """A form bound to these values, and to the defaults for the rest."""
        initial = {name: field.initial for name, field in cls.base_fields.items()}
        return cls({**initial, **{name: value for name, value in values.items() if name in cls.base_fields}})

    def assumptions(self) -> Any:
        """The assumptions of a valid form."""
        shares = {name: self.cleaned_data[name] / 100 for name in self.shares}
        return self.assumed(**(self.cleaned_data | shares))

    def main_fields(self) -> list[forms.BoundField]:
        return [field for field in self if field.name not in self.folded]

    def spread_fields(self) -> list[forms.BoundField]:
        return [field for field in self if field.name in self.folded]


class PlanForm(TaskForm):
    """Original against perturbed images, each labelled by itself."""

    folded = tuple(f"sd_{name}" for name in asdict(Components()))
    folded_help = (
        "Standard deviations on the probit scale, where one reader’s wavering from reading to reading is 1. They are "
        "guesses until a study has measured them, so try small and large ones."
    )
    readers = number("Readers", 1, 20, 1, 5)
    patches = number("Positive patches", 5, 400, 1, 20)
    groups = number("Slides or patients", 0, 400, 1, 0, "That the patches come from; 0: each from one of its own.")
    icc = number("Intra-group correlation", 0, 1, 0.05, 0.3, "Share of the patches’ spread that lies between slides.")
    sets = number("Readings of every image (sets)", 1, 4, 1, 2)
    tpf = number("True positives on originals (%)", 55, 99, 1, 90)
    difference = number("Change to be found (points)", -40, 40, 1, -10, "Perturbed less original: -10 is a drop.")
    margin = number("Margin (points)", 1, 40, 1, 10, "For non-inferiority and equivalence; fixed with the protocol.")
    alpha = forms.ChoiceField(
        label="One-sided level",
        choices=[("0.025", "2.5 % (95 % intervals)"), ("0.05", "5 % (90 % intervals)")],
        initial="0.025",
    )
    largest = forms.ChoiceField(
        label="Curves up to", choices=[(str(n), f"{n} patches") for n in (100, 200, 400)], initial="200"
    )
    sd_patch = _spread("Patches", Components.patch, "Some patches are harder than others, in both arms.")
    sd_patch_arm = _spread(
        "Patches × arm", Components.patch_arm, "A perturbation changes some patches more than others."
    )
    sd_reader = _spread("Readers", Components.reader, "Readers differ in skill.")
    sd_reader_arm = _spread(
        "Readers × arm", Components.reader_arm, "Perturbations affect some readers more than others."
    )
    sd_reader_patch = _spread("Readers × patches", Components.reader_patch, "Readers find different patches hard.")

    def assumptions(self) -> Assumptions:
        data = self.cleaned_data
        patches, largest = data["patches"], int(data["largest"])
        per_study = 2 * data["readers"] * data["sets"] * max(patches, largest)
        return Assumptions(
            patches=patches,
            readers=data["readers"],
            sets=data["sets"],
            groups=data["groups"] or None,
            icc=data["icc"],
            tpf=data["tpf"] / 100,
            difference=data["difference"] / 100,
            margin=data["margin"] / 100,
            alpha=float(data["alpha"]),
            components=Components(**{name: data[f"sd_{name}"] for name in asdict(Components())}),
            largest=largest,
            studies=max(200, min(1000, ANSWERS_PER_PLAN // per_study)),
        )
