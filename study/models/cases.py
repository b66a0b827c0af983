"""What is shown: cases with their stimuli, and the images of the instructions."""

from django.db import models

from study.models.studies import Study
from study.models.tokens import new_token


def stimulus_path(stimulus: "Stimulus", filename: str) -> str:
    return f"stimuli/{stimulus.case.study_id}/{filename}"


def guide_path(image: "GuideImage", filename: str) -> str:
    return f"guides/{image.study_id}/{filename}"


class Case(models.Model):
    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="cases")
    number = models.PositiveIntegerField(help_text="Order of drawing, from 1; never shown to a reader.")
    patch_id = models.CharField(max_length=255)
    group = models.CharField(max_length=255, blank=True)
    truth = models.BooleanField(help_text="Tumour by the reference.")
    truth_source = models.CharField(max_length=200)
    tumour_cells = models.PositiveIntegerField(null=True, blank=True)
    flips = models.JSONField(
        default=dict, blank=True, help_text="By ladder: the smallest displayed change at which the model errs."
    )
    excluded = models.BooleanField(default=False)
    exclusion_reason = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["study", "number"]
        constraints = [
            models.UniqueConstraint(fields=["study", "patch_id"], name="case_patch_once"),
            models.UniqueConstraint(fields=["study", "number"], name="case_number_once"),
        ]

    def __str__(self) -> str:
        return f"case {self.number}"


class Stimulus(models.Model):
    """One case in one arm. Only ``study.blinds`` may read ``arm`` for a page or an export."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="stimuli")
    arm = models.CharField(max_length=32, help_text="original, perturbed, noise, universal, catch, ...")
    image = models.FileField(upload_to=stimulus_path, max_length=255)
    sha256 = models.CharField(max_length=64, help_text="Of the PNG's bytes, checked on the way out.")
    model_prob = models.FloatField(null=True, blank=True, help_text="P(tumour) of these bytes.")
    model_label = models.BooleanField(null=True, blank=True)
    attack = models.CharField(max_length=100, blank=True)
    norm = models.CharField(max_length=10, blank=True)
    budget = models.FloatField(null=True, blank=True)
    l0 = models.FloatField(null=True, blank=True)
    l1 = models.FloatField(null=True, blank=True)
    l2 = models.FloatField(null=True, blank=True)
    linf = models.FloatField(null=True, blank=True)
    ciede2000 = models.FloatField(null=True, blank=True, help_text="Mean colour difference from the original.")
    ms_ssim_loss = models.FloatField(null=True, blank=True, help_text="1 - MS-SSIM with the original.")
    predicted = models.JSONField(
        default=dict, blank=True, help_text="By pixels per degree: the lost quality that cvvdp predicts."
    )

    class Meta:
        ordering = ["case", "arm"]
        verbose_name_plural = "stimuli"
        constraints = [models.UniqueConstraint(fields=["case", "arm"], name="stimulus_arm_once")]

    def __str__(self) -> str:
        return f"stimulus {self.pk}"


class GuideImage(models.Model):
    """A patch that is not in the study, for the instructions (example) or for practice with feedback.

    In a pair comparison each practice patch has an altered one of the same number.
    """

    class Kind(models.TextChoices):
        EXAMPLE = "example", "example"
        PRACTICE = "practice", "practice"
        ALTERED = "altered", "altered"

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="guide_images")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    number = models.PositiveIntegerField()
    patch_id = models.CharField(max_length=255)
    token = models.CharField(max_length=32, unique=True, default=new_token)
    image = models.FileField(upload_to=guide_path, max_length=255)
    sha256 = models.CharField(max_length=64)
    truth = models.BooleanField()

    class Meta:
        ordering = ["study", "kind", "number"]
        constraints = [models.UniqueConstraint(fields=["study", "kind", "number"], name="guide_number_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"
