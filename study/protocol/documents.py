"""A study's protocol as pages show it: its facts, and the part of the document that is open while it is blinded."""

from typing import Any

from study.models import Stimulus, Study
from study.protocol.audit_log import sha256_of


def facts(study: Study) -> list[dict[str, Any]]:
    """Sections of (name, value): what was chosen. Arms are counted, never named with a case."""
    source = study.source or {}
    classifier, attack, dataset = (source.get(key) or {} for key in ("classifier", "attack", "dataset"))
    cases = study.cases.count()
    positives = study.cases.filter(truth=True).count()
    arms = arm_counts(study)
    stimuli = sum(arms.values())
    shown = stimuli if study.task == Study.Task.LABELLING else stimuli - arms.get("original", 0)
    return [
        {
            "title": "Question",
            "rows": [
                ("Task", study.get_task_display()),
                (
                    "Primary estimand",
                    "TPF(perturbed) − TPF(original), averaged over sets and readers, on positive cases",
                ),
                ("Margin", "none" if study.margin is None else f"{study.margin:g}"),
                ("Level", f"{study.alpha:g}, one-sided"),
                ("Criterion", study.criterion),
                ("Further questions", ", ".join(question.replace("_", " ") for question in study.questions) or "none"),
            ],
        },
        {
            "title": "Images",
            "rows": [
                ("Cases", f"{cases}: {positives} positive, {cases - positives} negative"),
                ("Arms", ", ".join(f"{arm} ({count})" for arm, count in arms.items())),
                (
                    "Data set",
                    f"{dataset.get('name', '–')} ({dataset.get('kind', '–')}), SHA-256 {dataset.get('sha256', '–')}",
                ),
                ("Drawn from", _pool(source.get("pool") or {})),
                ("Drawn", f"by seed {study.seed}, {_strata(source)}"),
            ],
        },
        {
            "title": "Classifier and attack",
            "rows": [
                ("Classifier", _classifier(classifier)),
                ("Attack", _attack(attack)),
                *(("Further arm", f"{arm['arm']}: {_attack(arm)}") for arm in source.get("further_attacks", [])),
            ],
        },
        {
            "title": "Reading",
            "rows": [
                ("Sets", f"{study.copies}, with {shown} presentations each per reader"),
                ("Minimum gap", f"{study.min_gap} positions between two images of a patch"),
                ("Wash-out", f"{study.washout_hours:g} hours between sets"),
                (
                    "Screen",
                    f"{study.scale} screen pixels per image pixel, {study.get_surroundings_display()} surroundings",
                ),
                ("Practice", f"{study.practice_count} images from outside the study"),
                ("Readers", f"{study.assignments.filter(withdrawn_at=None).count()} (more may be invited)"),
            ],
        },
    ]


def arm_counts(study: Study) -> dict[str, int]:
    """Number of images per arm. The design says as much; no single image's arm is told."""
    counts: dict[str, int] = {}
    for arm in Stimulus.objects.filter(case__study=study).order_by("arm").values_list("arm", flat=True):
        counts[arm] = counts.get(arm, 0) + 1
    return counts


def schedule_hashes(study: Study) -> list[dict[str, Any]]:
    """Each reader's schedule as it was fixed at freezing: its seed and hash, not its order."""
    schedules = (study.protocol or {}).get("schedules", [])
    return [{"reader": entry["reader"], "seed": entry["seed"], "sha256": sha256_of(entry)} for entry in schedules]


def sealed(study: Study) -> dict[str, Any]:
    """The protocol without cases and schedules, with the hash of the whole: open while the study is blinded."""
    whole = study.protocol or {}
    return {key: value for key, value in whole.items() if key not in ("cases", "schedules")} | {
        "sealed": "Cases and schedules are left out until unblinding; the hash is that of the whole document.",
        "case_count": len(whole.get("cases", [])),
        "schedules": schedule_hashes(study),
        "protocol_sha256": study.protocol_sha256,
    }


def _pool(pool: dict[str, Any]) -> str:
    return f"{pool.get('positives', '–')} positive and {pool.get('negatives', '–')} negative candidates"


def _strata(source: dict[str, Any]) -> str:
    how = (source.get("settings") or {}).get("stratify")
    return f"spread over {how.replace('_', ' ')}" if how else "at random"


def _classifier(classifier: dict[str, Any]) -> str:
    if not classifier:
        return "none recorded"
    metrics = classifier.get("metrics") or {}
    numbers = [f"{name} {metrics[name]:.3f}" for name in ("accuracy", "auc") if isinstance(metrics.get(name), float)]
    name = f"{classifier['name']} ({classifier['arch']})"
    return ", ".join([name, *numbers, f"weights {classifier['weights_sha256']}"])


def _attack(attack: dict[str, Any]) -> str:
    budget = "" if attack.get("budget") is None else f", budget {attack['budget']:g}"
    norm = f", norm {attack['norm']}" if attack.get("norm") else ""
    return f"{attack.get('name', '–')} ({attack.get('kind', '–')}{norm}{budget})"
