"""Perturbations made elsewhere.

PairSet   the pairs of one import; immutable
Pair      an original and an altered image of it, as displayed bytes, with norms in 0-255 units
"""

from django.conf import settings as project
from django.db import models

from model.models import Classifier


class PairSet(models.Model):
    name = models.CharField(max_length=100, unique=True)
    classifier = models.ForeignKey(
        Classifier, null=True, blank=True, on_delete=models.PROTECT, related_name="pair_sets",
        help_text="Whose verdicts on the pairs were recorded.",
    )  # fmt: skip
    source = models.JSONField(default=dict, help_text="Where it came from.")
    sha256 = models.CharField(max_length=64, help_text="Over every pair's row and pixels, in order.")
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    variants = models.JSONField(default=list, help_text="The kinds of change, as suffixes of arms; [''] for one kind.")
    code_version = models.CharField(max_length=100)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        project.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Pair(models.Model):
    pair_set = models.ForeignKey(PairSet, on_delete=models.CASCADE, related_name="pairs")
    index = models.PositiveIntegerField(help_text="Order in the table, from 0.")
    name = models.CharField(max_length=255, help_text="The original's file: the patch.")
    variant = models.CharField(max_length=20, blank=True)
    label = models.BooleanField(help_text="Tumour by the table.")
    group = models.CharField(max_length=255, blank=True)
    attack = models.CharField(max_length=100, blank=True)
    budget = models.FloatField(null=True, blank=True)
    original = models.FileField(max_length=255)
    original_sha256 = models.CharField(max_length=64, help_text="Of the stored PNG's bytes.")
    image = models.FileField(max_length=255)
    sha256 = models.CharField(max_length=64, help_text="Of the stored PNG's bytes.")
    prob_before = models.FloatField(null=True, blank=True, help_text="P(tumour) of the original bytes.")
    prob_after = models.FloatField(null=True, blank=True, help_text="P(tumour) of the altered bytes.")
    l0 = models.FloatField()
    l1 = models.FloatField()
    l2 = models.FloatField()
    linf = models.FloatField()

    class Meta:
        ordering = ["pair_set", "index"]
        constraints = [models.UniqueConstraint(fields=["pair_set", "name", "variant"], name="pair_once")]

    def __str__(self) -> str:
        return f"{self.pair_set_id}/{self.name}"
