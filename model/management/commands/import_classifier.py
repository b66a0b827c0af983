"""import_classifier [DATASET] --arch A --weights F: a lab's own network, judged on patches."""

from pathlib import Path
from typing import Any

from core.commands import JsonCommand
from core.errors import InvalidInput
from model.import_services import import_classifier
from model.learning.forms import ACTIVATIONS
from model.learning.reading import MEAN, STD
from model.management.commands.train import classifier_report
from model.models import Dataset
from model.selectors import dataset_named

OPTIONS = (
    "weights", "arch", "encoder", "head", "activation", "entry", "mean", "std", "input_size", "microns_per_pixel",
    "tumour_output", "positive", "shrink", "name", "device",
)  # fmt: skip


class Command(JsonCommand):
    help = (
        "Bring your own network: a state dict or safetensors with --arch (torchvision's name, or timm/NAME), "
        "TorchScript, ONNX, or a linear head on a frozen encoder (--encoder, --head). Nothing is unpickled. Images "
        "enter in [0, 1] and are normalised with ImageNet's mean and SD unless told otherwise. Every patch of the data "
        "set becomes its test split."
    )

    def add_arguments(self, parser):
        parser.add_argument(
            "dataset",
            metavar="DATASET",
            nargs="?",
            help="the patches to judge it on, and later to attack (may be left out if there is only one data set)",
        )
        file = parser.add_argument_group("the network")
        file.add_argument("--weights", type=Path, metavar="FILE", help="state dict, safetensors, TorchScript or ONNX")
        file.add_argument(
            "--arch",
            default="",
            help="what a state dict is for: torchvision's name, or timm/NAME, or timm/NAME?option=value",
        )
        file.add_argument("--encoder", type=Path, metavar="FILE", help="a frozen encoder: any of the above; see --head")
        file.add_argument("--head", type=Path, metavar="FILE", help="state dict of linear layers on its features")
        file.add_argument(
            "--activation", choices=list(ACTIVATIONS), default="relu", help="between a head's layers (default: relu)"
        )
        file.add_argument(
            "--entry",
            default="",
            metavar="PACKAGE.MODULE:FUNCTION",
            help="Python code that returns the network; needs PYTHON_NETWORKS=on, and can do anything then",
        )
        card = parser.add_argument_group("what the file does not say")
        card.add_argument(
            "--mean", type=float, nargs=3, default=MEAN, metavar="X", help="red, green, blue (default: ImageNet's)"
        )
        card.add_argument(
            "--std", type=float, nargs=3, default=STD, metavar="X", help="red, green, blue (default: ImageNet's)"
        )
        card.add_argument("--input-size", type=int, metavar="N", help="resize patches to N x N pixels first")
        card.add_argument("--microns-per-pixel", type=float, metavar="X", help="what it was trained at: recorded only")
        card.add_argument(
            "--tumour-output",
            type=int,
            choices=(0, 1),
            default=1,
            help="which of two outputs, counted from 0, is the one for tumour (default: 1)",
        )
        card.add_argument(
            "--positive",
            type=int,
            nargs="+",
            default=(),
            metavar="CLASS",
            help="of more than two outputs: those for tumour, counted from 0",
        )
        card.add_argument("--shrink", type=int, default=1, help="average squares of so many pixels first (default: 1)")
        parser.add_argument("--name", default="", help="of the classifier (default: made of file and architecture)")
        parser.add_argument("--device", help="cpu, cuda, ... (default: a GPU if there is one)")

    def run(self, *, dataset: str | None, **options: Any) -> dict[str, Any]:
        asked = {name: options[name] for name in OPTIONS}
        if asked["entry"]:
            self.say(f"PYTHON CODE: {asked['entry']} runs on this machine, with all that it can do.")
        return classifier_report(
            import_classifier(
                dataset=_only_dataset() if dataset is None else dataset_named(dataset),
                progress=self.progress("judge", "patch"),
                **asked,
            )
        )


def _only_dataset() -> Dataset:
    datasets = list(Dataset.objects.all()[:20])
    if len(datasets) != 1:
        names = ", ".join(dataset.name for dataset in datasets) or "none yet; import one first"
        raise InvalidInput(f"DATASET: name the patches to judge the network on. There are: {names}.")
    return datasets[0]
