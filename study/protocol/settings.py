"""What can be chosen when a study is built: numbers, questions, texts, arms; declared once."""

from typing import Any

from rest_framework import serializers

from attacks.engine.ladder import MOST_LEVELS
from core.requests import Number, Request
from study.models import Study

CRITERION = (
    "Answer “tumour” when you see any tumour cells in the patch, also where they are few, and “no tumour” when you see "
    "none. According to the reference diagnosis tumour patches hold five or more tumour cells and the others none."
)
CONSENT = (
    "You take part as a reader under a pseudonym. Your answers, their times and the size of your window are stored "
    "for research. You may stop at any time; the answers given until then are kept."
)
QUESTIONS = [
    ("confidence", "confidence, 1 to 5"),
    ("perturbed_response", "“was this image altered?”"),
    ("tumour_cell_count", "number of tumour cells"),
    ("note", "free note"),
]
STOPPING_RULE = (
    "Reading ends when every reader has finished every set or was withdrawn. No result is looked at before that."
)
STRATA = [
    ("group", "evenly over slides or patients"),
    ("tumour_cells", "spread over tumour-cell counts"),
    ("margin", "spread over the classifier’s margin"),
    ("random", "at random"),
]
CASES = {"section": "Cases and controls"}
READING = {"section": "Reading"}
LADDER = {"section": "Levels of a pair comparison"}
ANALYSIS = {"section": "Analysis"}
ROOM = {"section": "Room and texts"}


class SettingsRequest(Request):
    """The settings of a study that do not say where its cases come from or who reads it."""

    aliases = {"positives": "--cases", "questions": "--question"}

    positives = serializers.IntegerField(
        min_value=0,
        max_value=100_000,
        default=20,
        label="Positive cases",
        help_text="Patches with tumour that are shown.",
        style=CASES,
    )
    negatives = serializers.IntegerField(
        min_value=0,
        max_value=100_000,
        allow_null=True,
        default=None,
        label="Negative cases",
        help_text="Patches without tumour that are shown; as many as positives if left out, or what the pool has. "
        "With 0 (the paper’s design) a reader who always answers “tumour” looks like a perfect one.",
        style=CASES,
    )
    stratify = serializers.ChoiceField(
        choices=STRATA,
        allow_null=True,
        default=None,
        label="Draw cases",
        help_text="From the pool. If left out: evenly over slides or patients where they are known, else at random.",
        style=CASES | {"empty": "evenly over slides or patients, where known"},
    )
    noise = serializers.BooleanField(
        default=False,
        label="Noise control",
        help_text="Each case also with its perturbation’s own pixels shuffled: equal energy, no attack.",
        style=CASES,
    )
    catch = serializers.IntegerField(
        min_value=0,
        max_value=1000,
        default=0,
        label="Catch images",
        help_text="Altered for anybody to see: of the study’s own cases, or of further patches where twins lie in "
        "different sets.",
        style=CASES,
    )
    copies = serializers.IntegerField(
        min_value=1,
        max_value=10,
        default=2,
        label="Sets",
        help_text="Each shows every patch.",
        style=READING,
    )
    arm_order = serializers.ChoiceField(
        choices=Study.ArmOrder.choices,
        allow_null=True,
        default=None,
        label="Order of arms",
        help_text="If left out: twins in different sets where the number of sets is a multiple of the number of arms, "
        "else the paper’s.",
        style=READING | {"empty": "twins in different sets, where the number of sets allows it"},
    )
    min_gap = serializers.IntegerField(
        min_value=1,
        max_value=10_000,
        allow_null=True,
        default=None,
        label="Minimum gap",
        help_text="Positions between two images of one patch; if left out, 12 or the largest feasible one.",
        style=READING,
    )
    washout_hours = Number(
        min_value=0,
        max_value=100_000,
        default=336.0,
        label="Wash-out (hours)",
        help_text="From the end of a set to the next; 336 is two weeks.",
        style=READING,
    )
    task = serializers.ChoiceField(
        choices=Study.Task.choices, default=Study.Task.LABELLING.value, help_text="What readers do.", style=READING
    )
    pair_display = serializers.ChoiceField(
        choices=Study.PairDisplay.choices,
        default=Study.PairDisplay.SIDE.value,
        label="Pairs are shown",
        help_text="In the pair comparison.",
        style=READING,
    )
    exposure_ms = serializers.IntegerField(
        min_value=0,
        max_value=10_000,
        default=0,
        label="Exposure (ms)",
        help_text="Pairs side by side: a mask covers them after so long; the frames painted are stored. 0: no limit.",
        style=READING,
    )
    ladder = serializers.ChoiceField(
        choices=Study.Ladder.choices,
        default=Study.Ladder.NONE.value,
        label="Levels",
        help_text="Whether each pair shows its change at several sizes, to find the smallest that a reader sees. With "
        "the noise control, equal-energy noise is a ladder of its own.",
        style=LADDER,
    )
    levels = serializers.IntegerField(
        min_value=3,
        max_value=MOST_LEVELS,
        default=8,
        label="Levels of a ladder",
        help_text="The same change at so many sizes in equal ratios, in whole grey levels.",
        style=LADDER,
    )
    lowest = Number(
        min_value=0.001,
        max_value=255,
        allow_null=True,
        default=None,
        label="Weakest level",
        help_text="In the norm of the attack; if left out, half of the median change that flips the model.",
        style=LADDER,
    )
    highest = Number(
        min_value=0.001,
        max_value=255,
        allow_null=True,
        default=None,
        label="Strongest level",
        help_text="Plain for anybody to see; if left out, 12 in L1, 16 in L2, 32 in L∞.",
        style=LADDER,
    )
    trials = serializers.IntegerField(
        min_value=10,
        max_value=2000,
        default=60,
        label="Pairs of each ladder",
        help_text="Adaptive only: in each set. Their number is fixed, as a stop that depends on the answers would tell "
        "readers how they fare.",
        style=LADDER,
    )
    identical = serializers.IntegerField(
        min_value=0,
        max_value=2000,
        allow_null=True,
        default=None,
        label="Identical pairs",
        help_text="Pairs of one image beside itself, in each set: they show guessing. If left out, one for every ten "
        "other pairs, at most one per case where levels are fixed.",
        style=LADDER,
    )
    questions = serializers.ListField(
        child=serializers.ChoiceField(choices=QUESTIONS),
        default=["confidence"],
        label="Further questions",
        help_text="Asked with every answer.",
        style=READING,
    )
    margin = Number(
        min_value=0.001,
        max_value=0.999,
        allow_null=True,
        default=0.10,
        help_text="For equivalence and non-inferiority, in points on pages; elsewhere a share: 0.10 is ten points.",
        error_messages=dict.fromkeys(
            ("min_value", "max_value"), "A margin is from 0.1 to 99.9 points, a share of 0.001 to 0.999."
        ),
        style=ANALYSIS | {"times": 100},
    )
    margin_rationale = serializers.CharField(
        max_length=5000,
        allow_blank=True,
        default="",
        label="Why this margin",
        help_text="Printed in the protocol.",
        style=ANALYSIS | {"rows": 2},
    )
    alpha = Number(
        min_value=0.0001,
        max_value=0.4999,
        default=0.025,
        label="Level (one-sided)",
        help_text="0.025 goes with 95 % intervals.",
        style=ANALYSIS,
    )
    floor_tpf = Number(
        min_value=0.0,
        max_value=1.0,
        allow_null=True,
        default=0.70,
        label="Least TPF of originals",
        help_text="Below it readers did not see the tumours in the first place, and there is no verdict.",
        style=ANALYSIS,
    )
    floor_d_prime = Number(
        min_value=0.0,
        max_value=10.0,
        allow_null=True,
        default=1.0,
        label="Least d′ of originals",
        help_text="Below it readers did not tell tumour from none, and there is no verdict; only where negatives are "
        "shown.",
        style=ANALYSIS,
    )
    stopping_rule = serializers.CharField(
        max_length=5000,
        allow_blank=True,
        default=STOPPING_RULE,
        label="Stopping rule",
        help_text="When reading ends; printed in the protocol.",
        style=ANALYSIS | {"rows": 2},
    )
    scale = serializers.IntegerField(
        min_value=1, max_value=8, default=2, help_text="Screen pixels per image pixel.", style=ROOM
    )
    size_mm = Number(
        min_value=5,
        max_value=500,
        allow_null=True,
        default=None,
        label="Width on the screen (mm)",
        help_text="Readers compare a bank card with an outline, and images are shown at the whole number of screen "
        "pixels per image pixel that comes nearest; the width really shown is stored. Without a card, or if left out, "
        "the scale counts.",
        style=ROOM,
    )
    microns_per_pixel = Number(
        min_value=0.01,
        max_value=100,
        allow_null=True,
        default=None,
        label="Microns per pixel",
        help_text="Of the data set, such as 0.25 for PanNuke: readers are shown a scale bar. None if left out.",
        style=ROOM,
    )
    surroundings = serializers.ChoiceField(
        choices=Study.Surroundings.choices,
        default=Study.Surroundings.DARK.value,
        help_text="Around the image.",
        style=ROOM,
    )
    practice = serializers.IntegerField(
        min_value=0,
        max_value=1000,
        default=4,
        label="Practice images",
        help_text="From outside the study.",
        style=ROOM,
    )
    examples = serializers.IntegerField(
        min_value=0,
        max_value=1000,
        default=4,
        label="Example images",
        help_text="Shown with their truth in the instructions.",
        style=ROOM,
    )
    break_every = serializers.IntegerField(
        min_value=0,
        max_value=1000,
        default=40,
        label="Break after",
        help_text="Images between reminders; 0: none.",
        style=ROOM,
    )
    criterion = serializers.CharField(
        max_length=5000,
        default=CRITERION,
        label="Labelling criterion",
        help_text="When to answer “tumour”.",
        style=ROOM | {"rows": 3},
    )
    tell_altered = serializers.BooleanField(
        default=False,
        label="Say that images may be altered",
        help_text="In the instructions of a labelling study. Unsaid, readers label as they would at work. A pair "
        "comparison always says it.",
        style=ROOM,
    )
    contact = serializers.CharField(
        max_length=500,
        allow_blank=True,
        default="",
        label="Contact",
        help_text="Whom readers ask: a name with a telephone number or an address; shown in the instructions.",
        style=ROOM,
    )
    consent_text = serializers.CharField(
        max_length=20_000,
        default=CONSENT,
        allow_blank=True,
        label="Consent",
        help_text="What readers agree to; a standard text if left empty.",
        style=ROOM | {"rows": 4},
    )

    def validate(self, settings: dict[str, Any]) -> dict[str, Any]:
        if settings["positives"] + (settings["negatives"] or 0) < 1:
            raise serializers.ValidationError({"positives": ["A study needs at least one case."]})
        paired = settings["task"] != Study.Task.LABELLING
        if settings["exposure_ms"] and not (paired and settings["pair_display"] == Study.PairDisplay.SIDE):
            text = "Only pairs that stand side by side are shown for a limited time; choose that, or 0."
            raise serializers.ValidationError({"exposure_ms": [text]})
        if settings["task"] == Study.Task.BIAS and settings["pair_display"] != Study.PairDisplay.SIDE:
            raise serializers.ValidationError({"pair_display": ["Bias pairs stand side by side; choose that."]})
        for control in ("noise", "catch"):
            if settings["task"] == Study.Task.BIAS and settings[control]:
                text = "A bias pair is two images of equal energy, and needs no control; leave this out."
                raise serializers.ValidationError({control: [text]})
        for question in ("perturbed_response", "tumour_cell_count"):
            if paired and question in settings["questions"]:
                text = (
                    f"The question {dict(QUESTIONS)[question]} is asked of single images, not of pairs; leave it out."
                )
                raise serializers.ValidationError({"questions": [text]})
        if paired and settings["arm_order"] == Study.ArmOrder.TWIN_SPLIT:
            text = "A pair comparison shows both images at once; leave this out, or choose the paper’s order."
            raise serializers.ValidationError({"arm_order": [text]})
        if settings["ladder"] != Study.Ladder.NONE:
            self._check_ladder(settings)
        return settings

    @staticmethod
    def _check_ladder(settings: dict[str, Any]) -> None:
        if settings["task"] != Study.Task.PAIR:
            raise serializers.ValidationError({"ladder": ["Levels are compared in pairs; choose that task."]})
        if settings["catch"]:
            text = "The strongest level of a ladder is there for anybody to see; leave catch images out."
            raise serializers.ValidationError({"catch": [text]})
        if settings["lowest"] and settings["highest"] and settings["lowest"] >= settings["highest"]:
            raise serializers.ValidationError({"highest": ["The strongest level must be above the weakest one."]})
