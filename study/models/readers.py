"""Who reads: readers in a study, how they were invited, their sets and their time at the screen."""

from django.conf import settings as project
from django.db import models

from study.models.studies import Study


class Assignment(models.Model):
    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="assignments")
    reader = models.ForeignKey(project.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="assignments")
    code = models.CharField(max_length=20, help_text="The reader's pseudonym in this study.")
    seed = models.BigIntegerField(help_text="Of this reader's schedule.")
    simulated = models.BooleanField(default=False, help_text="Answered by `rehearse`, not by a person.")
    invited_at = models.DateTimeField(auto_now_add=True)
    consented_at = models.DateTimeField(null=True, blank=True)
    practised_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawal_reason = models.CharField(max_length=200, blank=True)
    questionnaire = models.JSONField(null=True, blank=True, help_text="Blinding questionnaire at the end.")
    questionnaire_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["study", "code"]
        constraints = [
            models.UniqueConstraint(fields=["study", "reader"], name="assignment_reader_once"),
            models.UniqueConstraint(fields=["study", "code"], name="assignment_code_once"),
        ]

    def __str__(self) -> str:
        return self.code


class Invitation(models.Model):
    """A single-use link. Only the hash of its secret is kept."""

    assignment = models.ForeignKey(Assignment, on_delete=models.CASCADE, related_name="invitations")
    secret_sha256 = models.CharField(max_length=64, unique=True)
    language = models.CharField(max_length=10, blank=True, help_text="Of the mail, and of the reader's first pages.")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"invitation of {self.assignment}"


class ReadingSet(models.Model):
    """Set n of a reader: the n-th reading of every stimulus. The wash-out runs from its completion."""

    assignment = models.ForeignKey(Assignment, on_delete=models.PROTECT, related_name="sets")
    number = models.PositiveSmallIntegerField()
    completed_at = models.DateTimeField(null=True, blank=True, help_text="The reader declared the set finished.")
    reopened_at = models.DateTimeField(null=True, blank=True)
    answers = models.PositiveIntegerField(default=0, editable=False, help_text="Stored answers, revisions included.")
    head = models.CharField(max_length=64, blank=True, editable=False, help_text="Hash of the last stored answer.")

    class Meta:
        ordering = ["assignment", "number"]
        constraints = [models.UniqueConstraint(fields=["assignment", "number"], name="reading_set_once")]

    def __str__(self) -> str:
        return f"{self.assignment} set {self.number}"


class ReadingSession(models.Model):
    """A reader's time at one screen without a break, with the result of its viewing check."""

    assignment = models.ForeignKey(Assignment, on_delete=models.PROTECT, related_name="sessions")
    started_at = models.DateTimeField(auto_now_add=True)
    viewing = models.JSONField(default=dict, help_text="Window, screen, devicePixelRatio, colour depth, scale.")
    user_agent = models.CharField(max_length=300, blank=True)
    language = models.CharField(max_length=10, blank=True, help_text="Of the pages, as Django names it: en-gb, de ...")

    class Meta:
        ordering = ["started_at"]

    def __str__(self) -> str:
        return f"session {self.pk}"
