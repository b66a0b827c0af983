"""train DATASET: a classifier, its test split and how well it does there."""

from typing import Any

from core.commands import RequestCommand
from model.models import Classifier
from model.requests import TrainRequest
from model.training_services import train_classifier


class Command(RequestCommand):
    help = "Train a classifier on a data set, keeping a test split (whole slides where slides are known)."

    request = TrainRequest

    def run(self, **options: Any) -> dict[str, Any]:
        settings = self.settings(options)
        return classifier_report(train_classifier(say=self.say, progress=self.progress("train", "batch"), **settings))


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
        "groups": settings.get("groups", {}),
        "test": classifier.metrics,
        "weights_sha256": classifier.weights_sha256,
        "device": settings.get("device"),
        "seconds": settings.get("seconds"),
        "images_per_second": settings.get("images_per_second"),
        "notes": settings.get("notes", []),
    } | ({"defence": settings["defence"], "epochs": classifier.history} if "defence" in settings else {})
