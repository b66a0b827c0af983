"""What the study wing does as jobs."""

from typing import Any

from django.urls import reverse

from core.requests import check
from jobs.registry import Link, job
from jobs.selectors import made_before
from study import blinds as selectors
from study.models import Study


def _study(arguments: dict[str, Any], result: dict[str, Any]) -> list[Link]:
    rows = Study.objects.filter(slug=result.get("study")).only("slug")
    return [Link(f"study {row.slug}", "study:study", (row.slug,)) for row in rows]


def _frozen(arguments: dict[str, Any], result: dict[str, Any]) -> list[Link]:
    rows = Study.objects.filter(slug=result.get("study")).only("slug", "state")
    return [
        Link(text.format(row.slug), address, (row.slug,))
        for row in rows
        for text, address in (("study {}", "study:study"), ("protocol of {}", "study:protocol"))
    ]


def _results(arguments: dict[str, Any], result: dict[str, Any]) -> list[Link]:
    rows = Study.objects.filter(slug=result.get("study"), state=Study.State.UNBLINDED).only("slug")
    return [Link(f"results of {row.slug}", "results:results", (row.slug,)) for row in rows]


def _builder(arguments: dict[str, Any]) -> str:
    draft = arguments.get("draft")
    return reverse("study:study_edit", args=[draft]) if draft else reverse("study:study_new")


@job("build_study", title="Build a study", unit="cases", links=_study, for_admins=("readers",), form=_builder)
def build_study(context, *, draft: str = "", **settings: Any) -> dict[str, Any]:
    """A draft, for an admin to look at and freeze. ``settings`` are those of ``StudyRequest``, rows by their names.

    ``draft`` names one that is built again.
    """
    from study.protocol.building import build_study as build
    from study.protocol.requests import StudyRequest, for_builder

    again = selectors.get_study(draft) if draft else None
    study = (None if again else made_before(Study, settings["name"], context.job)) or build(
        draft=again,
        actor=context.job.requester,
        created_by=context.job.requested_by,
        freeze=False,
        progress=context.progress,
        **for_builder(check(StudyRequest, settings)),
    )
    return {"study": study.slug, "cases": study.cases.count(), "pool": study.source["pool"]}


@job("freeze_study", title="Freeze a study", unit="stimuli", links=_frozen)
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


@job("predict_visibility", title="Predict what is seen", unit="images", links=_results)
def predict_visibility(context, *, study: str) -> dict[str, Any]:
    """What ColorVideoVDP predicts of every stimulus on the readers' displays, where it was not predicted yet."""
    from study.protocol.predicting import predict_study

    return predict_study(study=selectors.get_study(study), progress=context.progress)
