"""What can be asked of a rehearsal: how many simulated readers, and what is planted in them."""

from typing import Any

from rest_framework import serializers

from core.requests import Number, Request, seed_field
from study.design.simulate import SimulatedReader

DEFAULT = SimulatedReader()


def _fraction(name: str, help_text: str) -> Number:
    return Number(min_value=0, max_value=1, default=getattr(DEFAULT, name), help_text=help_text)


def _spread(name: str, help_text: str) -> Number:
    return Number(min_value=0, max_value=10, default=getattr(DEFAULT, name), help_text=f"{help_text}, as a probit SD.")


def _shift(name: str, most: float, help_text: str) -> Number:
    return Number(min_value=-most, max_value=most, default=getattr(DEFAULT, name), help_text=help_text)


def _by_arm(help_text: str) -> serializers.ListField:
    return serializers.ListField(child=serializers.CharField(max_length=60), default=list, help_text=help_text)


def _read_by_arm(value: list[str]) -> dict[str, float]:
    """``["noise=-0.05"]`` as ``{"noise": -0.05}``."""
    by_arm: dict[str, float] = {}
    for text in value:
        arm, _, number = (part.strip() for part in text.partition("="))
        try:
            read = Number().run_validation(number)
        except serializers.ValidationError:
            raise serializers.ValidationError(f"{text!r} is not ARM=NUMBER, such as noise=-0.05.") from None
        if not arm:
            raise serializers.ValidationError(f"{text!r} names no arm; write ARM=NUMBER, such as noise=-0.05.")
        if arm in by_arm:
            raise serializers.ValidationError(f"{arm!r} is given twice; keep one.")
        by_arm[arm] = read
    return by_arm


class RehearseRequest(Request):
    """A rehearsal by simulated readers. Fractions and their changes are of 1: -0.10 is a drop of ten points."""

    readers = serializers.IntegerField(min_value=1, max_value=100, default=1, help_text="Simulated readers in all.")
    seed = seed_field()
    sensitivity = _fraction("sensitivity", "Share of positives called tumour in the original arm.")
    specificity = _fraction("specificity", "Share of negatives called no tumour.")
    effect = _by_arm("ARM=CHANGE of the sensitivity in that arm, such as noise=-0.05; repeatable.")
    lost = _by_arm("ARM=SHARE of the positives that every reader loses in that arm, such as perturbed=0.1; repeatable.")
    bias = _shift("bias", 10, "Every reader's bias to 'tumour', on the probit scale; 10 always says so.")
    drift = _shift("drift", 1, "Change of the fraction correct per 100 images of a set.")
    set_drift = _shift("set_drift", 1, "Change of the fraction correct from one set to the next.")
    recognised = _fraction(
        "recognised", "Share of patches met before in the set that are recognised and answered alike."
    )
    remembered = _fraction("remembered", "The same share of patches met in an earlier set only.")
    detection = _fraction("detection", "Share right on which image, or whether this one, was altered.")
    suspicion = _shift("suspicion", 10, "Bias to 'this one was altered', on the probit scale.")
    preference_sd = _spread("preference_sd", "A reader's lasting preference for one image of a pair")
    threshold = _by_arm("LADDER=LEVEL at which half of what is not guessed is seen, such as perturbed=2.5; repeatable.")
    slope = Number(
        min_value=0.01, max_value=100, default=DEFAULT.slope, help_text="Of seeing against the logarithm of the level."
    )
    threshold_sd = Number(
        min_value=0,
        max_value=10,
        default=DEFAULT.threshold_sd,
        help_text="Readers differ in their threshold, as an SD of its natural logarithm.",
    )
    threshold_patch_sd = Number(
        min_value=0,
        max_value=10,
        default=DEFAULT.threshold_patch_sd,
        help_text="Some patches hide changes better than others, as the same kind of SD.",
    )
    lapse = _fraction("lapse", "Share of answers that are a coin toss.")
    patch_sd = _spread("patch_sd", "Some patches are harder than others, in all arms")
    patch_arm_sd = _spread("patch_arm_sd", "An arm changes some patches more than others")
    reader_sd = _spread("reader_sd", "Readers differ in their bias to 'tumour'")
    reader_arm_sd = _spread("reader_arm_sd", "An arm affects some readers more than others")
    group_sd = _spread("group_sd", "Some slides are harder than others, in all arms")
    group_arm_sd = _spread("group_arm_sd", "An arm changes some slides more than others")

    def validate_effect(self, value: list[str]) -> dict[str, float]:
        return _read_by_arm(value)

    def validate_threshold(self, value: list[str]) -> dict[str, float]:
        return _read_by_arm(value)

    def validate_lost(self, value: list[str]) -> dict[str, float]:
        return _read_by_arm(value)


def skill_of(settings: dict[str, Any]) -> SimulatedReader:
    """The reader that validated settings describe.

    Raises:
        InvalidInput: naming the setting that cannot be, such as an effect that leaves no fraction.
    """
    names = set(SimulatedReader.__dataclass_fields__)
    return SimulatedReader(**{name: value for name, value in settings.items() if name in names})
