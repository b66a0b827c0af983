"""What the study wing does as jobs."""

from typing import Any

from core.requests import check
from jobs.registry import Link, job
from jobs.selectors import made_before
from study import blinds as selectors
from study.models import Study


def _study(arguments: dict[str, Any], result: dict[str, Any]) -> list[Link]:
    rows = Study.objects.filter(slug=result.get("study")).only("slug")
    return [Link(f"study {row.slug}", "study:study", (row.slug,)) for row in rows]


def _protocol(arguments: dict[str, Any], result: dict[str, Any]) -> list[Link]:
    rows = Study.objects.filter(slug=result.get("study")).only("slug")
    return [Link(f"protocol of {row.slug}", "study:protocol", (row.slug,)) for row in rows]


@job("build_study", title="Build a study", unit="cases", links=_study, for_admins=("readers",))
def build_study(context, **settings: Any) -> dict[str, Any]:
    """A draft, for an admin to look at and freeze. ``settings`` are those of ``StudyRequest``, rows by their names."""
    from study.protocol.building import build_study as build
    from study.protocol.requests import StudyRequest, for_builder

    study = made_before(Study, settings["name"], context.job) or build(
        actor=context.job.requester,
        created_by=context.job.requested_by,
        freeze=False,
        progress=context.progress,
        **for_builder(check(StudyRequest, settings)),
    )
    return {"study": study.slug, "cases": study.cases.count(), "pool": study.source["pool"]}


@job("freeze_study", title="Freeze a study", unit="stimuli", links=_protocol)
def freeze_study(context, *, study: str, actor: str) -> dict[str, Any]:
    """Read every image again, ask the classifier again, fix the protocol."""
    from study.protocol import life as services
    from study.protocol.verdicts import judge_again

    frozen = selectors.get_study(study)
    if frozen.state == Study.State.DRAFT or context.job.attempt == 1:  # else an earlier attempt froze it
        frozen = services.freeze_study(study=frozen, actor=actor, judge=judge_again, progress=context.progress)
    return {
        "study": frozen.slug,
        "protocol_sha256": frozen.protocol_sha256,
        "verdicts_checked": (frozen.protocol or {}).get("verdicts_checked"),
    }
