"""Forms of the model wing."""

from django import forms

from core.forms import SEED
from model.models import Dataset

STARTS = (
    ("auto", "ImageNet weights, or at random where they cannot be had"),
    ("imagenet", "ImageNet weights, or not at all"),
    ("random", "at random"),
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
