"""What a reader met at each position of a set, and answered."""

from django.db import models
from django.utils import timezone

from core.records import AppendOnly
from study.models.cases import Case, Stimulus
from study.models.readers import ReadingSession, ReadingSet
from study.models.tokens import new_token


class Slot(models.Model):
    """What the schedule of an adaptive set fixes of a position. Its presentation is made when the level is chosen."""

    reading_set = models.ForeignKey(ReadingSet, on_delete=models.PROTECT, related_name="slots")
    position = models.PositiveIntegerField(help_text="From 1 within the set.")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="+")
    ladder = models.CharField(max_length=32, help_text="Empty: two identical images.", blank=True)
    turn = models.PositiveSmallIntegerField(help_text="Which of the case's pairs of this ladder in the set, from 1.")
    altered_first = models.BooleanField(help_text="Whether the altered image stands first.")

    class Meta:
        ordering = ["reading_set", "position"]
        constraints = [models.UniqueConstraint(fields=["reading_set", "position"], name="slot_position_once")]

    def __str__(self) -> str:
        return f"slot {self.pk}"


class Presentation(models.Model):
    reading_set = models.ForeignKey(ReadingSet, on_delete=models.PROTECT, related_name="presentations")
    position = models.PositiveIntegerField(help_text="From 1 within the set.")
    stimulus = models.ForeignKey(Stimulus, on_delete=models.PROTECT, related_name="presentations")
    second = models.ForeignKey(
        Stimulus,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Pair comparison only: the other one, shown right or second.",
    )
    token = models.CharField(max_length=32, unique=True, default=new_token)
    second_token = models.CharField(max_length=32, unique=True, default=new_token)

    class Meta:
        ordering = ["reading_set", "position"]
        constraints = [
            models.UniqueConstraint(fields=["reading_set", "position"], name="presentation_position_once"),
        ]

    def __str__(self) -> str:
        return f"presentation {self.pk}"


class Response(AppendOnly):
    class Answer(models.TextChoices):
        TUMOUR = "tumour", "tumour"
        NO_TUMOUR = "no_tumour", "no tumour"
        FIRST = "first", "first (left)"
        SECOND = "second", "second (right)"

    presentation = models.ForeignKey(Presentation, on_delete=models.PROTECT, related_name="responses")
    revision = models.PositiveSmallIntegerField(help_text="From 1; the latest counts, earlier ones stay.")
    key = models.CharField(max_length=64, help_text="Idempotency key made by the client for this answer.")
    session = models.ForeignKey(
        ReadingSession, null=True, blank=True, on_delete=models.PROTECT, related_name="responses"
    )
    answer = models.CharField(max_length=12, choices=Answer.choices)
    confidence = models.PositiveSmallIntegerField(null=True, blank=True)
    tumour_cell_count = models.PositiveIntegerField(null=True, blank=True)
    perturbed_response = models.BooleanField(null=True, blank=True)
    note = models.TextField(blank=True)
    rt_ms = models.FloatField(null=True, blank=True, help_text="Painted to key, less time out of focus; client clock.")
    focus_lost_ms = models.FloatField(null=True, blank=True)
    shown_at = models.DateTimeField(null=True, blank=True, help_text="Client clock.")
    answered_at = models.DateTimeField(null=True, blank=True, help_text="Client clock.")
    received_at = models.DateTimeField(default=timezone.now, help_text="Server clock.")
    viewing = models.JSONField(default=dict, blank=True, help_text="Scale, devicePixelRatio, magnifier steps used.")
    code_version = models.CharField(max_length=100)
    hash = models.CharField(
        max_length=64, blank=True, editable=False, help_text="Of this answer and the one before it in the set."
    )

    class Meta:
        ordering = ["presentation", "revision"]
        constraints = [
            models.UniqueConstraint(fields=["presentation", "revision"], name="response_revision_once"),
            models.UniqueConstraint(fields=["presentation", "key"], name="response_key_once"),
            models.CheckConstraint(
                condition=models.Q(confidence__isnull=True) | models.Q(confidence__range=(1, 5)),
                name="response_confidence_1_to_5",
            ),
        ]

    def __str__(self) -> str:
        return f"response {self.pk}"
