"""Requests for imports, training and cross-validation: their settings, and the jobs that they become."""

from typing import Any

from rest_framework import serializers

from core import uploads
from core.requests import MORE, Named, Number, Request, as_json, device_field, seed_field
from jobs.models import Job
from jobs.requests import free_name, import_source
from jobs.services import submit, submit_once
from model.models import Classifier, Dataset
from model.selectors import name_of_classifier

PRESETS = [("paper", "the paper's: ResNet-18, AdaDelta, 25 epochs"), ("quick", "minutes on a CPU")]
STARTS = [
    ("auto", "ImageNet weights, or at random where they cannot be had"),
    ("imagenet", "ImageNet weights, or not at all"),
    ("random", "at random"),
]
DEFENCES = [
    ("pgd", "on each patch at its worst within the budget"),
    ("free", "the same at the cost of a plain training: one gradient moves weights and patch"),
    ("trades", "on the patch as it is, and on how far the answer moves within the budget"),
    ("stain", "on the worst staining within the budget"),
]
ZIP = ".zip,application/zip"


def name_field(**kwargs: Any) -> serializers.CharField:
    """The name of what is made."""
    return serializers.CharField(max_length=100, **kwargs)


def dataset_field() -> Named:
    return Named(word="data set", queryset=Dataset.objects.all(), label="Data set", help_text="Imported patches.")


def folder_fields(marker: str) -> tuple[serializers.FileField, serializers.CharField]:
    """An uploaded zip file, or a folder on the server, in which a file ``marker`` names the images."""
    upload = serializers.FileField(
        required=False,
        label="Zip file",
        help_text=f"A zipped folder of images with {marker}. Or name a folder.",
        style={"accept": ZIP},
    )
    folder = serializers.CharField(
        max_length=500,
        default="",
        allow_blank=True,
        label="Folder on the server",
        help_text=f"The path of a folder of images with {marker}.",
    )
    return upload, folder


def skip_bad_field() -> serializers.BooleanField:
    return serializers.BooleanField(
        default=False,
        label="Leave out what is wrong",
        help_text="Import the rest, and list the lines that were left out, and why.",
    )


class PatchesRequest(Request):
    """Patches of a folder with labels.csv: an uploaded zip file, or a folder on the server."""

    not_in_command = ("upload",)
    positional = ("folder",)

    name = name_field(help_text="Name of the new data set.")
    upload, folder = folder_fields("labels.csv (file,tumour and optionally slide or group)")
    size = serializers.IntegerField(
        min_value=32, max_value=4096, default=224, help_text="Edge of the central square that is cut out, in pixels."
    )
    skip_bad = skip_bad_field()


class PanNukeRequest(Request):
    """One tissue of PanNuke's folders on the server."""

    positional = ("folds",)

    name = name_field(help_text="Name of the new data set.")
    folds = serializers.ListField(
        child=serializers.CharField(max_length=500),
        min_length=1,
        max_length=20,
        label="Folders of the folds",
        help_text="Paths of folders with images.npy, types.npy and masks.npy, or of one that holds several of these.",
    )
    tissue = serializers.CharField(max_length=50, default="Breast", help_text="As in types.npy; 'all' for every one.")
    size = serializers.IntegerField(
        min_value=32, max_value=256, default=224, help_text="Edge of the centre crop: 224 is the paper's, 256 is whole."
    )


class TrainingSettings(Request):
    """What a training and a cross-validation share."""

    command_only = ("weights", "device")
    positional = ("dataset",)

    dataset = dataset_field()
    preset = serializers.ChoiceField(choices=PRESETS, default="paper", help_text="Settings of the training.")
    init = serializers.ChoiceField(choices=STARTS, default="auto", label="Start from", help_text="The first weights.")
    seed = seed_field()
    arch = serializers.RegexField(
        r"^\w+$",
        max_length=50,
        default="resnet18",
        label="Architecture",
        help_text="A classifier of torchvision.",
        style={"section": MORE},
    )
    epochs = serializers.IntegerField(
        min_value=1,
        max_value=10_000,
        allow_null=True,
        default=None,
        help_text="Instead of the preset's.",
        style={"section": MORE},
    )
    batch_size = serializers.IntegerField(
        min_value=2,
        max_value=65_536,
        allow_null=True,
        default=None,
        help_text="Instead of the preset's.",
        style={"section": MORE},
    )
    learning_rate = Number(
        min_value=1e-9,
        max_value=999,
        allow_null=True,
        default=None,
        help_text="Instead of the preset's.",
        style={"section": MORE},
    )
    compile = serializers.BooleanField(
        default=False,
        label="Compile the network",
        help_text="With torch.compile; pays off in long runs on a GPU.",
        style={"section": MORE},
    )
    weights = serializers.CharField(
        max_length=500, allow_null=True, default=None, help_text="Start from a local file with a state dict instead."
    )
    device = device_field()


class TrainRequest(TrainingSettings):
    """A classifier on a data set, with patches kept apart for the test."""

    aliases = {"base": "--from"}

    name = name_field(
        default="", allow_blank=True, help_text="Name of the classifier; made of its settings if left out."
    )
    test_share = Number(
        min_value=0.01,
        max_value=0.99,
        default=0.3,
        help_text="Share of the patches that is kept apart for the test.",
        style={"section": MORE},
    )
    base = Named(
        word="classifier",
        queryset=Classifier.objects.all(),
        allow_null=True,
        default=None,
        label="Continue from",
        help_text="Fine-tune this classifier, on its own split, instead of beginning anew.",
        style={"empty": "none: begin anew"},
    )
    defend = serializers.ChoiceField(
        choices=DEFENCES,
        allow_null=True,
        default=None,
        label="Defend",
        help_text="Train it to withstand attacks; left out: a plain training.",
        style={"empty": "a plain training"},
    )
    defend_budget = Number(
        min_value=0,
        max_value=64,
        allow_null=True,
        default=None,
        label="Budget to withstand",
        help_text="Largest change in grey levels; of stain: largest relative change. 2, and 0.2 of stain, if left out.",
        style={"section": MORE},
    )
    defend_steps = serializers.IntegerField(
        min_value=1,
        max_value=100,
        allow_null=True,
        default=None,
        label="Steps of the attack in training",
        help_text="3 for pgd and trades, 4 for free, 2 for stain if left out.",
        style={"section": MORE},
    )
    defend_weight = Number(
        min_value=0,
        max_value=1000,
        allow_null=True,
        default=None,
        label="Weight of withstanding",
        help_text="TRADES only: against the accuracy on patches as they are; 6 if left out.",
        style={"section": MORE},
    )
    trajectory = serializers.BooleanField(
        default=False,
        label="Keep the weights' path",
        help_text="For the loss landscape; takes three times the size of the weights.",
        style={"section": MORE},
    )

    def validate(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Settings of a defence are for one; the service has the last word on their limits."""
        kind = settings.get("defend")
        for name in ("defend_budget", "defend_steps", "defend_weight"):
            if settings.get(name) is not None and not kind:
                raise serializers.ValidationError(
                    {name: ["It is for a defended training. Choose what it is to defend."]}
                )
        if settings.get("defend_weight") is not None and kind != "trades":
            raise serializers.ValidationError({"defend_weight": ["Only TRADES weighs two losses. Leave it out."]})
        return settings

    def get_fields(self) -> dict[str, serializers.Field]:
        fields = super().get_fields()
        return {"name": fields["name"]} | fields  # first on the page


class CrossValidationRequest(TrainingSettings):
    """Table 1a of a data set."""

    not_in_command = ("parts",)

    runs = serializers.IntegerField(min_value=1, max_value=100, default=5, help_text="The paper's Table 1a has 5.")
    folds = serializers.IntegerField(min_value=2, max_value=20, default=3, help_text="The paper's Table 1a has 3.")
    parts = serializers.IntegerField(
        min_value=1, max_value=64, default=1, label="Workers", help_text="Split over workers: how many share the folds."
    )


def import_folder(
    *, name: str, size: int, by: Any, skip_bad: bool = False, upload: Any = None, folder: str = ""
) -> Job:
    """Patches of a folder with ``labels.csv``.

    Raises:
        InvalidInput: naming the field.
    """
    name = free_name("import_patches", Dataset, name, "data set")
    arguments = {"name": name, "size": size, "skip_bad": skip_bad} | import_source(upload=upload, folder=folder)
    return submit(kind="import_patches", arguments=arguments, requested_by=by, title=f"Import patches: {name}")


def import_pannuke(*, name: str, folds: list[str], by: Any, **settings: Any) -> Job:
    """One tissue of PanNuke's folders on the server."""
    name = free_name("import_pannuke", Dataset, name, "data set")
    for fold in folds:
        uploads.allowed_path(fold, field="folds")
    arguments = as_json(PanNukeRequest, {"name": name, "folds": folds} | settings)
    return submit(kind="import_pannuke", arguments=arguments, requested_by=by, title=f"Import PanNuke: {name}")


def train(*, name: str, dataset: Dataset, by: Any, **settings: Any) -> Job:
    """A classifier on a data set; ``settings`` are those of ``TrainRequest``."""
    defend, base = settings.get("defend"), settings.get("base")
    arch, preset, seed = settings["arch"], settings["preset"], settings["seed"]
    name = name or name_of_classifier(dataset, arch, preset, seed, defend=defend, base=base)
    name = free_name("train", Classifier, name, "classifier")
    arguments = as_json(TrainRequest, {"name": name, "dataset": dataset} | settings)
    return submit(kind="train", arguments=arguments, requested_by=by, title=f"Train {name} on {dataset.name}")


def cross_validate(*, dataset: Dataset, by: Any, parts: int, **settings: Any) -> Job:
    """Table 1a of a data set; ``settings`` are those of ``CrossValidationRequest``."""
    arguments = as_json(CrossValidationRequest, {"dataset": dataset} | settings)
    title = f"Cross-validate {dataset.name} ({settings['runs']} x {settings['folds']})"
    return submit_once(kind="cross_validate", arguments=arguments, requested_by=by, title=title, parts=parts)
