"""What the study wing does as jobs."""

from typing import Any

from attacks.models import PairSet
from core.errors import InvalidInput
from core.models import User
from jobs.registry import Link, job
from jobs.selectors import made_before
from study import blinds as selectors
from study.models import Study
from study.protocol.settings import StudySettings


def _study(arguments: dict[str, Any], result: dict[str, Any]) -> list[Link]:
    rows = Study.objects.filter(slug=result.get("study")).only("slug")
    return [Link(f"study {row.slug}", "study:study", (row.slug,)) for row in rows]


def _protocol(arguments: dict[str, Any], result: dict[str, Any]) -> list[Link]:
    rows = Study.objects.filter(slug=result.get("study")).only("slug")
    return [Link(f"protocol of {row.slug}", "study:protocol", (row.slug,)) for row in rows]


@job("build_study", title="Build a study", unit="cases", links=_study)
def build_study(
    context,
    *,
    name: str,
    seed: int,
    settings: dict[str, Any],
    attack: str = "",
    further_attacks: list[str] | tuple[str, ...] = (),
    pairs: str = "",
    variants: list[str] | tuple[str, ...] = (),
    readers: list[str] | tuple[str, ...] = (),
) -> dict[str, Any]:
    """A draft: an admin looks at it, and freezes it."""
    from attacks.selectors import attack_named
    from study.protocol import building

    study = made_before(Study, name, context.job)
    if study is None:
        people = {user.username: user for user in User.objects.filter(username__in=readers)}
        if missing := [reader for reader in readers if reader not in people]:
            raise InvalidInput(f"there is no user '{missing[0]}'.", field="readers")
        pair_set = PairSet.objects.filter(name=pairs).first() if pairs else None
        if pairs and pair_set is None:
            raise InvalidInput(f"there are no pairs '{pairs}' any more.", field="pairs")
        study = building.build_study(
            name=name,
            attack=attack_named(attack) if attack else None,
            further_attacks=[attack_named(one) for one in further_attacks],
            pairs=pair_set,
            variants=variants,
            seed=seed,
            settings=StudySettings(**settings | {"questions": tuple(settings.get("questions", ()))}),
            readers=[people[reader] for reader in readers],
            actor=context.job.requester,
            created_by=context.job.requested_by,
            freeze=False,
            progress=context.progress,
        )
    return {"study": study.slug, "cases": study.cases.count(), "pool": study.source["pool"]}


@job("freeze_study", title="Freeze a study", unit="stimuli", links=_protocol)
def freeze_study(context, *, study: str, actor: str) -> dict[str, Any]:
    """Read every image again, ask the classifier again, fix the protocol."""
    from study.protocol import life as services
    from study.protocol.verdicts import judge_again

    frozen = selectors.get_study(study)
    if frozen.state != Study.State.FROZEN or context.job.attempt == 1:
        frozen = services.freeze_study(study=frozen, actor=actor, judge=judge_again, progress=context.progress)
    return {
        "study": frozen.slug,
        "protocol_sha256": frozen.protocol_sha256,
        "verdicts_checked": frozen.protocol["verdicts_checked"],
    }
