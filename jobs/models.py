"""Jobs: long work that a worker does and a page watches.

Job         one piece of work: who asked, with which arguments and code, how far it is, what came of it
JobWorker   a worker process that has been seen lately
"""

from django.conf import settings as project
from django.db import models


class Job(models.Model):
    """All that is known about a piece of work; the task queue carries only its id and attempt.

    ``attempt`` is a fence: a worker writes only while its own attempt is the current one. A slow worker that was taken
    for lost can therefore not undo what its successor does.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "waiting for its parts"
        QUEUED = "queued", "queued"
        RUNNING = "running", "running"
        CANCELLING = "cancelling", "cancelling"
        DONE = "done", "done"
        FAILED = "failed", "failed"
        CANCELLED = "cancelled", "cancelled"

    ACTIVE = (State.WAITING, State.QUEUED, State.RUNNING, State.CANCELLING)
    HELD = (State.RUNNING, State.CANCELLING)
    ENDED = (State.DONE, State.FAILED, State.CANCELLED)

    kind = models.CharField(max_length=50)
    title = models.CharField(max_length=200)
    arguments = models.JSONField(default=dict, help_text="What the work is called with: all its settings.")
    state = models.CharField(max_length=12, choices=State.choices, default=State.QUEUED)
    attempt = models.PositiveIntegerField(default=1)
    lost = models.PositiveIntegerField(default=0, help_text="Attempts that ended because their worker vanished.")
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.CASCADE, related_name="parts")
    part = models.PositiveIntegerField(null=True, blank=True, help_text="Which part of its parent's work, from 0.")
    requested_by = models.ForeignKey(
        project.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    requester = models.CharField(max_length=150, blank=True, help_text="Their name, kept if the account goes.")
    team = models.ForeignKey(
        "auth.Group",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Whose work it is; everybody's if empty.",
    )
    code_version = models.CharField(max_length=100, help_text="Of the program that asked.")
    worker_code_version = models.CharField(max_length=100, blank=True, help_text="Of the program that worked.")
    worker = models.CharField(max_length=100, blank=True)
    task_id = models.CharField(max_length=64, blank=True, help_text="The task queue's name for the current attempt.")
    done = models.PositiveBigIntegerField(default=0)
    total = models.PositiveBigIntegerField(default=0)
    unit = models.CharField(max_length=30, blank=True)
    rate = models.FloatField(null=True, blank=True, help_text="Units per second, lately.")
    log = models.TextField(blank=True, help_text="The last lines.")
    result = models.JSONField(null=True, blank=True)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    queued_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True, help_text="Of the first attempt.")
    heartbeat_at = models.DateTimeField(null=True, blank=True, help_text="By the database's clock.")
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["state", "heartbeat_at"], name="job_state_heartbeat")]
        constraints = [models.UniqueConstraint(fields=["parent", "part"], name="job_part_once")]

    def __str__(self) -> str:
        return self.title

    @property
    def is_active(self) -> bool:
        return self.state in self.ACTIVE


class JobWorker(models.Model):
    name = models.CharField(max_length=100, unique=True)
    code_version = models.CharField(max_length=100)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField(help_text="By the database's clock.")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
