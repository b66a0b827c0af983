"""What the study wing does as jobs."""

from typing import Any

from attacks.models import PairSet
from core.errors import BadInput
from model.jobs.registry import job
from model.jobs.selectors import made_before
from study import selectors
from study.models import Study, User
from study.study_settings import StudySettings


@job("build_study", title="Build a study", unit="cases")
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
    from study import building

    study = made_before(Study, name, context.job)
    if study is None:
        people = {user.username: user for user in User.objects.filter(username__in=readers)}
        if missing := [reader for reader in readers if reader not in people]:
            raise BadInput(f"readers: there is no user '{missing[0]}'.")
        pair_set = PairSet.objects.filter(name=pairs).first() if pairs else None
        if pairs and pair_set is None:
            raise BadInput(f"pairs: there are no pairs '{pairs}' any more.")
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


@job("freeze_study", title="Freeze a study", unit="stimuli")
def freeze_study(context, *, study: str, actor: str) -> dict[str, Any]:
    """Read every image again, ask the classifier again, fix the protocol."""
    from study import services
    from study.verdicts import judge_again

    frozen = selectors.get_study(study)
    if frozen.state != Study.State.FROZEN or context.job.attempt == 1:
        frozen = services.freeze_study(study=frozen, actor=actor, judge=judge_again, progress=context.progress)
    return {
        "study": frozen.slug,
        "protocol_sha256": frozen.protocol_sha256,
        "verdicts_checked": frozen.protocol["verdicts_checked"],
    }
