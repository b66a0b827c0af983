"""A study's rows as the tables that leave it. Every function demands, through the selectors, that arms are open."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pandas as pd
from django.db.models import F

from study import blinds as selectors
from study.design.ladders import BESIDE, TOWARD, ladder_of
from study.models import Response, Study
from study.protocol.audit_log import canonical_json, hashed_text
from study.statistics.schema import COLUMNS
from study.statistics.visibility.display import pixels_per_degree

RESPONSE_COLUMNS = (
    "study_id", "presentation_id", "reader_id", "set", "position", "patch_id", "arm", "revision", "is_current",
    "answer", "confidence", "tumour_cell_count", "perturbed_response", "note", "rt_ms", "focus_lost_ms",
    "shown_at_utc", "answered_at_utc", "received_at_utc", "session_id", "language", "viewing", "app_version",
)  # fmt: skip
READER_COLUMNS = (
    "study_id", "reader_id", "simulated", "invited_at_utc", "consented_at_utc", "practised_at_utc", "withdrawn_at_utc",
    "withdrawal_reason", "sets", "sets_completed", "presentations", "answered", "seed", "questionnaire_noticed",
    "questionnaire_share", "questionnaire_difference", "questionnaire_repeats", "questionnaire_comment",
)  # fmt: skip
STIMULUS_COLUMNS = (
    "study_id", "case_number", "patch_id", "group", "truth", "truth_source", "tumour_cells", "excluded",
    "exclusion_reason", "arm", "image_sha256", "model_prob", "model_label", "attack", "norm", "budget", "l0", "l1",
    "l2", "linf", "ciede2000", "ms_ssim_loss",
)  # fmt: skip
AUDIT_COLUMNS = (
    "number", "at_utc", "actor", "action", "detail", "previous_hash", "study_previous", "hash", "hashed",
)  # fmt: skip


def batched(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Lists of up to ``size`` (itertools.batched comes with Python 3.12)."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def stamp(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC to the millisecond."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _whole(value: bool | None) -> int | None:
    return None if value is None else int(value)


_CHUNK = 500
_PRESENTATION = {
    "pk": "pk",
    "position": "position",
    "first": "stimulus_id",
    "second": "second_id",
    "set": "reading_set__number",
    "reader": "reading_set__assignment__code",
    "seed": "reading_set__assignment__seed",
    "withdrawn_at": "reading_set__assignment__withdrawn_at",
    "withdrawal_reason": "reading_set__assignment__withdrawal_reason",
}
_ANSWER = (
    "presentation_id", "session_id", "answer", "confidence", "tumour_cell_count", "perturbed_response", "rt_ms",
    "focus_lost_ms", "shown_at", "answered_at", "revision", "code_version", "viewing",
)  # fmt: skip
_NUMBERS = ("budget", "l0", "l1", "l2", "linf", "ciede2000", "ms_ssim_loss")
_STIMULUS = ("arm", "sha256", "model_prob", "model_label", "attack", "norm", "predicted", *_NUMBERS)
_CASE = ("patch_id", "group", "truth", "truth_source", "flips", "excluded", "exclusion_reason")


def _stimulus_fields(side: str) -> dict[str, str]:
    """Names of one side's columns in the query, ``stimulus`` or ``second``."""
    own = {f"{side}.{name}": f"{side}__{name}" for name in _STIMULUS}
    return {**own, **{f"{side}.{name}": f"{side}__case__{name}" for name in _CASE}}


def presentation_rows(study: Study) -> Iterator[dict[str, Any]]:
    """The tidy table: one row per presentation, answered or not; the latest revision counts.

    Plain values in chunks, not model instances: a hundred thousand rows then take seconds and no more memory than
    five hundred.
    """
    classifier = (study.source or {}).get("classifier") or {}
    common = {
        "study_id": study.slug,
        "protocol_version": study.protocol_version,
        "classifier_id": str(classifier["id"]) if "id" in classifier else None,
    }
    fields = {**_PRESENTATION, **_stimulus_fields("stimulus"), **_stimulus_fields("second")}
    shown = selectors.unblinded_presentations(study).values_list(*fields.values()).iterator(chunk_size=_CHUNK)
    for chunk in batched((dict(zip(fields, values)) for values in shown), _CHUNK):
        answers: dict[int, dict[str, Any]] = {}
        latest_last = Response.objects.filter(presentation__in=[row["pk"] for row in chunk]).order_by("revision")
        for answer in latest_last.values(*_ANSWER, screen=F("session__viewing")):
            answers[answer["presentation_id"]] = dict(answer)
        for row in chunk:
            described = _presentation(row)
            answer = answers.get(row["pk"])
            yield {**common, **described, **_answer(answer, described["truth"]), **_predicted(row, described, answer)}


def _presentation(row: dict[str, Any]) -> dict[str, Any]:
    side, truth = "stimulus", int(row["stimulus.truth"])
    arm = row["stimulus.arm"]
    if row["second"] is not None:
        # Which of the two was altered, or pushed toward tumour? The columns describe that one.
        truth = int(arm in BESIDE)
        side = "second" if truth else "stimulus"
        altered = row[f"{side}.arm"]
        kind = ladder_of(altered) or altered
        arm = {"perturbed": "pair", TOWARD: "bias"}.get(kind, f"pair-{kind}")
    excluded, reason = row[f"{side}.excluded"], row[f"{side}.exclusion_reason"]
    if row["withdrawn_at"] is not None:
        excluded = True
        reason = "; ".join(filter(None, [reason, f"reader withdrew {row['withdrawal_reason']}".strip()]))
    return {
        "presentation_id": str(row["pk"]),
        "reader_id": row["reader"],
        "set": row["set"],
        "position": row["position"],
        "patch_id": row[f"{side}.patch_id"],
        "group": row[f"{side}.group"] or None,
        "arm": arm,
        "truth": truth,
        "truth_source": row[f"{side}.truth_source"],
        "excluded": int(excluded),
        "exclusion_reason": reason or None,
        "model_prob": row[f"{side}.model_prob"],
        "model_label": _whole(row[f"{side}.model_label"]),
        **{name: row[f"{side}.{name}"] or None for name in ("attack", "norm")},
        **{name: row[f"{side}.{name}"] for name in _NUMBERS},
        "image_sha256": row[f"{side}.sha256"],
        "seed": row["seed"],
        **_of_ladder(row, side),
    }


def _of_ladder(row: dict[str, Any], side: str) -> dict[str, Any]:
    """Where a pair stands on its ladder, and where the model errs. An identical pair is level 0 of all ladders."""
    ladder = ladder_of(row[f"{side}.arm"])
    if not ladder:
        return {"level": 0.0 if row["second"] == row["first"] else None}
    flip = row[f"{side}.flips"].get(ladder, {})
    level = row[f"{side}.{row[f'{side}.norm']}"]
    return {"ladder": ladder, "level": level, "flip": flip.get("flip"), "flip_limit": flip.get("limit")}


def _predicted(row: dict[str, Any], described: dict[str, Any], answer: dict[str, Any] | None) -> dict[str, Any]:
    """What was predicted for the display on which this answer was given."""
    if answer is None or not any(row[f"{side}.predicted"] for side in ("stimulus", "second")):
        return {}
    size = str(pixels_per_degree(answer["screen"], answer["viewing"]))
    side = "second" if row["second"] is not None and described["truth"] else "stimulus"
    return {"cvvdp_loss": row[f"{side}.predicted"].get(size)}


def _answer(answer: dict[str, Any] | None, truth: int) -> dict[str, Any]:
    if answer is None:
        return {"revision": 0}
    label = int(answer["answer"] in (Response.Answer.TUMOUR, Response.Answer.SECOND))
    return {
        "session_id": None if answer["session_id"] is None else str(answer["session_id"]),
        "label": label,
        "correct": int(label == truth),
        "confidence": answer["confidence"],
        "tumour_cell_count": answer["tumour_cell_count"],
        "perturbed_response": _whole(answer["perturbed_response"]),
        "rt_ms": answer["rt_ms"],
        "focus_lost_ms": answer["focus_lost_ms"],
        "shown_at_utc": stamp(answer["shown_at"]),
        "answered_at_utc": stamp(answer["answered_at"]),
        "revision": answer["revision"],
        "app_version": answer["code_version"],
        "width_mm": (answer["viewing"] or {}).get("size_mm"),
    }


def tidy_table(study: Study) -> pd.DataFrame:
    """The tidy table as a frame, for the analysis."""
    return pd.DataFrame.from_records(list(presentation_rows(study)), columns=list(COLUMNS))


_RESPONSE = {
    "presentation": "presentation_id",
    "reader": "presentation__reading_set__assignment__code",
    "set": "presentation__reading_set__number",
    "position": "presentation__position",
    "second": "presentation__second_id",
    "patch_id": "presentation__stimulus__case__patch_id",
    "arm": "presentation__stimulus__arm",
    **{name: name for name in ("revision", "answer", "confidence", "tumour_cell_count", "perturbed_response", "note",
                               "rt_ms", "focus_lost_ms", "shown_at", "answered_at", "received_at", "viewing",
                               "code_version")},
    "session": "session_id",
    "language": "session__language",
}  # fmt: skip


def response_rows(study: Study) -> Iterator[dict[str, Any]]:
    """Every revision of every answer, with what the page measured."""
    rows = selectors.unblinded_responses(study).values_list(*_RESPONSE.values()).iterator(chunk_size=_CHUNK)
    # Revisions of one presentation follow each other: the one before another presentation, or the end, is current.
    before: dict[str, Any] | None = None
    for values in rows:
        row = dict(zip(_RESPONSE, values))
        if before is not None:
            yield _response(study, before, is_current=before["presentation"] != row["presentation"])
        before = row
    if before is not None:
        yield _response(study, before, is_current=True)


def _response(study: Study, row: dict[str, Any], *, is_current: bool) -> dict[str, Any]:
    same = ("set", "position", "patch_id", "revision", "answer", "confidence", "tumour_cell_count", "rt_ms",
            "focus_lost_ms")  # fmt: skip
    return {
        "study_id": study.slug,
        "presentation_id": str(row["presentation"]),
        "reader_id": row["reader"],
        "arm": "pair" if row["second"] else row["arm"],
        **{name: row[name] for name in same},
        "is_current": int(is_current),
        "perturbed_response": _whole(row["perturbed_response"]),
        "note": row["note"] or None,
        "shown_at_utc": stamp(row["shown_at"]),
        "answered_at_utc": stamp(row["answered_at"]),
        "received_at_utc": stamp(row["received_at"]),
        "session_id": None if row["session"] is None else str(row["session"]),
        "language": row["language"] or None,
        "viewing": json.dumps(row["viewing"], sort_keys=True) if row["viewing"] else None,
        "app_version": row["code_version"],
    }


def reader_rows(study: Study) -> Iterator[dict[str, Any]]:
    """Readers by pseudonym: how far they came and what they said at the end. No name, no login."""
    selectors.demand_arms_open(study)
    progress: dict[str, list[dict[str, Any]]] = {}
    for row in selectors.progress_by_reader(study):
        progress.setdefault(row["reader"], []).append(dict(row))
    for assignment in selectors.assignments_of(study).prefetch_related("sets"):
        sets, own = list(assignment.sets.all()), progress.get(assignment.code, [])
        said = assignment.questionnaire or {}
        yield {
            "study_id": study.slug,
            "reader_id": assignment.code,
            "simulated": int(assignment.simulated),
            "invited_at_utc": stamp(assignment.invited_at),
            "consented_at_utc": stamp(assignment.consented_at),
            "practised_at_utc": stamp(assignment.practised_at),
            "withdrawn_at_utc": stamp(assignment.withdrawn_at),
            "withdrawal_reason": assignment.withdrawal_reason or None,
            "sets": len(sets),
            "sets_completed": sum(one.completed_at is not None for one in sets),
            "presentations": sum(row["planned"] for row in own),
            "answered": sum(row["answered"] for row in own),
            "seed": assignment.seed,
            **{
                f"questionnaire_{key}": said.get(key)
                for key in ("noticed", "share", "difference", "repeats", "comment")
            },
        }


def stimulus_rows(study: Study) -> Iterator[dict[str, Any]]:
    """Every stimulus with the model's answer and its norms."""
    for stimulus in selectors.unblinded_stimuli(study).iterator(chunk_size=500):
        case = stimulus.case
        yield {
            "study_id": study.slug,
            "case_number": case.number,
            "patch_id": case.patch_id,
            "group": case.group or None,
            "truth": int(case.truth),
            "truth_source": case.truth_source,
            "tumour_cells": case.tumour_cells,
            "excluded": int(case.excluded),
            "exclusion_reason": case.exclusion_reason or None,
            "arm": stimulus.arm,
            "image_sha256": stimulus.sha256,
            "model_prob": stimulus.model_prob,
            "model_label": _whole(stimulus.model_label),
            "attack": stimulus.attack or None,
            "norm": stimulus.norm or None,
            "budget": stimulus.budget,
            "l0": stimulus.l0,
            "l1": stimulus.l1,
            "l2": stimulus.l2,
            "linf": stimulus.linf,
            "ciede2000": stimulus.ciede2000,
            "ms_ssim_loss": stimulus.ms_ssim_loss,
        }


def audit_rows(study: Study) -> Iterator[dict[str, Any]]:
    """The study's events in order, exactly as they are hashed: ``hash`` is the SHA-256 of the text in ``hashed``.

    A gap in ``number`` is another study's event; ``study_previous`` is the hash of the row above.
    """
    selectors.demand_arms_open(study)
    for event in study.events.order_by("pk").iterator(chunk_size=500):
        yield {
            "number": event.pk,
            "at_utc": event.at.isoformat(),
            "actor": event.actor,
            "action": event.action,
            "detail": canonical_json(event.detail),
            "previous_hash": event.previous_hash,
            "study_previous": event.study_previous,
            "hash": event.hash,
            "hashed": hashed_text(event),
        }
