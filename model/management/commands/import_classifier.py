"""import_classifier [DATASET] --arch A --weights F: a lab's own network, judged on patches."""

from typing import Any

from core.commands import JsonCommand
from core.errors import InvalidInput
from model.import_services import import_classifier
from model.management.commands.train import classifier_report
from model.models import Dataset
from model.selectors import dataset_named


class Command(JsonCommand):
    help = (
        "Bring your own weights: a state dict with torchvision's layer names and two outputs, the second for tumour, "
        "or one. "
        "Images enter in [0, 1] and are normalised with ImageNet's mean and SD. Every patch of the data set becomes "
        "its test split."
    )

    def add_arguments(self, parser):
        parser.add_argument(
            "dataset",
            metavar="DATASET",
            nargs="?",
            help="the patches to judge it on, and later to attack (may be left out if there is only one data set)",
        )
        parser.add_argument("--arch", required=True, help="the torchvision classifier that the weights are for")
        parser.add_argument("--weights", required=True, metavar="FILE")
        parser.add_argument("--name", default="", help="of the classifier (default: made of file and architecture)")
        parser.add_argument(
            "--shrink", type=int, default=1, help="average squares of so many pixels first (default: 1)"
        )
        parser.add_argument(
            "--tumour-output",
            type=int,
            choices=(0, 1),
            default=1,
            help="which of its two outputs, counted from 0, is the one for tumour (default: 1)",
        )
        parser.add_argument("--device", help="cpu, cuda, ... (default: a GPU if there is one)")

    def run(
        self,
        *,
        dataset: str | None,
        arch: str,
        weights: str,
        name: str,
        shrink: int,
        tumour_output: int,
        device: str | None,
        **options: Any,
    ) -> dict[str, Any]:
        return classifier_report(
            import_classifier(
                dataset=_only_dataset() if dataset is None else dataset_named(dataset),
                arch=arch,
                weights=weights,
                name=name,
                shrink=shrink,
                tumour_output=tumour_output,
                device=device,
                progress=self.progress("judge", "patch"),
            )
        )


def _only_dataset() -> Dataset:
    datasets = list(Dataset.objects.all()[:20])
    if len(datasets) != 1:
        names = ", ".join(dataset.name for dataset in datasets) or "none yet; import one first"
        raise InvalidInput(f"DATASET: name the patches to judge the network on. There are: {names}.")
    return datasets[0]
