"""The study itself: what its researchers decided, and where in its life it is."""

from django.db import models

from core.records import Made


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
