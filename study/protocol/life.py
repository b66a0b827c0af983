"""A study's life: draft -> frozen -> open -> closed -> unblinded. Every step is one transaction and one event."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from core.errors import InvalidInput, Progress, no_progress
from core.images import read_bytes
from core.models import User
from core.texts import slug_of
from jobs.models import Job
from study import blinds as selectors
from study.design.draws import derived_seed
from study.models import Assignment, Case, Stimulus, Study
from study.protocol import answer_chain, audit_log
from study.protocol import secret as secrets_of
from study.protocol.frozen import rows_part
from study.protocol.locks import hold_assignments
from study.protocol.schedules import check_gap, make_schedule
from study.protocol.verification import demand_verified, verify
from study.statistics.methods import planned

Cases = Sequence[tuple[Case, Sequence[Stimulus]]]
"""Each case with its stimuli."""
Judge = Callable[..., str]
"""``judge(source, cases, progress=...)`` returns one sentence about the stored verdicts, or raises InvalidInput."""

EXCLUSIONS = "Cases marked excluded before unblinding. What was not answered is missing; every given answer counts."


def free_slug(name: str) -> str:
    """The address of a study that is to be called so; InvalidInput if it is empty or in use."""
    slug = slug_of(name, word="study")
    if not slug:
        raise InvalidInput(f"'{name}' leaves no letters for an address; use letters or digits.", field="name")
    if Study.objects.filter(slug=slug).exists():
        raise InvalidInput(f"there is a study '{slug}' already; choose another name.", field="name")
    return slug


def demand_state(study: Study, *allowed: str) -> None:
    """Raises InvalidInput unless the study is in one of these states."""
    if study.state not in allowed:
        raise InvalidInput(
            f"Study '{study.slug}' is {study.get_state_display()}; this needs a study that is {' or '.join(allowed)}."
        )


@transaction.atomic
def assign_reader(*, study: Study, reader: User, actor: str, simulated: bool = False) -> Assignment:
    """Assign a reader to a study, with a pseudonym and a seed. After freezing, the schedule is made and logged at once.

    Raises:
        InvalidInput: the study is closed; or the reader is assigned already, is no reader, or may have seen its arms.
    """
    study = locked(study)
    demand_state(study, Study.State.DRAFT, Study.State.FROZEN, Study.State.OPEN)
    if reader.is_superuser or reader.role != User.Role.READER:
        raise InvalidInput(f"'{reader.username}' is not a reader: only people with the reader role read studies.")
    if selectors.has_seen_arms(reader, study):
        raise InvalidInput(
            f"'{reader.username}' was a researcher or admin after this study's images were made and may have seen "
            "which are altered: they cannot read it."
        )
    if study.assignments.filter(reader=reader).exists():
        raise InvalidInput(f"'{reader.username}' is assigned to study '{study.slug}' already.")
    number = study.assignments.count() + 1
    assignment = Assignment.objects.create(
        study=study,
        reader=reader,
        code=f"R{number:02d}",
        seed=derived_seed(study.seed, number),
        simulated=simulated,
    )
    detail: dict[str, Any] = {"reader": assignment.code, "simulated": simulated}
    if study.state != Study.State.DRAFT:
        detail["schedule_sha256"] = audit_log.sha256_of(make_schedule(assignment))
    audit_log.record(study=study, actor=actor, action="reader_assigned", **detail)
    return assignment


NOT_JUDGED = "Stored verdicts were not judged again: no classifier was asked."


def freeze_study(
    *,
    study: Study,
    actor: str,
    judge: Judge | None = None,
    progress: Progress = no_progress,
    secret: str | None = None,
) -> Study:
    """Fix the protocol and store the SHA-256 of its canonical JSON with every reader's full schedule.

    The schedules are drawn from the study's seed and from ``secret``, which is made here unless it is given. Give it
    only to draw the schedules of another study again.

    ``look_again`` comes before the transaction, whose lock readers of other studies wait for.

    Raises:
        InvalidInput: not a draft, no cases, what ``look_again`` finds, or an infeasible gap (the message names the
            largest feasible one). Nothing is changed then.
    """
    demand_state(study, Study.State.DRAFT)
    looked = look_again(study.slug, study.source, _stored(study), judge=judge, progress=progress)
    return freeze_looked(study=study, actor=actor, looked=looked, secret=secret)


def _stored(study: Study) -> Cases:
    return [(case, list(case.stimuli.all())) for case in study.cases.prefetch_related("stimuli")]


@dataclass(frozen=True)
class Looked:
    """What was found of a study's images: the SHA-256 of each by case number and arm, and one sentence about the
    stored verdicts."""

    hashes: dict[tuple[int, str], str]
    verdicts: str


def look_again(
    slug: str, source: dict[str, Any], cases: Cases, *, judge: Judge | None = None, progress: Progress = no_progress
) -> Looked:
    """Read every stimulus from the file store and compare its hash; then ``judge`` (see ``verdicts.judge_again``) lets
    the classifier judge the stimuli again. ``cases`` may be stored or not.

    Raises:
        InvalidInput: no cases, a stimulus that is missing or changed, a case whose arms are the same bytes, stimuli of
            different file lengths, or a stored verdict that does not hold.
    """
    if not cases:
        raise InvalidInput(f"Study '{slug}' has no cases: build it before freezing it.")
    lengths: set[int] = set()
    for case, stimuli in cases:
        arm_of: dict[str, str] = {}
        for stimulus in stimuli:
            lengths.add(len(read_bytes(stimulus.image.name, sha256=stimulus.sha256)))
            if twin := arm_of.get(stimulus.sha256):
                raise InvalidInput(
                    f"Case {case.number} ({case.patch_id}): its arms {twin} and {stimulus.arm} are the same bytes, so "
                    "there is nothing to see. Build the study again from an attack whose images differ."
                )
            arm_of[stimulus.sha256] = stimulus.arm
    if len(lengths) != 1:
        raise InvalidInput(
            f"Study '{slug}': the stimuli's files have {len(lengths)} different lengths ({sorted(lengths)[:5]}); "
            "a reader's browser could tell them apart. Use patches of one size."
        )
    verdicts = judge(source, cases, progress=progress) if judge else NOT_JUDGED
    return Looked(_hashes(cases), verdicts)


def _hashes(cases: Cases) -> dict[tuple[int, str], str]:
    return {(case.number, stimulus.arm): stimulus.sha256 for case, stimuli in cases for stimulus in stimuli}


@transaction.atomic
def freeze_looked(*, study: Study, actor: str, looked: Looked, secret: str | None = None) -> Study:
    """As ``freeze_study``, when its images were looked at already."""
    study, secret = locked(study), secret or secrets_of.new_secret()
    demand_state(study, Study.State.DRAFT)
    if looked.hashes != _hashes(_stored(study)):
        raise InvalidInput(f"Study '{study.slug}' was changed while its images were checked. Freeze it again.")
    check_gap(study)  # also without readers: they may be assigned after freezing
    secrets_of.keep(study, secret)
    schedules = [make_schedule(assignment) for assignment in study.assignments.order_by("code")]
    protocol = {
        **rows_part(study),
        **planned(study.task, ladder=study.ladder != Study.Ladder.NONE),
        "exclusions": EXCLUSIONS,
        secrets_of.COMMITMENT: secrets_of.commitment_to(secret),
        "salt": secrets_of.salt(secret),
        "schedules": schedules,
        "stimuli_checked": f"{len(looked.hashes)} stimuli were read again and have their stored SHA-256.",
        "verdicts_checked": looked.verdicts,
    }
    study.protocol = protocol
    study.protocol_sha256 = audit_log.sha256_of(protocol)
    study.state = Study.State.FROZEN
    study.frozen_at = timezone.now()
    study.save()
    detail = {
        "protocol_sha256": study.protocol_sha256,
        "frozen_at": study.frozen_at,
        secrets_of.COMMITMENT: protocol[secrets_of.COMMITMENT],
    }
    audit_log.record(study=study, actor=actor, action="frozen", verdicts=looked.verdicts, **detail)
    return study


def locked(study: Study) -> Study:
    """The study's row, read again and locked until the transaction ends.

    ``no_key``: a new event locks the log first and then the key of the study's row (its foreign key). A full row lock
    here, held while waiting for the log, would be a deadlock.
    """
    return Study.objects.select_for_update(no_key=True).get(pk=study.pk)


def _move(
    *, study: Study, actor: str, from_: str, to: str, stamp: str, detail: dict[str, Any] | None = None, **fields: Any
) -> Study:
    with transaction.atomic():
        study = locked(study)
        demand_state(study, from_)
        now: datetime = timezone.now()
        for name, value in {"state": to, stamp: now, **fields}.items():
            setattr(study, name, value)
        study.save()
        audit_log.record(study=study, actor=actor, action=to, **{stamp: now}, **(detail or {}))
    return study


def open_study(*, study: Study, actor: str) -> Study:
    """Let readers begin."""
    return _move(study=study, actor=actor, from_=Study.State.FROZEN, to=Study.State.OPEN, stamp="opened_at")


def unfinished(study: Study) -> list[dict[str, Any]]:
    """Per reader and set with images that have no answer: ``reader``, ``set``, ``answered``, ``planned``, ``missing``.

    Readers who were withdrawn are left out.
    """
    gone = set(study.assignments.exclude(withdrawn_at=None).values_list("code", flat=True))
    rows = [row for row in selectors.progress_by_reader(study) if row["reader"] not in gone]
    return [{**row, "missing": row["planned"] - row["answered"]} for row in rows if row["answered"] < row["planned"]]


def _demand_finished(study: Study) -> None:
    rows = unfinished(study)
    if rows:
        said = [f"{row['reader']} has {row['answered']} of {row['planned']} in set {row['set']}" for row in rows]
        more = f" and {len(said) - 10} more sets" if len(said) > 10 else ""
        raise InvalidInput(
            f"Not everything is answered: {', '.join(said[:10])}{more}. No answer is taken after closing. Wait, "
            "withdraw who will not go on, or say that the study is to be closed all the same.",
            field="unfinished",
        )


@transaction.atomic
def close_study(*, study: Study, actor: str, unfinished: bool = True) -> Study:
    """End the reading: answers under way are stored first, and none is taken afterwards.

    What was answered is sealed: the log's event holds how many answers each set has, and the hash of the last.

    Args:
        unfinished: also where readers have not answered everything.

    Raises:
        InvalidInput: not open; or, unless ``unfinished``, naming who has not answered what.
    """
    study = locked(study)
    hold_assignments(study)
    if not unfinished:
        demand_state(study, Study.State.OPEN)
        _demand_finished(study)
    return _move(
        study=study,
        actor=actor,
        from_=Study.State.OPEN,
        to=Study.State.CLOSED,
        stamp="closed_at",
        detail={"sets": answer_chain.heads(study)},
    )


@transaction.atomic
def change_team(*, study: Study, team: Group | None, actor: str) -> Study:
    """Give the study, and the jobs that built and froze it, to another team, or to every researcher."""
    study = locked(study)
    if study.team == team:
        return study
    before, study.team = study.team, team
    study.save(update_fields=["team"])
    Job.objects.filter(Q(result__study=study.slug) | Q(arguments__study=study.slug)).update(team=team)
    names = {"was": before.name if before else "", "team": team.name if team else ""}
    audit_log.record(study=study, actor=actor, action="team_changed", **names)
    return study


def unblind_study(*, study: Study, actor: str, unverified: bool = False) -> Study:
    """Open the arms to researchers: one-way, named and logged.

    Args:
        unverified: also where verifying finds problems. The event of the log names them.

    Raises:
        InvalidInput: no name, not closed; or, as ``NotVerified``, something is not as it was fixed.
    """
    if not actor.strip():
        raise InvalidInput("Unblinding is logged under a name: say who unblinds.")
    demand_state(study, Study.State.CLOSED)
    problems = [str(problem) for problem in verify(study).problems] if unverified else []
    if not unverified:
        demand_verified(study)
    return _move(
        study=study,
        actor=actor,
        from_=Study.State.CLOSED,
        to=Study.State.UNBLINDED,
        stamp="unblinded_at",
        unblinded_by=actor,
        detail={"problems": problems} if problems else None,
    )
