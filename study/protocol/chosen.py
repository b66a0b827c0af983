"""What was chosen of a study's settings, as the builder takes it; checked before any drawing."""

from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from core.requests import check, fields_of
from study.design.sampling import Stratify
from study.protocol.settings import SettingsRequest

Settings = TypeVar("Settings")


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

    What is None is decided by ``study.protocol.decided`` when the pool is known.

    ``noise`` adds to every case a control arm of the perturbation's own pixels, shuffled (equal energy, no attack);
    ``catch`` is the number of cases that are also shown with an alteration that anybody can see.
    """

    positives: int
    negatives: int | None
    copies: int
    arm_order: str | None
    min_gap: int | None
    washout_hours: float
    task: str
    pair_display: str
    exposure_ms: int
    ladder: str
    levels: int
    lowest: float | None
    highest: float | None
    trials: int
    identical: int | None
    questions: tuple[str, ...]
    margin: float | None
    margin_rationale: str
    alpha: float
    floor_tpf: float | None
    floor_d_prime: float | None
    stopping_rule: str
    scale: int
    size_mm: float | None
    microns_per_pixel: float | None
    surroundings: str
    practice: int
    examples: int
    break_every: int
    stratify: Stratify | None
    noise: bool
    catch: int
    criterion: str
    tell_altered: bool
    contact: str
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
