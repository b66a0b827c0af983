"""The office's forms. What they let through is checked again by the services; their texts are the pages'."""

from django import forms

from model.models import Classifier, Dataset

NORMS = (
    ("linf", "L∞: largest change of any channel"),
    ("l2", "L2: root mean squared change"),
    ("l1", "L1: mean absolute change"),
    ("l0", "L0: share of pixels changed"),
    ("none", "no limit"),
)
STARTS = (
    ("auto", "ImageNet weights, or at random where they cannot be had"),
    ("imagenet", "ImageNet weights, or not at all"),
    ("random", "at random"),
)
SEED = forms.IntegerField(
    initial=0, min_value=0, max_value=2**32 - 1, help_text="Equal seeds and settings give equal results."
)


class FolderForm(forms.Form):
    name = forms.CharField(max_length=100)
    upload = forms.FileField(
        required=False,
        label="Zip file",
        help_text="A zipped folder of images with labels.csv (file,tumour and optionally slide or group).",
        widget=forms.ClearableFileInput(attrs={"accept": ".zip,application/zip"}),
    )
    folder = forms.CharField(
        required=False,
        max_length=500,
        label="Or a folder on the server",
        help_text="Its path, for what is too large to upload.",
    )
    size = forms.IntegerField(
        initial=224, min_value=32, max_value=4096, label="Size", help_text="Images are cropped to their central square."
    )


class PanNukeForm(forms.Form):
    name = forms.CharField(max_length=100)
    folds = forms.CharField(
        label="Folders of the folds",
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="One path on the server per line: each with images.npy, types.npy and masks.npy, as PanNuke comes.",
    )
    tissue = forms.CharField(initial="Breast", max_length=50)
    size = forms.IntegerField(initial=224, min_value=32, max_value=256, help_text="224 is the paper's; 256 is whole.")

    def clean_folds(self) -> list[str]:
        return [line.strip() for line in self.cleaned_data["folds"].splitlines() if line.strip()]


class TrainForm(forms.Form):
    name = forms.CharField(max_length=100)
    dataset = forms.ModelChoiceField(Dataset.objects.all(), label="Data set")
    preset = forms.ChoiceField(
        choices=[("quick", "quick: minutes on a CPU"), ("paper", "paper: ResNet-18, AdaDelta, 25 epochs")]
    )
    init = forms.ChoiceField(choices=STARTS, label="Start from")
    seed = SEED


class CrossValidateForm(forms.Form):
    dataset = forms.ModelChoiceField(Dataset.objects.all(), label="Data set")
    preset = forms.ChoiceField(
        choices=[("quick", "quick: minutes on a CPU"), ("paper", "paper: ResNet-18, AdaDelta, 25 epochs")]
    )
    init = forms.ChoiceField(choices=STARTS, label="Start from")
    runs = forms.IntegerField(initial=5, min_value=1, max_value=100, help_text="The paper's Table 1a has 5.")
    folds = forms.IntegerField(initial=3, min_value=2, max_value=20, help_text="The paper's Table 1a has 3.")
    seed = SEED


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
