"""Drawing the schedules of a frozen study again, and comparing them with what is stored."""

from collections.abc import Mapping, Sequence
from typing import Any

from study.design.draws import derived_seed
from study.design.ladders import IDENTICAL, read_slot
from study.design.schedule import StimulusKey
from study.models import Assignment, Presentation, Slot, Study
from study.protocol import adaptive, audit_log
from study.protocol import secret as secrets_of
from study.protocol.schedules import ORIGINAL, Plan, Shown, altered_of


def recompute(protocol: Mapping[str, Any], secret: str, *, later: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Every reader's schedule, drawn again from a frozen protocol and the secret that unblinding disclosed.

    What comes out is to be compared with ``protocol["schedules"]``, which it equals. Nothing is read but the two
    arguments, so that anyone can do it who has ``protocol.json`` of an unblinded study:

        exported = json.load(open("protocol.json"))
        protocol, secret = exported["protocol"], exported["schedule_secret"]
        assert recompute(protocol, secret) == protocol["schedules"]

    Args:
        protocol: the document whose canonical JSON has the published SHA-256.
        secret: 32 hexadecimal digits with the SHA-256 ``protocol["schedule_secret_sha256"]``; ``""`` for a study that
            was frozen before there were secrets.
        later: codes of readers who joined after freezing, such as ``["R03"]``. Their schedules follow those of the
            protocol; the log holds the SHA-256 of each.
    """
    plan = Plan.of_protocol(protocol)
    readers = [entry["reader"] for entry in protocol["schedules"]]
    schedules = []
    for code in (*readers, *later):
        number = int(code[1:])
        seed = derived_seed(plan.seed, number)
        sets = plan.sets_of(secret, seed=seed, number=number - 1)
        schedules.append(plan.recorded(sets, code=code, seed=seed, number=number - 1))
    return schedules


def secret_matches(study: Study) -> bool:
    """Whether the stored secret is the one that the protocol commits to; also where there is neither."""
    return secrets_of.matches(study)


def schedule_problems(study: Study) -> list[str]:
    """What is wrong with the stored schedules, in sentences; none where all is well, and for a draft.

    Every reader's presentations must be those that the frozen protocol's seed and cases and the secret give, and the
    schedule must have the SHA-256 that was recorded: in the protocol, or for readers who joined later in the log.
    """
    if study.protocol is None:
        return []
    if not secret_matches(study):
        return ["The secret of the schedules is not the one that the protocol commits to, or it is missing."]
    plan, secret = Plan.of_protocol(study.protocol), secrets_of.stored(study)
    fixed = {entry["reader"]: audit_log.sha256_of(entry) for entry in study.protocol["schedules"]}
    for event in study.events.filter(action="reader_assigned"):
        if sha256 := event.detail.get("schedule_sha256"):
            fixed.setdefault(event.detail["reader"], sha256)
    problems = []
    assignments = list(study.assignments.order_by("pk"))
    for number, assignment in enumerate(assignments):
        code, seed = assignment.code, derived_seed(plan.seed, number + 1)
        sets = plan.sets_of(secret, seed=seed, number=number)
        if assignment.seed != seed:
            problems.append(f"Reader {code}: the recorded seed is not the one that follows from the study's seed.")
        recorded = plan.recorded(sets, code=code, seed=seed, number=number)
        if fixed.get(code) != audit_log.sha256_of(recorded):
            problems.append(f"Reader {code}: the schedule does not have the SHA-256 that was recorded.")
        problems += _chosen(assignment, plan, sets) if plan.adaptive else _differences(assignment, plan, sets)
    gone = sorted(set(fixed) - {assignment.code for assignment in assignments})
    return problems + [
        f"Reader {code}: the protocol or the log has a schedule, but the reader is gone." for code in gone
    ]


def _differences(assignment: Assignment, plan: Plan, sets: Sequence[Sequence[Shown]]) -> list[str]:
    """Where a reader's stored presentations are not the ones drawn: number, arm and bytes of every image must agree."""
    columns = [f"{side}__{name}" for side in ("stimulus", "second") for name in ("case__number", "arm", "sha256")]
    rows = Presentation.objects.filter(reading_set__assignment=assignment)
    stored: dict[tuple[int, int], tuple] = {
        (at, position): tuple(shown)
        for at, position, *shown in rows.values_list("reading_set__number", "position", *columns)
    }
    drawn = {
        (at, position): (*_described(plan, first), *_described(plan, second))
        for at, order in enumerate(sets, start=1)
        for position, (first, second) in enumerate(order, start=1)
    }
    problems = []
    for at in sorted({number for number, _ in (*stored, *drawn)}):
        places = [place for place in {**stored, **drawn} if place[0] == at and stored.get(place) != drawn.get(place)]
        if places:
            total, first_place = sum(place[0] == at for place in drawn), min(place[1] for place in places)
            problems.append(
                f"Reader {assignment.code}, set {at}: {len(places)} of {total} presentations are not those that the "
                f"seed and the secret give, the first at position {first_place}."
            )
    return problems


def _described(plan: Plan, key: StimulusKey | None) -> tuple[int | None, str | None, str | None]:
    if key is None:
        return None, None, None
    return int(key.case_id), ORIGINAL if key.arm == IDENTICAL else key.arm, plan.named(key)


def _chosen(assignment: Assignment, plan: Plan, sets: Sequence[Sequence[Shown]]) -> list[str]:
    """Where an adaptive reader's places are not the ones drawn, or a level is not the one that the rule gives."""
    rows = Slot.objects.filter(reading_set__assignment=assignment)
    names = ("case__number", "ladder", "turn", "altered_first")
    stored = {
        (at, position): tuple(slot)
        for at, position, *slot in rows.values_list("reading_set__number", "position", *names)
    }
    drawn, places = {}, []
    for at, order in enumerate(sets, start=1):
        for position, shown in enumerate(order, start=1):
            altered_first, key = altered_of(shown)
            ladder, turn = read_slot(key)
            drawn[at, position] = (int(key.case_id), ladder, turn, altered_first)
            places.append(adaptive.Place(at, position, int(key.case_id), ladder, plan.levels(key.case_id, ladder)))
    wrong = sorted(place for place in {**stored, **drawn} if stored.get(place) != drawn.get(place))
    problems = [
        f"Reader {assignment.code}, set {at}, position {position}: the place is not the one that the seed and the "
        "secret give."
        for at, position in wrong
    ]
    return problems + list(adaptive.replay(assignment, plan.ladders, places))
