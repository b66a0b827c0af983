"""Forms of the attacks wing."""

from typing import Any

from django import forms

from core.forms import SEED
from model.models import Classifier

NORMS = (
    ("linf", "L∞: largest change of any channel"),
    ("l2", "L2: root mean squared change"),
    ("l1", "L1: mean absolute change"),
    ("l0", "L0: share of pixels changed"),
    ("none", "no limit"),
)


class AttackForm(forms.Form):
    name = forms.CharField(max_length=100)
    classifier = forms.ModelChoiceField(Classifier.objects.all())
    kind = forms.ChoiceField(
        choices=[
            ("pgd", "projected gradient descent, within a budget"),
            ("minimal", "the smallest displayed perturbation that flips"),
            ("universal", "one perturbation for all positives"),
            ("natural", "natural changes: blur, JPEG, stain"),
        ]
    )
    norm = forms.ChoiceField(choices=NORMS, help_text="What the budget limits.")
    budget = forms.FloatField(
        required=False, initial=8, min_value=0, help_text="In 0–255 units on displayed bytes; for L0 a share of pixels."
    )
    steps = forms.IntegerField(initial=50, min_value=1, max_value=10_000, label="Step limit")
    confidence = forms.FloatField(
        initial=0, min_value=0, max_value=0.999999, help_text="Probability that the wrong class must reach; 0: any."
    )
    positives_only = forms.BooleanField(required=False, label="Positives only")
    paper = forms.BooleanField(
        required=False, label="To the paper's letter", help_text="The raw cross-entropy gradient, rounded afterwards."
    )
    parts = forms.IntegerField(
        initial=1, min_value=1, max_value=64, label="Workers", help_text="Deal the patches to so many workers."
    )
    seed = SEED

    def clean(self):
        cleaned = super().clean()
        norm, budget = cleaned.get("norm"), cleaned.get("budget")
        if norm == "none" or cleaned.get("kind") not in ("pgd", "universal"):
            cleaned["budget"] = None
        elif norm and not budget:
            self.add_error("budget", "This norm needs a budget above 0.")
        elif norm == "l0" and budget > 1:
            self.add_error("budget", "For L0 the budget is a share of pixels, up to 1.")
        return cleaned


class PairsForm(forms.Form):
    name = forms.CharField(max_length=100)
    upload = forms.FileField(
        required=False,
        label="Zip file",
        help_text="A zipped folder of images with pairs.csv (original,perturbed,label[,group,attack,budget]).",
        widget=forms.ClearableFileInput(attrs={"accept": ".zip,application/zip"}),
    )
    folder = forms.CharField(required=False, max_length=500, label="Or a folder on the server")
    classifier = forms.ModelChoiceField(
        None,
        required=False,
        help_text="Its verdicts on the pairs are recorded, so that readers can be compared with it.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        from model.models import Classifier

        super().__init__(*args, **kwargs)
        self.fields["classifier"].queryset = Classifier.objects.all()
