"""A request for importing a classifier: its file, and the card of what the file does not say."""

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from rest_framework import serializers

from core import uploads
from core.errors import InvalidInput
from core.requests import MORE, Number, Request, as_json, device_field
from jobs.models import Job
from jobs.requests import called, free_name
from jobs.services import submit
from model.learning.file_formats import ENDINGS, Format, found_in
from model.learning.imagenet import MEAN, STD
from model.models import Classifier, Dataset
from model.requests import dataset_field, name_field

ORDERS = [(1, "tumour second"), (0, "tumour first")]
ACTIVATIONS = ("relu", "gelu", "tanh", "silu")
FILE = {"section": "The network"}
CARD = {"section": "Model card: what the file does not say"}
TAKEN = "state dict, safetensors, TorchScript or ONNX"


def _three(label: str, default: Sequence[float], lowest: float | None) -> serializers.ListField:
    return serializers.ListField(
        child=Number(min_value=lowest, max_value=1000),
        min_length=3,
        max_length=3,
        default=list(default),
        label=label,
        help_text="Red, green and blue, of pixels from 0 to 1; ImageNet's if left as they are.",
        style=CARD,
    )


class ImportClassifierRequest(Request):
    """A lab's own network, judged on every patch of a data set, which becomes its test split."""

    not_in_command = ("upload", "head_upload")
    command_only = ("weights", "encoder", "head", "entry", "device")
    positional = assumed = ("dataset",)

    dataset = dataset_field()
    name = name_field(
        default="", allow_blank=True, help_text="Name of the classifier; made of file and architecture if left out."
    )
    upload = serializers.FileField(
        label="Network's file",
        help_text=f"{TAKEN[0].upper()}{TAKEN[1:]}; a checkpoint of Lightning or DDP will do. Nothing is unpickled.",
        style=FILE | {"accept": ",".join(ENDINGS)},
    )
    weights = serializers.CharField(max_length=1000, default="", allow_blank=True, help_text=f"FILE: {TAKEN}.")
    arch = serializers.CharField(
        max_length=200,
        default="",
        allow_blank=True,
        label="Architecture",
        help_text="What a state dict or safetensors is for: torchvision's name such as resnet50, or timm/NAME, or "
        "timm/NAME?option=value. TorchScript and ONNX need none.",
        style=FILE,
    )
    head_upload = serializers.FileField(
        required=False,
        label="Head's file",
        help_text="Only where the network's file is a frozen encoder (as of UNI, CONCH, Virchow, GigaPath): the state "
        "dict of linear layers on its features.",
        style=FILE | {"accept": ",".join(ENDINGS)},
    )
    encoder = serializers.CharField(
        max_length=1000,
        default="",
        allow_blank=True,
        help_text="FILE of a frozen encoder: any of the above; see --head.",
    )
    head = serializers.CharField(
        max_length=1000, default="", allow_blank=True, help_text="FILE: state dict of linear layers on its features."
    )
    activation = serializers.ChoiceField(
        choices=ACTIVATIONS,
        default="relu",
        label="Activation of the head",
        help_text="Between a head's layers.",
        style={"section": MORE},
    )
    entry = serializers.CharField(
        max_length=200,
        default="",
        allow_blank=True,
        help_text="PACKAGE.MODULE:FUNCTION, Python code that returns the network; needs PYTHON_NETWORKS=on, and can do "
        "anything then.",
    )
    input_size = serializers.IntegerField(
        min_value=1,
        max_value=4096,
        allow_null=True,
        default=None,
        label="Input size",
        help_text="Patches are resized to so many pixels first; as they are if left out.",
        style=CARD,
    )
    mean = _three("Normalisation: mean", MEAN, None)
    std = _three("Normalisation: spread", STD, 1e-9)
    microns_per_pixel = Number(
        min_value=0.01,
        max_value=100,
        allow_null=True,
        default=None,
        label="Microns per pixel",
        help_text="At which it was trained; recorded only.",
        style=CARD,
    )
    tumour_output = serializers.ChoiceField(
        choices=ORDERS,
        default=1,
        label="Order of the classes",
        help_text="Of two outputs; a single one is the logit of tumour, or with “tumour first” that of no tumour. Both "
        "orders are tried on the labelled patches.",
        style=CARD,
    )
    positive = serializers.ListField(
        child=serializers.IntegerField(min_value=0, max_value=100_000),
        max_length=1000,
        default=list,
        label="Classes for tumour",
        help_text="Of more than two outputs: the numbers of those for tumour, counted from 0.",
        style=CARD,
    )
    keep_order = serializers.BooleanField(
        default=False,
        label="Keep this order of the classes",
        help_text="Also where the labelled patches say that it is the other way round.",
        style=CARD,
    )
    shrink = serializers.IntegerField(
        min_value=1,
        max_value=64,
        default=1,
        help_text="Squares of so many pixels are averaged first.",
        style={"section": MORE},
    )
    device = device_field()


def no_network(file: Any) -> str:
    """What is wrong with an uploaded network's file; "" if nothing is, as far as can be said without opening it."""
    try:
        found = found_in(file, file.name or "")
    except InvalidInput as error:
        return error.message
    if found is None:
        return f"The file {file.name} is no {TAKEN}. Save it with torch.save(model.state_dict(), file)."
    return ""


def keep_network(file: Any, *, field: str = "upload") -> str:
    """Store a network's file until its job is done; returns its name there. InvalidInput, naming the field."""
    ending = PurePath(file.name or "").suffix.lower()
    advice = "Bring it by the command import_classifier, on the server."
    return uploads.keep(
        file, field=field, ending=ending if ending in ENDINGS else ".pt", wrong=no_network, advice=advice
    )


def import_network(
    *, dataset: Dataset, by: Any, upload: Any, name: str = "", head_upload: Any = None, **card: Any
) -> Job:
    """The import of an uploaded network; ``card`` holds further settings of ``ImportClassifierRequest``.

    Raises:
        InvalidInput: naming the field.
    """
    _check_files(upload, head_upload, card["arch"])
    name = name.strip() or f"{PurePath(upload.name).stem}-{card['arch'] or 'network'}".replace("/", "-")[:100]
    name = free_name("import_classifier", Classifier, name, "classifier")
    arguments = as_json(ImportClassifierRequest, {"dataset": dataset, "name": name} | card)
    for field, file in (("upload", upload), ("head_upload", head_upload)):
        if file:
            arguments |= {field: keep_network(file, field=field), called(field): file.name[:200]}
    title = f"Import {name}, judged on {dataset.name}"
    return submit(kind="import_classifier", arguments=arguments, requested_by=by, title=title)


def _check_files(upload: Any, head: Any, arch: str) -> None:
    """What can be said of them before a worker opens them; InvalidInput, naming the field."""
    for field, file in (("upload", upload), ("head_upload", head)):
        if file and (told := no_network(file)):
            raise InvalidInput(told, field=field)
    kind: Format | None = found_in(upload, upload.name or "")
    if kind == "weights" and not arch:
        what = "encoder" if head else "network"
        raise InvalidInput(
            f"The file {upload.name} holds weights alone, which are no {what} yet: name the architecture that they are "
            "for.",
            field="arch",
        )
    if head and found_in(head, head.name or "") != "weights":
        raise InvalidInput(f"The file {head.name} is no state dict of linear layers.", field="head_upload")
