"""The blinded study.

Study          cases, arms, copies and questions; draft -> frozen -> open -> closed -> unblinded
Case           a patch chosen for a study
Stimulus       a case in one arm, as exact bytes; the study does not know how a perturbation was made
Assignment     one reader in one study, under a pseudonymous code
Slot           a place in an adaptive set: a case, a ladder and a side, of which the level is chosen when its turn comes
Presentation   one stimulus, shown to one reader, in one set, at one position; named by an opaque random token
Response       what the reader answered; append-only, the latest revision counts
AuditEvent     what was done and by whom; each event carries the hash of the one before it
ScheduleSecret what every schedule is drawn from besides the study's seed; in a table of its own, which no page shows
"""

import secrets

from django.conf import settings as project
from django.db import models
from django.utils import timezone

from core.records import AppendOnly, Made


def new_token() -> str:
    """An opaque name: 128 random bits, not derived from anything."""
    return secrets.token_urlsafe(16)


def stimulus_path(stimulus: "Stimulus", filename: str) -> str:
    return f"stimuli/{stimulus.case.study_id}/{filename}"


def guide_path(image: "GuideImage", filename: str) -> str:
    return f"guides/{image.study_id}/{filename}"


class PresentStudies(models.Manager["Study"]):
    """All but drafts that were deleted: their rows stay, because the log's events name them."""

    def get_queryset(self) -> models.QuerySet["Study"]:
        return super().get_queryset().filter(deleted_at=None)


class Study(Made):
    class State(models.TextChoices):
        DRAFT = "draft", "draft"
        FROZEN = "frozen", "frozen"
        OPEN = "open", "open"
        CLOSED = "closed", "closed"
        UNBLINDED = "unblinded", "unblinded"

    class Task(models.TextChoices):
        LABELLING = "labelling", "labelling: tumour or no tumour"
        PAIR = "pair", "pair comparison: which one was altered?"
        BIAS = "bias", "bias: which of two altered ones looks more like tumour?"

    class PairDisplay(models.TextChoices):
        SIDE = "side", "side by side"
        ALTERNATING = "alternating", "in one place, alternating at a key"

    class Ladder(models.TextChoices):
        NONE = "none", "no ladder: each change as the attack made it"
        FIXED = "fixed", "every level equally often (constant stimuli)"
        ADAPTIVE = "adaptive", "adaptive: each next level by a Bayesian rule"

    class ArmOrder(models.TextChoices):
        TWIN_SPLIT = "twin-split", "twins in different sets: one arm of a patch per set, crossed over"
        PAPER = "paper", "the paper’s: all arms of a patch in every set"

    class Surroundings(models.TextChoices):
        DARK = "dark", "dark grey"
        LIGHT = "light", "light grey"

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=200)
    state = models.CharField(max_length=20, choices=State.choices, default=State.DRAFT)
    task = models.CharField(max_length=20, choices=Task.choices, default=Task.LABELLING)
    pair_display = models.CharField(max_length=12, choices=PairDisplay.choices, default=PairDisplay.SIDE)
    exposure_ms = models.PositiveSmallIntegerField(
        default=0, help_text="Pairs: how long they are shown before a mask covers them; 0: without limit."
    )
    ladder = models.CharField(
        max_length=10, choices=Ladder.choices, default=Ladder.NONE, help_text="Pair comparison: which levels are shown."
    )
    trials = models.PositiveSmallIntegerField(default=60, help_text="Adaptive: pairs of each ladder in a set.")
    identical = models.PositiveSmallIntegerField(default=0, help_text="Pairs of two identical images in a set.")
    ladders = models.JSONField(default=dict, blank=True, help_text="Norm, levels and, if adaptive, rule and prior.")
    seed = models.BigIntegerField()
    copies = models.PositiveSmallIntegerField(default=2)
    arm_order = models.CharField(
        max_length=12,
        choices=ArmOrder.choices,
        default=ArmOrder.PAPER,
        help_text="A pair comparison always has the paper's.",
    )
    min_gap = models.PositiveIntegerField(default=5, help_text="Least distance in positions of two stimuli of a patch.")
    washout_hours = models.FloatField(default=336.0, help_text="From the end of a set to the opening of the next.")
    questions = models.JSONField(
        default=list, blank=True, help_text="Any of confidence, tumour_cell_count, perturbed_response, note."
    )
    criterion = models.TextField(help_text="The labelling criterion, shown in the instructions.")
    tell_altered = models.BooleanField(default=False, help_text="Labelling: readers are told of altered images.")
    contact = models.TextField(blank=True, help_text="Whom readers ask.")
    consent_text = models.TextField(blank=True)
    surroundings = models.CharField(max_length=10, choices=Surroundings.choices, default=Surroundings.DARK)
    scale = models.PositiveSmallIntegerField(default=2, help_text="Device pixels per patch pixel that are asked for.")
    size_mm = models.FloatField(
        null=True, blank=True, help_text="Width of an image on a reader's screen, where a card gave the screen's scale."
    )
    microns_per_pixel = models.FloatField(
        null=True, blank=True, help_text="Of the data set's patches; a scale bar is shown where it is known."
    )
    break_every = models.PositiveIntegerField(default=40, help_text="Presentations between break reminders; 0: none.")
    practice_count = models.PositiveSmallIntegerField(default=0)
    margin = models.FloatField(null=True, blank=True, help_text="For equivalence and non-inferiority, as a fraction.")
    margin_rationale = models.TextField(blank=True, help_text="Why the margin is what it is.")
    alpha = models.FloatField(default=0.025, help_text="One-sided.")
    floor_tpf = models.FloatField(
        null=True, blank=True, help_text="No verdict where the TPF of originals is below this."
    )
    floor_d_prime = models.FloatField(
        null=True, blank=True, help_text="No verdict where d' of originals is below this; needs negatives."
    )
    stopping_rule = models.TextField(blank=True, help_text="When reading ends.")
    source = models.JSONField(default=dict, help_text="Classifier, dataset, attacks, Table 1a: a snapshot at building.")
    protocol_version = models.PositiveIntegerField(default=1)
    protocol = models.JSONField(null=True, blank=True, editable=False)
    protocol_sha256 = models.CharField(max_length=64, blank=True, editable=False)
    team = models.ForeignKey(
        "auth.Group",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="studies",
        help_text="Its researchers and all admins see the study; every researcher does if there is none.",
    )
    frozen_at = models.DateTimeField(null=True, blank=True)
    opened_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    unblinded_at = models.DateTimeField(null=True, blank=True)
    unblinded_by = models.CharField(max_length=150, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="Of a draft.")

    objects = PresentStudies()

    class Meta(Made.Meta):
        ordering = ["-created_at"]
        verbose_name_plural = "studies"
        constraints = [
            models.CheckConstraint(condition=models.Q(copies__gte=1), name="study_at_least_one_copy"),
            models.CheckConstraint(condition=models.Q(washout_hours__gte=0), name="study_washout_not_negative"),
            models.CheckConstraint(
                condition=models.Q(margin__isnull=True) | models.Q(margin__gt=0, margin__lt=1),
                name="study_margin_is_a_fraction",
            ),
            models.CheckConstraint(
                condition=models.Q(state="draft") | ~models.Q(protocol_sha256=""), name="study_frozen_has_protocol"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def paired(self) -> bool:
        """Whether two images are shown at once, of which one is chosen."""
        return self.task in (self.Task.PAIR, self.Task.BIAS)

    @property
    def adaptive(self) -> bool:
        """Whether levels are chosen while readers answer, so that presentations are made one by one."""
        return self.task == self.Task.PAIR and self.ladder == self.Ladder.ADAPTIVE


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
