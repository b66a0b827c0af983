"""What is chosen when a study is built: numbers, questions, texts, arms; declared once, checked before any drawing."""

from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from rest_framework import serializers

from core.requests import Number, Request, check, fields_of
from study.design.sampling import Stratify
from study.models import Study

CRITERION = (
    "Answer “tumour” when the patch shows tumour cells, and “no tumour” when it shows none. "
    "A patch counts as tumour by the reference when it holds five or more tumour cells."
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
STRATA = [
    ("group", "spread over slides or patients"),
    ("tumour_cells", "spread over tumour-cell counts"),
    ("margin", "spread over the classifier’s margin"),
]
CASES = {"section": "Cases and controls"}
READING = {"section": "Reading"}
ANALYSIS = {"section": "Analysis"}
ROOM = {"section": "Room and texts"}
Settings = TypeVar("Settings")


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
        default=0,
        label="Negative cases",
        help_text="Patches without tumour that are shown.",
        style=CASES,
    )
    stratify = serializers.ChoiceField(
        choices=STRATA,
        allow_null=True,
        default=None,
        label="Draw cases",
        help_text="From the pool; at random if left out.",
        style=CASES | {"empty": "at random"},
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
        help_text="Cases that are also shown altered for anybody to see.",
        style=CASES,
    )
    copies = serializers.IntegerField(
        min_value=1, max_value=10, default=2, label="Sets", help_text="How often each image is read.", style=READING
    )
    min_gap = serializers.IntegerField(
        min_value=1,
        max_value=10_000,
        default=5,
        label="Minimum gap",
        help_text="Positions between two images of one patch.",
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
        help_text="For equivalence and non-inferiority: 0.10 is ten points.",
        style=ANALYSIS,
    )
    alpha = Number(
        min_value=0.0001,
        max_value=0.4999,
        default=0.025,
        label="Level (one-sided)",
        help_text="0.025 goes with 95 % intervals.",
        style=ANALYSIS,
    )
    scale = serializers.IntegerField(
        min_value=1, max_value=8, default=2, help_text="Screen pixels per image pixel.", style=ROOM
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
    consent_text = serializers.CharField(
        max_length=20_000,
        default=CONSENT,
        allow_blank=True,
        label="Consent",
        help_text="What readers agree to; a standard text if left empty.",
        style=ROOM | {"rows": 4},
    )

    def validate(self, settings: dict[str, Any]) -> dict[str, Any]:
        cases = settings["positives"] + settings["negatives"]
        if cases < 1:
            raise serializers.ValidationError({"positives": ["A study needs at least one case."]})
        if settings["catch"] > cases:
            raise serializers.ValidationError({"catch": [f"{settings['catch']} is more than the {cases} cases."]})
        return settings


def with_declared_defaults(settings: type[Settings]) -> type[Settings]:
    """Gives the fields of a dataclass-to-be the defaults that ``SettingsRequest`` declares."""
    declared = fields_of(SettingsRequest)
    for name in settings.__annotations__:
        default = declared[name].default
        setattr(settings, name, tuple(default) if isinstance(default, list) else default)
    return settings


@dataclass(frozen=True)
@with_declared_defaults
class StudySettings:
    """What a researcher chooses, as the builder takes it; ``SettingsRequest`` says what each is, and its limits.

    ``noise`` adds to every case a control arm of the perturbation's own pixels, shuffled (equal energy, no attack);
    ``catch`` is the number of cases that are also shown with an alteration that anybody can see.
    """

    positives: int
    negatives: int
    copies: int
    min_gap: int
    washout_hours: float
    task: str
    pair_display: str
    questions: tuple[str, ...]
    margin: float | None
    alpha: float
    scale: int
    surroundings: str
    practice: int
    examples: int
    break_every: int
    stratify: Stratify | None
    noise: bool
    catch: int
    criterion: str
    consent_text: str

    @classmethod
    def of(cls, chosen: dict[str, Any]) -> "StudySettings":
        """From validated settings, among which there may be others."""
        return cls(
            **{field.name: chosen[field.name] for field in fields(cls)} | {"questions": tuple(chosen["questions"])}
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self) | {"questions": list(self.questions)}

    def check(self) -> None:
        """Raises InvalidInput naming the field that is out of range."""
        check(SettingsRequest, self.as_dict())
