"""What is written once: the log, and the secret of the schedules."""

from django.db import models

from core.records import AppendOnly
from study.models.studies import Study


class AuditEvent(AppendOnly):
    study = models.ForeignKey(Study, null=True, blank=True, on_delete=models.PROTECT, related_name="events")
    at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    action = models.CharField(max_length=50)
    detail = models.JSONField(default=dict)
    previous_hash = models.CharField(max_length=64, help_text="Of the event before it in the whole log.")
    study_previous = models.CharField(
        max_length=64, blank=True, help_text="Hash of the study's event before it, so that its part holds by itself."
    )
    hash = models.CharField(max_length=64, unique=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.action} by {self.actor}"


class ScheduleSecret(AppendOnly):
    """Made at freezing, disclosed by unblinding. No column of ``Study``, whose rows are shown, copied and exported."""

    study = models.OneToOneField(Study, on_delete=models.PROTECT, primary_key=True, related_name="+")
    value = models.CharField(max_length=32, editable=False, help_text="128 random bits as hexadecimal digits.")

    def __str__(self) -> str:
        return "secret of a study's schedules"
