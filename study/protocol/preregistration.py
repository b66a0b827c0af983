"""The frozen protocol as one file for a registry, before unblinding: nothing in it tells an arm or an order."""

from typing import Any

from core.errors import NotYet
from core.measures import named
from study.models import Study
from study.protocol.decided import in_words
from study.protocol.documents import OPEN_TO_GUESSES, floors, sealed
from study.protocol.secret import COMMITMENT

TITLES = {
    "name": "Study",
    "task": "Task",
    "criterion": "Criterion",
    "questions": "Further questions",
    "primary_estimand": "Primary estimand",
    "margin": "Margin",
    "margin_rationale": "Why this margin",
    "alpha_one_sided": "Level, one-sided",
    "primary_interval": "Interval",
    "unit_of_inference": "Unit of inference",
    "sensitivity_set": "Sensitivity",
    "multiplicity": "Multiplicity",
    "exclusions": "Exclusions",
    "stopping_rule": "Stopping rule",
    "arms": "Arms",
    "arm_order": "Order of arms",
    "ladder": "Levels",
    "identical": "Identical pairs in a set",
    "exposure_ms": "Exposure of pairs (ms; 0: without limit)",
    "copies": "Sets",
    "min_gap": "Minimum gap (positions)",
    "washout_hours": "Wash-out between sets (hours)",
    "practice_count": "Practice images",
    "break_every": "Images between reminders of a break",
    "scale": "Screen pixels per image pixel",
    "size_mm": "Width of an image on a measured screen (mm)",
    "microns_per_pixel": "Microns per image pixel",
    "surroundings": "Surroundings",
    "tell_altered": "Readers of a labelling study are told that images may be altered",
    "contact": "Contact",
    "consent_text": "Consent",
    "stimuli_checked": "Images checked",
    "verdicts_checked": "Verdicts checked",
    "code_version": "Program version",
}


def document(study: Study) -> dict[str, Any]:
    """What ``as_markdown`` says, for programs.

    Raises:
        NotYet: the study is a draft, so that nothing is fixed yet.
    """
    if not study.protocol_sha256:
        raise NotYet(f"Study '{study.slug}' is a draft: its protocol is fixed when it is frozen.")
    return sealed(study)


def as_markdown(study: Study) -> str:
    """The same for people: what is frozen, by name, with the hashes that prove it later."""
    fixed = document(study)
    lines = [
        f"# Protocol: {fixed['name']}",
        "",
        f"Frozen {fixed['frozen_at']}, version {fixed['protocol_version']}.",
        "",
    ]
    shown = fixed | {"margin": f"{100 * fixed['margin']:g} points" if fixed.get("margin") else None}
    lines += [f"- **{title}:** {_plain(shown[name])}" for name, title in TITLES.items() if name in shown]
    lines += [f"- **Ladder {name}:** {_ladder(fixed, ladder)}" for name, ladder in (fixed.get("ladders") or {}).items()]
    lines.append(f"- **No verdict below:** {floors(fixed.get('floor_tpf'), fixed.get('floor_d_prime'))}")
    lines.append(f"- **Cases:** {', '.join(in_words(fixed['case_counts']))}")
    lines += ["", "## Images and classifier", "", *_source(fixed.get("source") or {})]
    lines += ["", "## Hashes", "", f"SHA-256 of the whole protocol's canonical JSON: `{fixed['protocol_sha256']}`", ""]
    lines += [_secret(fixed), "", f"SHA-256 of all schedules' canonical JSON: `{fixed['schedules_sha256']}`", ""]
    lines += ["| reader | SHA-256 of the schedule |", "|---|---|"]
    lines += [f"| {row['reader']} | `{row['sha256']}` |" for row in fixed["schedules"]]
    return "\n".join([*lines, "", fixed["sealed"], ""])


def _secret(fixed: dict[str, Any]) -> str:
    """What the schedules depend on besides the seed: its hash, and after unblinding itself."""
    if not fixed.get(COMMITMENT):
        return f"Schedules: {OPEN_TO_GUESSES}."
    line = f"SHA-256 of the secret from which the schedules are drawn: `{fixed[COMMITMENT]}`"
    return f"{line}; disclosed by unblinding: `{fixed['schedule_secret']}`" if "schedule_secret" in fixed else line


def _ladder(fixed: dict[str, Any], ladder: dict[str, Any]) -> str:
    """Levels, and of an adaptive one all that decides which comes next."""
    sizes = ", ".join(f"{size:.3g}" for size in ladder["sizes"])
    said = f"{ladder['attack'] or 'equal-energy noise'} at {named(ladder['norm'])} {sizes}"
    if "prior" not in ladder:
        return said
    prior = "; ".join(f"{name.replace('_', ' ')} {_plain(value)}" for name, value in ladder["prior"].items())
    return f"{said}; next level by {ladder['rule']}; prior: {prior}; stop after {fixed['trials']} pairs"


def _plain(value: Any) -> str:
    if value in (None, "", []):
        return "none"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return " ".join(f"{value:g}".split() if isinstance(value, float) else str(value).split())


def _source(source: dict[str, Any]) -> list[str]:
    """Where the images come from, and what was decided at building."""
    dataset, classifier = source.get("dataset") or {}, source.get("classifier") or {}
    attacks = [source.get("attack") or {}, *source.get("further_attacks", [])]
    lines = [f"- **Data set:** {dataset.get('name', 'none recorded')}, SHA-256 `{dataset.get('sha256', '')}`"]
    if classifier:
        lines.append(f"- **Classifier:** {classifier['name']}, weights `{classifier['weights_sha256']}`")
    for attack in filter(None, attacks):
        budget = "" if attack.get("budget") is None else f", budget {attack['budget']:g}"
        lines.append(f"- **Arm {attack.get('arm', 'perturbed')}:** {attack['name']}, norm {attack['norm']}{budget}")
    return lines + [f"- {note}" for note in source.get("notes", [])]
