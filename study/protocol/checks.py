"""The checks of a verification: each compares stored rows with what was fixed, and names what differs.

A check yields ``Problem``s. ``where`` names the row and says nothing about arms, truths or answers; ``what`` says what
is stored and what was expected, and may name an arm.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

from django.db import connection

from core.errors import InvalidInput
from core.images import read_bytes
from study.models import AuditEvent, GuideImage, ReadingSet, Response, Stimulus, Study
from study.protocol import answer_chain, audit_log, frozen
from study.protocol.append_only import missing_guards
from study.protocol.schedule_checks import schedule_problems


class Problem(NamedTuple):
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


Problems = Iterator[Problem]
LONGEST = 80


def shown(value: Any) -> str:
    text = audit_log.canonical_json(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} letters)"


def same(one: Any, other: Any) -> bool:
    return audit_log.canonical_json(one) == audit_log.canonical_json(other)


def differs(where: str, stored: Any, wanted: Any, by: str) -> Problems:
    if not same(stored, wanted):
        yield Problem(where, f"it is {shown(stored)}, but {by} says {shown(wanted)}")


# --- The protocol -----------------------------------------------------------------------------------------------------


def protocol(study: Study) -> Problems:
    """The stored protocol has its SHA-256, also by the log, and the rows are what it says."""
    row = f"study_study row {study.pk}"
    document = study.protocol
    if document is None:
        yield Problem(f"{row}, protocol", "there is none, though the study was frozen")
        return
    digest = audit_log.sha256_of(document)
    yield from differs(f"{row}, protocol_sha256", study.protocol_sha256, digest, "the stored protocol")
    event = study.events.filter(action="frozen").order_by("-pk").first()
    if event is not None:
        wanted = event.detail.get("protocol_sha256")
        yield from differs(f"{row}, protocol", digest, wanted, f"event {event.pk} of the log (frozen)")
    rows = frozen.rows_part(study)
    for key, column in frozen.SETTINGS.items():
        if key in document:
            yield from differs(f"{row}, {column}", rows[key], document[key], "the frozen protocol")
    yield from _cases(study, rows["cases"], document["cases"])
    if "guide_images" in document and not same(rows["guide_images"], document["guide_images"]):
        yield Problem(f"study_guideimage rows of study {study.pk}", "they are not those of the frozen protocol")


def _cases(study: Study, rows: list[dict[str, Any]], document: list[dict[str, Any]]) -> Problems:
    stored, fixed = ({case["number"]: case for case in cases} for cases in (rows, document))
    keys = dict(study.cases.values_list("number", "pk"))
    for number in sorted({*stored, *fixed}):
        if number not in stored:
            yield Problem(f"study_case, case {number}", "the row is gone; the frozen protocol has this case")
        elif number not in fixed:
            yield Problem(f"study_case row {keys[number]}", f"the frozen protocol has no case {number}")
        else:
            where = f"study_case row {keys[number]} (case {number})"
            yield from _case(study, where, stored[number], fixed[number])


def _case(study: Study, where: str, stored: dict[str, Any], fixed: dict[str, Any]) -> Problems:
    by = "the frozen protocol"
    for name, wanted in fixed.items():
        if name in ("stimuli", "measured"):
            continue
        yield from differs(f"{where}, {name}", stored.get(name), wanted, by)
    keys = dict(Stimulus.objects.filter(case__study=study, case__number=stored["number"]).values_list("arm", "pk"))
    for arm in sorted({*stored["stimuli"], *fixed["stimuli"]}):
        row = f"study_stimulus row {keys[arm]} ({where})" if arm in keys else f"study_stimulus ({where})"
        if arm not in stored["stimuli"] or arm not in fixed["stimuli"]:
            there, wanted = sorted(stored["stimuli"]), sorted(fixed["stimuli"])
            yield Problem(f"{row}, arm", f"the arms of this case are {shown(there)}, but {by} says {shown(wanted)}")
            continue
        digests = stored["stimuli"][arm], fixed["stimuli"][arm]
        yield from differs(f"{row}, sha256", *digests, f"{by} (arm {arm})")
        for name, wanted in fixed.get("measured", {}).get(arm, {}).items():
            yield from differs(f"{row}, {name}", stored["measured"][arm].get(name), wanted, f"{by} (arm {arm})")


def schedules(study: Study) -> Problems:
    """Every reader's presentations are those that seed and secret give."""
    for sentence in schedule_problems(study):
        yield Problem("study_presentation and study_assignment", sentence)


# --- Files ------------------------------------------------------------------------------------------------------------


def files(study: Study) -> Problems:
    """The stored bytes of every image have the SHA-256 that its row has."""
    images: list[Stimulus | GuideImage] = [*Stimulus.objects.filter(case__study=study), *study.guide_images.all()]
    for image in images:
        try:
            read_bytes(image.image.name, sha256=image.sha256)
        except InvalidInput as error:
            yield Problem(f"{image._meta.db_table} row {image.pk}, image", error.message)


# --- Answers ----------------------------------------------------------------------------------------------------------

_PLACE = {"set": "presentation__reading_set_id", "token": "presentation__token", "position": "presentation__position"}


def answers(study: Study) -> Problems:
    """Every answer has the hash that follows from it and the one before; every set has as many as it counted."""
    columns = ["pk", "hash", *answer_chain.FIELDS, *_PLACE.values()]
    names = ["pk", "hash", *answer_chain.FIELDS, *_PLACE]
    rows = (
        Response.objects.filter(presentation__reading_set__assignment__study=study)
        .order_by("presentation__reading_set_id", "presentation__position", "revision")
        .values_list(*columns)
        .iterator(chunk_size=2000)
    )
    sets = {row.pk: row for row in _sets(study)}
    seen = set()
    for pk, group in groupby((dict(zip(names, row)) for row in rows), key=lambda row: row["set"]):
        seen.add(pk)
        yield from _set(sets[pk], group)
    for pk in sets.keys() - seen:
        yield from _set(sets[pk], iter(()))


def _sets(study: Study) -> list[ReadingSet]:
    found = ReadingSet.objects.filter(assignment__study=study).select_related("assignment")
    found = found.order_by("assignment__code", "number")
    for row in found:
        row.assignment.study = study
    return list(found)


def _set(row: ReadingSet, stored: Iterator[dict[str, Any]]) -> Problems:
    name = f"reader {row.assignment.code}, set {row.number}"
    previous, count = answer_chain.start_of(row), 0
    for answer in stored:
        count += 1
        wanted = answer_chain.answer_hash(previous, token=answer["token"], position=answer["position"], values=answer)
        if answer["hash"] != wanted:
            yield Problem(
                f"study_response row {answer['pk']} ({name}, position {answer['position']}, revision "
                f"{answer['revision']})",
                "it has not the hash that follows from it and the answer before it: one of the two was changed, "
                "added or taken away",
            )
        previous = answer["hash"]
    where = f"study_readingset row {row.pk} ({name})"
    if count != row.answers:
        yield Problem(f"{where}, answers", f"{count} answers are stored, but {row.answers} were counted")
    if row.head != (previous if count else ""):
        yield Problem(f"{where}, head", "it is not the hash of the last answer of the set")


# --- The log, and what it says of the rows ----------------------------------------------------------------------------


def log(study: Study) -> Problems:
    """The chain holds over all studies, and the database still refuses changes."""
    if broken := audit_log.first_broken_event():
        yield Problem(
            f"study_auditevent row {broken.pk}",
            "its hash does not follow from its content and the event before it: one of the two was changed, added or "
            "taken away",
        )
    for name in missing_guards(connection):
        yield Problem(f"trigger {name}", "it is gone: the database no longer refuses changes of answers and the log")


def anchor(study: Study, given: str) -> Problems:
    """The log holds a head that was shown before."""
    if audit_log.find(study, given) is None:
        yield Problem(
            f"anchor {given}",
            "no event of this study has this hash (of which at least 16 digits are needed): the log was rewritten or "
            "cut, or the anchor is another study's",
        )


_STAMPS = {"frozen": "frozen_at", "open": "opened_at", "closed": "closed_at", "unblinded": "unblinded_at"}


def history(study: Study) -> Problems:
    """State, times, readers and sets are what the log says."""
    events = list(study.events.order_by("pk"))
    steps = [event for event in events if event.action in _STAMPS]
    row, by = f"study_study row {study.pk}", "the log"
    yield from differs(f"{row}, state", study.state, steps[-1].action if steps else Study.State.DRAFT, by)
    if study.deleted_at:
        if not steps and any(event.action == "deleted" for event in events):
            return  # a draft, of which nothing is left but its log
        yield Problem(f"{row}, deleted_at", "it hides the study, and the log knows of no draft that was deleted")
    done = {event.action: event for event in steps}
    for action, column in _STAMPS.items():
        stored: datetime | None = getattr(study, column)
        if (stored is None) != (action not in done):
            yield Problem(
                f"{row}, {column}", f"it is {stored}, and the log has {'no' if stored else 'an'} event for it"
            )
        elif stored and column in done[action].detail:
            yield from differs(f"{row}, {column}", stored, done[action].detail[column], by)
    if "unblinded" in done:
        yield from differs(f"{row}, unblinded_by", study.unblinded_by, done["unblinded"].actor, by)
    yield from _readers(study, events)
    yield from _set_ends(study, events)


def _last(events: list[AuditEvent], action: str) -> dict[str, AuditEvent]:
    """The last event of a kind by reader."""
    return {str(event.detail.get("reader", event.actor)): event for event in events if event.action == action}


def _readers(study: Study, events: list[AuditEvent]) -> Problems:
    assigned, withdrawn = _last(events, "reader_assigned"), _last(events, "reader_withdrawn")
    asked = _last(events, "questionnaire_answered")
    programs = set(_last(events, "reader_simulated"))
    for event in events:  # before there were such events, a rehearsal named its readers alone
        programs |= set(event.detail["readers"]) if event.action == "rehearsed" else set()
    rows = {row.code: row for row in study.assignments.all()}
    for code in sorted(assigned.keys() - rows.keys()):
        yield Problem(f"study_assignment, reader {code}", "the log says that this reader was assigned; there is no row")
    for code, row in rows.items():
        where = f"study_assignment row {row.pk}"
        if code not in assigned:
            yield Problem(f"{where}, code", f"the log knows no reader {code} of this study")
            continue
        simulated = assigned[code].detail.get("simulated") or code in programs
        yield from differs(f"{where}, simulated", row.simulated, bool(simulated), "the log")
        if (row.withdrawn_at is None) != (code not in withdrawn):
            yield Problem(f"{where}, withdrawn_at", f"it is {row.withdrawn_at}, and the log says otherwise")
        elif code in withdrawn:
            reason = withdrawn[code].detail.get("reason")
            yield from differs(f"{where}, withdrawal_reason", row.withdrawal_reason, reason, "the log")
        fixed = asked[code].detail.get("sha256") if code in asked else None
        if fixed and fixed != audit_log.sha256_of(row.questionnaire):
            yield Problem(f"{where}, questionnaire", "it has not the SHA-256 that the log has")


_ENDS = ("set_finished", "set_reopened", "washout_corrected")


def _set_ends(study: Study, events: list[AuditEvent]) -> Problems:
    """Every set ended when the log says, and holds the answers that were sealed then, and when the study closed."""
    last: dict[tuple[str, int], AuditEvent] = {}
    for logged in events:
        if logged.action in _ENDS:
            last[str(logged.detail.get("reader", logged.actor)), int(logged.detail["set"])] = logged
    closed = next((event for event in reversed(events) if event.action == "closed"), None)
    sealed = {(one["reader"], one["set"]): one for one in (closed.detail.get("sets", []) if closed else [])}
    rows = {(row.assignment.code, row.number): row for row in _sets(study)}
    for code, number in sorted({*last, *sealed} - rows.keys()):
        yield Problem(f"study_readingset, reader {code}, set {number}", "the log has this set; there is no row")
    for place, row in rows.items():
        where = f"study_readingset row {row.pk} (reader {place[0]}, set {place[1]})"
        end = last.get(place)
        ended = end is not None and end.action != "set_reopened"
        if (row.completed_at is not None) != ended:
            said = f"event {end.pk} ({end.action})" if end else "no event about its end"
            yield Problem(f"{where}, completed_at", f"it is {row.completed_at}, but the log has {said}")
        elif end and "completed_at" in end.detail:
            yield from differs(f"{where}, completed_at", row.completed_at, end.detail["completed_at"], "the log")
        seals = [(one, f"event {closed.pk} of the log (closed)") for one in (sealed.get(place),) if one and closed]
        if end and "head" in end.detail:
            seals.append((end.detail, f"event {end.pk} of the log ({end.action})"))
        for seal, by in seals:
            yield from differs(f"{where}, answers", row.answers, seal["answers"], by)
            yield from differs(f"{where}, head", row.head, seal["head"], by)
