"""train DATASET: a classifier, its test split and how well it does there."""

from typing import Any

from core.commands import JsonCommand
from model.management.training import add_training_options, training_arguments
from model.models import Classifier
from model.selectors import dataset_named
from model.training_services import train_classifier


class Command(JsonCommand):
    help = "Train a classifier on a data set, keeping a test split (whole slides where slides are known)."

    def add_arguments(self, parser):
        add_training_options(parser)
        parser.add_argument("--name", default="", help="of the classifier (default: made of data set and settings)")
        parser.add_argument("--test-share", type=float, default=0.3, help="share of patches kept apart (default: 0.3)")
        parser.add_argument(
            "--trajectory",
            action="store_true",
            help="keep the weights' path for the loss landscape (three times the size of the weights)",
        )

    def run(self, *, dataset: str, name: str, test_share: float, trajectory: bool, **options: Any) -> dict[str, Any]:
        classifier = train_classifier(
            dataset=dataset_named(dataset),
            name=name,
            test_share=test_share,
            trajectory=trajectory,
            say=self.say,
            progress=self.progress("train", "batch"),
            **training_arguments(options),
        )
        return classifier_report(classifier)


def classifier_report(classifier: Classifier) -> dict[str, Any]:
    """What the commands print of a classifier."""
    split, settings = classifier.split, classifier.settings
    return {
        "classifier": classifier.name,
        "classifier_id": classifier.pk,
        "dataset": classifier.dataset.name,
        "arch": classifier.arch,
        "initialisation": classifier.initialisation,
        "preset": settings.get("preset"),
        "seed": classifier.seed,
        "train_patches": len(split["train"]),
        "test_patches": len(split["test"]),
        "grouped": split["grouped"],
        "test": classifier.metrics,
        "weights_sha256": classifier.weights_sha256,
        "device": settings.get("device"),
        "seconds": settings.get("seconds"),
        "images_per_second": settings.get("images_per_second"),
        "notes": settings.get("notes", []),
    }
