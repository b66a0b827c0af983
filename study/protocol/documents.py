"""A study's protocol as pages show it: its facts, and the part of the document that is open while it is blinded."""

from typing import Any

import pandas as pd

from core.measures import named
from study.blinds import arms_open, disclosed_secret
from study.models import Stimulus, Study
from study.protocol import secret as secrets_of
from study.protocol.audit_log import sha256_of
from study.protocol.decided import group_counts, in_words
from study.protocol.schedules import Plan, splits
from study.protocol.settings import STRATA
from study.statistics.methods import planned

SEALED = ("cases", "guide_images", "schedules", "seed", "salt")
OPEN_TO_GUESSES = "frozen before schedules were secret: who guesses the study’s seed can compute every arm"


def facts(study: Study) -> list[dict[str, Any]]:
    """Sections of (name, value): what was chosen. Arms are counted, never named with a case."""
    source = study.source or {}
    classifier, attack, dataset = (source.get(key) or {} for key in ("classifier", "attack", "dataset"))
    arms = arm_counts(study)
    plan = planned(study.task, ladder=study.ladder != Study.Ladder.NONE)
    labelling = study.task == Study.Task.LABELLING
    return [
        {
            "title": "Question",
            "rows": [
                ("Task", study.get_task_display()),
                ("Primary estimand", plan["primary_estimand"]),
                *(_margin(study) if labelling else ()),
                ("Stopping rule", study.stopping_rule or "none stated"),
                *([("Criterion", study.criterion)] if labelling else ()),
                ("Further questions", ", ".join(question.replace("_", " ") for question in study.questions) or "none"),
            ],
        },
        {
            "title": "Analysis",
            "rows": [
                ("Interval", plan["primary_interval"]),
                ("Unit of inference", plan["unit_of_inference"]),
                ("Sensitivity", plan["sensitivity_set"]),
                ("Multiplicity", plan["multiplicity"]),
            ],
        },
        {
            "title": "Images",
            "rows": [
                ("Cases", cases_in_words(study)),
                ("Arms", ", ".join(f"{arm} ({count})" for arm, count in arms.items())),
                (
                    "Data set",
                    f"{dataset.get('name', '–')} ({dataset.get('kind', '–')}), SHA-256 {dataset.get('sha256', '–')}",
                ),
                ("Drawn from", _pool(source.get("pool") or {})),
                ("Drawn", f"{_strata(source)}, by {_seed(study)}"),
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
                ("Order of arms", order_in_words(study)),
                *([("Exposure", f"{study.exposure_ms} ms, then a mask")] if study.exposure_ms else []),
                *levels_in_words(study),
                ("Sets", f"{study.copies}, with {Plan.of(study).shown_per_set} presentations each per reader"),
                ("Minimum gap", gap_in_words(study)),
                ("Schedules", schedules_in_words(study)),
                ("Wash-out", f"{study.washout_hours:g} hours between sets"),
                ("Screen", f"{size_in_words(study)}, {study.get_surroundings_display()} surroundings"),
                *scale_bar_in_words(study),
                ("Practice", f"{study.practice_count} images from outside the study"),
                ("Readers told", _told(study)),
                ("Contact", study.contact or "none given"),
                ("Readers", f"{study.assignments.filter(withdrawn_at=None).count()} (more may be invited)"),
            ],
        },
    ]


def _margin(study: Study) -> list[tuple[str, str]]:
    return [
        ("Margin", "none" if study.margin is None else f"{100 * study.margin:g} points"),
        ("Why this margin", study.margin_rationale or "no reason given"),
        ("Level", f"{study.alpha:g}, one-sided"),
        ("No verdict below", floors(study.floor_tpf, study.floor_d_prime)),
    ]


def notes(study: Study) -> list[str]:
    """What was decided for the researcher at building, and warnings; in words for pages, command and API."""
    return list((study.source or {}).get("notes", []))


def _told(study: Study) -> str:
    """What the instructions say of altered images; who compares pairs must know of them."""
    if study.task == Study.Task.BIAS:
        return "that both images of each pair were altered"
    if study.task == Study.Task.PAIR:
        if study.ladder != Study.Ladder.NONE:
            return "that one image of a pair was altered, more or less, and of some pairs none"
        return "that one image of each pair was altered"
    return "that images may have been altered" if study.tell_altered else "nothing of altered images"


def floors(tpf: float | None, d_prime: float | None) -> str:
    """The floors of assay sensitivity, in words."""
    parts = [f"TPF {tpf:g}"] if tpf is not None else []
    parts += [f"d′ {d_prime:g}"] if d_prime is not None else []
    return f"{' or '.join(parts)} of originals" if parts else "no floor"


def cases_in_words(study: Study) -> str:
    """How many cases of each class there are, from how many slides or patients, and catch patches apart."""
    cases = study.cases.filter(stimuli__arm="original")
    rows = pd.DataFrame(cases.values("patch_id", "group", "truth"))
    if rows.empty:
        return "none"
    alone = study.cases.count() - len(rows)
    return ", ".join(in_words(group_counts(rows))) + (f"; {alone} further patches as catch images" if alone else "")


def order_in_words(study: Study) -> str:
    if study.paired:
        return "a pair shows both arms at once"
    if splits(study):
        return "twins in different sets: a patch is met in one arm per set, crossed over in the following sets"
    return "the paper’s: all arms of a patch in every set"


def size_in_words(study: Study) -> str:
    """How large images are shown."""
    scale = f"{study.scale} screen pixels per image pixel"
    if study.size_mm is None:
        return scale
    return f"images as near to {study.size_mm:g} mm wide as whole screen pixels allow; without a bank card {scale}"


def scale_bar_in_words(study: Study) -> list[tuple[str, str]]:
    return [("Scale bar", f"{study.microns_per_pixel:g} µm per image pixel")] if study.microns_per_pixel else []


def levels_in_words(study: Study) -> list[tuple[str, str]]:
    """The ladders of a pair comparison: which levels there are, and how the next one is chosen."""
    if study.task != Study.Task.PAIR or study.ladder == Study.Ladder.NONE:
        return []
    rows = [("Levels", study.get_ladder_display())]
    for name, ladder in study.ladders.items():
        what = ladder["attack"] or "equal-energy noise"
        sizes = ", ".join(f"{size:.3g}" for size in ladder["sizes"])
        rows.append((f"Ladder {name}", f"{what}, at {named(ladder['norm'])} {sizes}"))
    if study.adaptive:
        rule = next(iter(study.ladders.values()))
        rows.append(("Next level", f"{rule['rule']}; {study.trials} pairs of each ladder in a set, {rule['stop']}"))
    return [*rows, ("Identical pairs", f"{study.identical} in a set")]


def gap_in_words(study: Study) -> str:
    """What the gap means in this design."""
    if not splits(study):
        return f"{study.min_gap} positions between two images of a patch"
    if study.washout_hours:
        return "not needed: a set shows a patch once, and a wash-out parts the sets"
    return f"{study.min_gap} positions between two images of a patch, from one set to the next"


def schedules_in_words(study: Study) -> str:
    """From what the schedules are drawn: the secret itself is told after unblinding alone."""
    if study.state == Study.State.DRAFT:
        return "will be drawn from the seed and 128 secret random bits, made at freezing"
    if secrets_of.frozen_before_secrets(study):
        return OPEN_TO_GUESSES
    if not arms_open(study):
        told = "128 secret random bits, disclosed by unblinding"
    else:
        told = f"the secret {disclosed_secret(study)}"
    return f"drawn from the seed and {told}; SHA-256 of the secret {secrets_of.committed(study)}"


def arm_counts(study: Study) -> dict[str, int]:
    """Number of images per arm. The design says as much; no single image's arm is told."""
    counts: dict[str, int] = {}
    for arm in Stimulus.objects.filter(case__study=study).order_by("arm").values_list("arm", flat=True):
        counts[arm] = counts.get(arm, 0) + 1
    return counts


def schedule_hashes(study: Study) -> list[dict[str, Any]]:
    """Each reader's schedule as it was fixed at freezing: its hash, neither its order nor the seed that gives it."""
    schedules = (study.protocol or {}).get("schedules", [])
    return [{"reader": entry["reader"], "sha256": sha256_of(entry)} for entry in schedules]


def sealed(study: Study) -> dict[str, Any]:
    """The protocol without cases, schedules and seeds, with the hash of the whole: what may be published beforehand.

    Seeds are left out because cases can be drawn again from them, and the salt because the hashes could then be met by
    trying arms. After unblinding the secret of the schedules is added, so that what was published can be checked.
    """
    whole = study.protocol or {}
    disclosed = {"schedule_secret": disclosed_secret(study)} if arms_open(study) else {}
    return {key: value for key, value in whole.items() if key not in SEALED} | {
        "sealed": "Cases, schedules and seeds are left out; the hash is that of the whole document.",
        "case_count": len(whole.get("cases", [])),
        "case_counts": group_counts(
            pd.DataFrame(
                [case for case in whole.get("cases", []) if "original" in case["stimuli"]],
                columns=["patch_id", "group", "truth"],
            )
        ),
        "schedules": schedule_hashes(study),
        "schedules_sha256": sha256_of(whole.get("schedules", [])),
        "protocol_sha256": study.protocol_sha256,
        "frozen_at": study.frozen_at.isoformat() if study.frozen_at else None,
        **disclosed,
    }


def disclosed(study: Study) -> dict[str, Any]:
    """The whole protocol with its hash and the secret of its schedules. Raises StillBlinded before unblinding."""
    secret = disclosed_secret(study)
    return {"protocol_sha256": study.protocol_sha256, "schedule_secret": secret, "protocol": study.protocol}


def _pool(pool: dict[str, Any]) -> str:
    return f"{pool.get('positives', '–')} positive and {pool.get('negatives', '–')} negative candidates"


def _seed(study: Study) -> str:
    """The seed gives every order away, so that it is named after unblinding alone."""
    return f"seed {study.seed}" if study.state == Study.State.UNBLINDED else "a recorded seed"


def _strata(source: dict[str, Any]) -> str:
    how = (source.get("settings") or {}).get("stratify")
    return dict(STRATA)[how] if how else "at random"


def _classifier(classifier: dict[str, Any]) -> str:
    if not classifier:
        return "none recorded"
    metrics = classifier.get("metrics") or {}
    numbers = [f"{name} {metrics[name]:.3f}" for name in ("accuracy", "auc") if isinstance(metrics.get(name), float)]
    name = f"{classifier['name']} ({classifier['arch']})"
    return ", ".join([name, *numbers, f"weights {classifier['weights_sha256']}"])


def _attack(attack: dict[str, Any]) -> str:
    settings = attack.get("settings") or {}
    if attack.get("kind") == "worst":
        how = "at random" if settings.get("at_random") else "at their worst"
        within = ", ".join(f"{name} {low:g} to {high:g}" for name, (low, high) in settings.get("bounds", {}).items())
        changes = ", ".join(settings.get("kinds", []))
        return f"{attack['name']} (natural changes {how}: {changes}{f'; within {within}' if within else ''})"
    budget = "" if attack.get("budget") is None else f", budget {attack['budget']:g}"
    norm = f", norm {named(attack['norm'])}" if attack.get("norm") else ""
    return f"{attack.get('name', '–')} ({attack.get('kind', '–')}{norm}{budget})"
