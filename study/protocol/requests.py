"""What the office orders from the workers: checked at the door, done as jobs."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from django.utils.text import slugify

from attacks.models import Attack, PairSet
from core.errors import InvalidInput
from core.models import User
from jobs.models import Job
from jobs.services import submit
from study.models import Study
from study.protocol import life as services
from study.protocol.case_sources import AttackSource, CaseSource, PairSource
from study.protocol.settings import StudySettings


def study(
    *,
    name: str,
    by: Any,
    seed: int,
    settings: StudySettings,
    attack: Attack | None = None,
    further_attacks: Sequence[Attack] = (),
    pairs: PairSet | None = None,
    variants: Sequence[str] = (),
    readers: Sequence[User] = (),
) -> Job:
    """A draft of a study, to be looked at and frozen.

    Raises:
        InvalidInput: naming the field.
    """
    settings.check()
    slug = slugify(name)[:60]
    if not slug:
        raise InvalidInput(f"'{name}' leaves no letters for an address; use letters or digits.", field="name")
    if Study.objects.filter(slug=slug).exists():
        raise InvalidInput(f"there is a study '{slug}' already; choose another name.", field="name")
    for job in Job.objects.filter(kind="build_study", state__in=Job.ACTIVE):
        if slugify(job.arguments.get("name", ""))[:60] == slug:
            raise InvalidInput(f"job {job.pk} is building a study '{slug}'; choose another name.", field="name")
    source: CaseSource
    if pairs is not None and attack is None:
        source = PairSource(pairs, variants)
    elif attack is not None and pairs is None:
        source = AttackSource([attack, *further_attacks])
    else:
        raise InvalidInput("choose an attack, or imported pairs; one of the two.", field="attack")
    _enough(source, settings)
    arguments = {
        "name": name,
        "attack": attack.name if attack else "",
        "further_attacks": [one.name for one in further_attacks],
        "pairs": pairs.name if pairs else "",
        "variants": list(variants),
        "seed": seed,
        "settings": asdict(settings) | {"questions": list(settings.questions)},
        "readers": [reader.username for reader in readers],
    }
    return submit(kind="build_study", arguments=arguments, requested_by=by, title=f"Build study: {name}"[:200])


def freeze(*, study: Study, by: Any, actor: str) -> Job:
    """Fix a draft's protocol. A job: every image is read again, and the classifier asked again.

    Raises:
        InvalidInput: the study is not a draft, or is being frozen.
    """
    services.demand_state(study, Study.State.DRAFT)
    for job in Job.objects.filter(kind="freeze_study", state__in=Job.ACTIVE):
        if job.arguments.get("study") == study.slug:
            raise InvalidInput(f"Study '{study.slug}' is being frozen by job {job.pk}.")
    arguments = {"study": study.slug, "actor": actor}
    return submit(kind="freeze_study", arguments=arguments, requested_by=by, title=f"Freeze study: {study.name}"[:200])


def _enough(source: CaseSource, settings: StudySettings) -> None:
    """Raises InvalidInput naming the field if the pool holds fewer cases than are asked for."""
    truth = source.pool()["truth"].astype(bool)
    for field, wanted, held in (
        ("positives", settings.positives, int(truth.sum())),
        ("negatives", settings.negatives, int((~truth).sum())),
    ):
        if wanted > held:
            raise InvalidInput(f"{wanted} were asked for, but only {held} {field} were flipped.", field=field)
