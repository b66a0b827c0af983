from django.contrib import admin

from core.admin import WrittenByJobs
from model import deletion
from model.models import Classifier, CrossValidation, Dataset


@admin.register(Dataset)
class DatasetAdmin(WrittenByJobs):
    list_display = ["name", "kind", "positives", "negatives", "excluded", "size", "created_at"]

    def delete(self, row: Dataset) -> None:
        deletion.delete_dataset(dataset=row)


@admin.register(Classifier)
class ClassifierAdmin(WrittenByJobs):
    list_display = ["name", "dataset", "arch", "initialisation", "weights_sha256", "created_at"]
    exclude = ["test_probabilities", "split", "weights"]  # the file is not served; its hash is shown

    def delete(self, row: Classifier) -> None:
        deletion.delete_classifier(classifier=row)


@admin.register(CrossValidation)
class CrossValidationAdmin(WrittenByJobs):
    list_display = ["dataset", "runs", "folds", "seed", "created_at", "completed_at"]

    def delete(self, row: CrossValidation) -> None:
        deletion.delete_cross_validation(validation=row)
