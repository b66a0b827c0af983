"""Deleting data sets, classifiers and cross-validations with their files. Needs no learning libraries: for the admin.

Each is refused (ProtectedError) while something was made of it: a classifier of a data set, an attack on a classifier.
"""

from core.files import delete_with_files, folder_of_files
from model.models import Classifier, CrossValidation, Dataset
from model.recipes import folder_of


def delete_dataset(*, dataset: Dataset) -> None:
    """A data set, its patches, and their pictures and masks."""
    files = [path for pair in dataset.patches.values_list("image", "tumour_mask") for path in pair if path]
    delete_with_files(dataset, files, folder=folder_of_files(files))


def delete_classifier(*, classifier: Classifier) -> None:
    """A classifier, its weights, the path that its training recorded, and its figures."""
    trajectory = classifier.settings.get("trajectory") or {}
    files = [classifier.weights.name, trajectory.get("file", "")]
    delete_with_files(classifier, files, figures=folder_of(classifier))


def delete_cross_validation(*, validation: CrossValidation) -> None:
    """A cross-validation, its folds, and its figures."""
    delete_with_files(validation, [], figures=folder_of(validation))
