"""Wing 1: patches and the classifier.

Dataset      a named, immutable collection of labelled patches
Patch        one square H&E image with its reference label, group and tumour-cell count
Classifier   a network's weights with the split, settings and seed that made them
CrossValidation, FoldResult   Table 1a, one row per run and fold
"""

from django.db import models

from core.records import Made


def patch_path(patch: "Patch", filename: str) -> str:
    return f"patches/{patch.dataset_id}/{filename}"


class Dataset(Made):
    class Kind(models.TextChoices):
        PANNUKE = "pannuke", "PanNuke"
        FOLDER = "folder", "folder with labels.csv"
        SYNTHETIC = "synthetic", "generated"

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    source = models.JSONField(default=dict, help_text="Where it came from and the settings of its import.")
    sha256 = models.CharField(max_length=64, help_text="Over every patch's name, label, group and pixels, in order.")
    size = models.PositiveIntegerField(help_text="Side of a patch in pixels.")
    positives = models.PositiveIntegerField()
    negatives = models.PositiveIntegerField()
    excluded = models.PositiveIntegerField(default=0, help_text="Patches read but in neither class.")

    class Meta(Made.Meta):
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Patch(models.Model):
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="patches")
    index = models.PositiveIntegerField(help_text="Order of reading, from 0.")
    name = models.CharField(max_length=255, help_text="Name in the source: file, or fold and row.")
    image = models.FileField(upload_to=patch_path, max_length=255)
    sha256 = models.CharField(max_length=64, help_text="Of the stored PNG's bytes.")
    tumour_mask = models.FileField(upload_to=patch_path, max_length=255, blank=True)
    tumour_mask_sha256 = models.CharField(max_length=64, blank=True, help_text="Of the stored mask's bytes.")
    tumour = models.BooleanField()
    group = models.CharField(
        max_length=255, blank=True, help_text="Slide or patient; patches of a group stay together."
    )
    tumour_cells = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["dataset", "index"]
        verbose_name_plural = "patches"
        constraints = [
            models.UniqueConstraint(fields=["dataset", "index"], name="patch_index_once"),
            models.UniqueConstraint(fields=["dataset", "name"], name="patch_name_once"),
        ]

    def __str__(self) -> str:
        return f"{self.dataset_id}/{self.name}"


class Classifier(Made):
    name = models.CharField(max_length=100, unique=True)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="classifiers")
    arch = models.CharField(max_length=50, default="resnet18")
    initialisation = models.CharField(max_length=200, help_text="What the weights actually started from.")
    weights = models.FileField(upload_to="weights/", max_length=255)
    weights_sha256 = models.CharField(max_length=64)
    settings = models.JSONField(default=dict)
    seed = models.BigIntegerField()
    split = models.JSONField(default=dict, help_text='{"train": [patch ids], "test": [patch ids], "grouped": bool}')
    metrics = models.JSONField(default=dict, help_text="On the test split: n, accuracy, auc, confusion, ...")
    test_probabilities = models.JSONField(default=dict, help_text="Patch id -> P(tumour), float32, test split.")
    history = models.JSONField(default=list, help_text="One entry per epoch.")

    class Meta(Made.Meta):
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class CrossValidation(models.Model):
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="cross_validations")
    settings = models.JSONField(default=dict)
    settings_sha256 = models.CharField(max_length=64, help_text="Of everything that determines the numbers.")
    runs = models.PositiveIntegerField()
    folds = models.PositiveIntegerField()
    seed = models.BigIntegerField()
    grouped = models.BooleanField(default=False)
    code_version = models.CharField(max_length=100)
    created_at = models.DateTimeField(auto_now_add=True)
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["dataset", "settings_sha256"], name="cross_validation_once"),
        ]

    def __str__(self) -> str:
        return f"{self.dataset} {self.runs}x{self.folds}"


class FoldResult(models.Model):
    cross_validation = models.ForeignKey(CrossValidation, on_delete=models.CASCADE, related_name="results")
    run = models.PositiveIntegerField()
    fold = models.PositiveIntegerField()
    accuracy = models.FloatField()
    auc = models.FloatField()
    confusion = models.JSONField(help_text="[[tn, fp], [fn, tp]]")
    predictions = models.JSONField(help_text="[[patch id, P(tumour)], ...] of the held-out fold")
    seconds = models.FloatField()
    details = models.JSONField(default=dict, help_text="Colour-only baseline, initialisation, images per second.")
    code_version = models.CharField(max_length=100)

    class Meta:
        ordering = ["run", "fold"]
        constraints = [
            models.UniqueConstraint(fields=["cross_validation", "run", "fold"], name="fold_result_once"),
        ]

    def __str__(self) -> str:
        return f"{self.cross_validation} run {self.run} fold {self.fold}"
