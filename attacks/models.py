"""Wing 2: perturbations.

Attack         a recipe (norm, budget, steps, confidence, seed) run on one classifier
Perturbation   its result on one patch: the displayed bytes, both verdicts, norms in 0-255 units
Battery        several attacks on the same patches within one budget: what stands against all of them
Transfer       perturbations made on each of several classifiers, shown to each of them
PairSet, Pair  originals and altered images that another program made (``pair_models``)
Comparison     two classifiers on the same patches
"""

from django.db import models

from core.records import Made
from model.models import Classifier, Patch

__all__ = ["Attack", "Battery", "Comparison", "Pair", "PairSet", "Perturbation", "Transfer"]


def perturbed_path(perturbation: "Perturbation", filename: str) -> str:
    return f"perturbed/{perturbation.attack_id}/{filename}"


class Battery(Made):
    name = models.CharField(max_length=80, unique=True)
    classifier = models.ForeignKey(Classifier, on_delete=models.PROTECT, related_name="batteries")
    norm = models.CharField(max_length=10, help_text="l0, l1, l2 or linf")
    budget = models.FloatField(help_text="In 0-255 units (L0: share of pixels).")
    settings = models.JSONField(default=dict)
    settings_sha256 = models.CharField(max_length=64, help_text="Of everything that determines the verdicts.")
    seed = models.BigIntegerField()
    summary = models.JSONField(default=dict)
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta(Made.Meta):
        ordering = ["-created_at"]
        verbose_name_plural = "batteries"

    def __str__(self) -> str:
        return self.name


class Attack(Made):
    class Kind(models.TextChoices):
        PGD = "pgd", "projected gradient descent (eq. 1)"
        MINIMAL = "minimal", "minimal displayed perturbation"
        UNIVERSAL = "universal", "universal perturbation (eq. 2)"
        NATURAL = "natural", "natural change"
        BATTERY = "battery", "one attack of a battery"
        WORST = "worst", "natural changes at their worst"

    name = models.CharField(max_length=100, unique=True)
    classifier = models.ForeignKey(Classifier, on_delete=models.PROTECT, related_name="attacks")
    kind = models.CharField(max_length=20, choices=Kind.choices, default=Kind.PGD)
    norm = models.CharField(max_length=10, help_text="none, l0, l1, l2 or linf")
    budget = models.FloatField(null=True, blank=True, help_text="In 0-255 units (L0: share of pixels).")
    settings = models.JSONField(default=dict)
    settings_sha256 = models.CharField(max_length=64, blank=True, help_text="Of everything that determines the bytes.")
    seed = models.BigIntegerField()
    summary = models.JSONField(default=dict)
    completed_at = models.DateTimeField(null=True, blank=True)
    battery = models.ForeignKey(Battery, null=True, blank=True, on_delete=models.PROTECT, related_name="attacks")

    class Meta(Made.Meta):
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name

    @property
    def kind_in_words(self) -> str:
        """What it is; of natural changes also whether they were drawn or searched for."""
        if self.kind == self.Kind.WORST and self.settings.get("at_random"):
            return "natural changes at random"
        return self.get_kind_display()

    @property
    def flip_share(self) -> float | None:
        """Share of the attacked patches (those classified correctly) that were flipped on displayed bytes."""
        attacked = self.summary.get("attacked")
        return self.summary.get("flipped", 0) / attacked if attacked else None


class Transfer(Made):
    name = models.CharField(max_length=100, unique=True)
    classifiers = models.ManyToManyField(Classifier, related_name="transfers")
    norm = models.CharField(max_length=10, help_text="l0, l1, l2 or linf")
    budget = models.FloatField(help_text="In 0-255 units (L0: share of pixels).")
    settings = models.JSONField(default=dict)
    seed = models.BigIntegerField()
    summary = models.JSONField(default=dict)

    class Meta(Made.Meta):
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name


class Perturbation(models.Model):
    attack = models.ForeignKey(Attack, on_delete=models.CASCADE, related_name="perturbations")
    patch = models.ForeignKey(Patch, on_delete=models.PROTECT, related_name="perturbations")
    already_wrong = models.BooleanField(help_text="The classifier errs on the original: reported, not attacked.")
    flipped_float = models.BooleanField(help_text="Fooled before rounding.")
    flipped = models.BooleanField(help_text="Fooled by the decoded 8-bit bytes that a reader is shown.")
    prob_before = models.FloatField(help_text="P(tumour) of the original bytes.")
    prob_after = models.FloatField(help_text="P(tumour) of the displayed bytes.")
    steps = models.PositiveIntegerField()
    l0 = models.FloatField()
    l1 = models.FloatField()
    l2 = models.FloatField()
    linf = models.FloatField()
    ciede2000 = models.FloatField(null=True, blank=True, help_text="Mean colour difference; empty: not measured yet.")
    ms_ssim_loss = models.FloatField(null=True, blank=True, help_text="1 - MS-SSIM; empty: not measured yet.")
    image = models.FileField(upload_to=perturbed_path, max_length=255, blank=True)
    sha256 = models.CharField(max_length=64, blank=True, help_text="Of the stored PNG's bytes.")

    class Meta:
        ordering = ["attack", "patch"]
        constraints = [models.UniqueConstraint(fields=["attack", "patch"], name="perturbation_once")]

    def __str__(self) -> str:
        return f"{self.attack_id}/{self.patch_id}"


class PairSet(Made):
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

    class Meta(Made.Meta):
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
    ciede2000 = models.FloatField(null=True, blank=True, help_text="Mean colour difference; empty: not measured yet.")
    ms_ssim_loss = models.FloatField(null=True, blank=True, help_text="1 - MS-SSIM; empty: not measured yet.")

    class Meta:
        ordering = ["pair_set", "index"]
        constraints = [models.UniqueConstraint(fields=["pair_set", "name", "variant"], name="pair_once")]

    def __str__(self) -> str:
        return f"{self.pair_set_id}/{self.name}"


class Comparison(Made):
    name = models.CharField(max_length=100, unique=True)
    first = models.ForeignKey(Classifier, on_delete=models.PROTECT, related_name="+")
    second = models.ForeignKey(Classifier, on_delete=models.PROTECT, related_name="+")
    settings = models.JSONField(default=dict)
    settings_sha256 = models.CharField(max_length=64, help_text="Of everything that determines the numbers.")
    answers = models.JSONField(default=dict, help_text="What was found so far: per classifier, patch by patch.")
    result = models.JSONField(default=dict, help_text="The table of measures with their differences.")
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta(Made.Meta):
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name
