"""The part of a protocol that repeats the study's rows. Freezing writes it; verifying writes it again and compares."""

from typing import Any

from attacks.engine.norms import MEASURED, PERCEPTUAL
from study.models import Case, GuideImage, Stimulus, Study

SETTINGS = {
    "protocol_version": "protocol_version",
    "study": "slug",
    "name": "name",
    "task": "task",
    "pair_display": "pair_display",
    "exposure_ms": "exposure_ms",
    "ladder": "ladder",
    "trials": "trials",
    "identical": "identical",
    "ladders": "ladders",
    "criterion": "criterion",
    "questions": "questions",
    "copies": "copies",
    "arm_order": "arm_order",
    "min_gap": "min_gap",
    "washout_hours": "washout_hours",
    "margin": "margin",
    "margin_rationale": "margin_rationale",
    "alpha_one_sided": "alpha",
    "floor_tpf": "floor_tpf",
    "floor_d_prime": "floor_d_prime",
    "stopping_rule": "stopping_rule",
    "scale": "scale",
    "size_mm": "size_mm",
    "microns_per_pixel": "microns_per_pixel",
    "surroundings": "surroundings",
    "practice_count": "practice_count",
    "break_every": "break_every",
    "tell_altered": "tell_altered",
    "contact": "contact",
    "consent_text": "consent_text",
    "seed": "seed",
    "source": "source",
    "code_version": "code_version",
}
"""Key of the protocol, and the study's column that it repeats."""

_CASE = (
    "number", "patch_id", "group", "truth", "truth_source", "tumour_cells", "flips", "excluded", "exclusion_reason",
)  # fmt: skip
_MEASURED = ("model_prob", "model_label", "attack", "norm", "budget", *MEASURED)
_GUIDE = ("kind", "number", "patch_id", "sha256", "truth")


def settings_part(study: Study) -> dict[str, Any]:
    return {key: getattr(study, column) for key, column in SETTINGS.items()}


def case_part(case: Case) -> dict[str, Any]:
    """A case with the SHA-256 of its stimuli, and what was measured on each."""
    stimuli: list[Stimulus] = list(case.stimuli.all())
    return {
        **{name: getattr(case, name) for name in _CASE},
        "stimuli": {stimulus.arm: stimulus.sha256 for stimulus in stimuli},
        "measured": {stimulus.arm: _measured(stimulus) for stimulus in stimuli},
    }


def _measured(stimulus: Stimulus) -> dict[str, Any]:
    later = {name: getattr(stimulus, name) for name in PERCEPTUAL}  # of before they were measured: not there
    there = {name: value for name, value in later.items() if value is not None}
    return {name: getattr(stimulus, name) for name in _MEASURED} | there


def guide_part(image: GuideImage) -> dict[str, Any]:
    """An image of the instructions or the practice."""
    return {name: getattr(image, name) for name in _GUIDE}


def rows_part(study: Study) -> dict[str, Any]:
    """All of it."""
    cases = [case_part(case) for case in study.cases.prefetch_related("stimuli")]
    return {
        **settings_part(study),
        "arms": sorted({arm for case in cases for arm in case["stimuli"]}),
        "cases": cases,
        "guide_images": [guide_part(image) for image in study.guide_images.all()],
    }
