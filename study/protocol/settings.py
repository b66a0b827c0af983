"""What is chosen when a study is built: numbers, questions, texts, arms; checked before anything is drawn."""

from dataclasses import dataclass

from core.errors import InvalidInput
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
QUESTIONS = ("confidence", "tumour_cell_count", "perturbed_response", "note")


@dataclass(frozen=True, slots=True)
class StudySettings:
    """What a researcher chooses. Fractions, hours and counts; see ``Study`` for each.

    ``noise`` adds to every case a control arm of the perturbation's own pixels, shuffled (equal energy, no attack);
    ``catch`` is the number of cases that are also shown with an alteration that anybody can see.
    """

    positives: int = 20
    negatives: int = 0
    copies: int = 2
    min_gap: int = 5
    washout_hours: float = 336.0
    task: str = Study.Task.LABELLING
    pair_display: str = Study.PairDisplay.SIDE
    questions: tuple[str, ...] = ("confidence",)
    margin: float | None = 0.10
    alpha: float = 0.025
    scale: int = 2
    surroundings: str = Study.Surroundings.DARK
    practice: int = 4
    examples: int = 4
    break_every: int = 40
    stratify: Stratify | None = None
    noise: bool = False
    catch: int = 0
    criterion: str = CRITERION
    consent_text: str = CONSENT

    def check(self) -> None:
        """Raises InvalidInput naming the field that is out of range."""
        unknown = set(self.questions) - set(QUESTIONS)
        if unknown:
            raise InvalidInput(
                f"{', '.join(sorted(unknown))} unknown; choose from {', '.join(QUESTIONS)}.", field="questions"
            )
        if self.positives < 0 or self.negatives < 0:
            raise InvalidInput("the numbers of positives and negatives cannot be negative.", field="cases")
        if self.positives + self.negatives < 1:
            raise InvalidInput("a study needs at least one case.", field="cases")
        if not 1 <= self.copies <= 10:
            raise InvalidInput(f"{self.copies} is out of range; 1 to 10 sets are possible.", field="copies")
        if self.washout_hours < 0:
            raise InvalidInput("it cannot be negative.", field="washout_hours")
        if self.margin is not None and not 0 < self.margin < 1:
            raise InvalidInput(f"{self.margin} is not a fraction between 0 and 1 (0.10 is ten points).", field="margin")
        if not 0 < self.alpha < 0.5:
            raise InvalidInput(f"{self.alpha} is not a one-sided level between 0 and 0.5.", field="alpha")
        if not 1 <= self.scale <= 8:
            raise InvalidInput(f"{self.scale} is out of range; 1 to 8 device pixels per patch pixel.", field="scale")
        if self.task not in Study.Task.values:
            raise InvalidInput(f"'{self.task}' is unknown; choose from {', '.join(Study.Task.values)}.", field="task")
        if not 0 <= self.catch <= self.positives + self.negatives:
            raise InvalidInput(f"{self.catch} is out of range; 0 to the number of cases.", field="catch")
        for name in ("practice", "examples", "break_every"):
            if not 0 <= getattr(self, name) <= 1000:
                raise InvalidInput(f"{getattr(self, name)} is out of range; 0 to 1000.", field=name)
