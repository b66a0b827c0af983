"""What can still be done with a draft: building it again from other settings, and deleting it."""

from collections.abc import Iterable

from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone

from study.design.draws import derived_seed
from study.models import GuideImage, Stimulus, Study
from study.protocol import audit_log
from study.protocol.life import demand_state, locked


def emptied(study: Study) -> Study:
    """The draft's row, locked, without its cases and images: what it is built anew in. Call inside a transaction.

    Readers stay assigned, and their invitations hold. The files go when the transaction is committed.
    """
    study = locked(study)
    demand_state(study, Study.State.DRAFT)
    files = [
        *Stimulus.objects.filter(case__study=study).values_list("image", flat=True),
        *GuideImage.objects.filter(study=study).values_list("image", flat=True),
    ]
    study.cases.all().delete()
    study.guide_images.all().delete()
    transaction.on_commit(lambda: _forget(files))
    return study


def _forget(files: Iterable[str]) -> None:
    for file in files:
        default_storage.delete(file)


def reseed_readers(study: Study) -> None:
    """Readers' seeds follow from the study's, which a draft that is built again may have changed."""
    for assignment in study.assignments.all():
        assignment.seed = derived_seed(study.seed, int(assignment.code[1:]))
        assignment.save(update_fields=["seed"])


@transaction.atomic
def delete_draft(*, study: Study, actor: str) -> None:
    """Delete a draft with its images and invitations. The log keeps its events, and therefore the study's row.

    Raises:
        InvalidInput: the study is frozen or further; nothing of it can be taken back then.
    """
    study = emptied(study)
    study.assignments.all().delete()
    audit_log.record(study=study, actor=actor, action="deleted", study_name=study.name, slug=study.slug)
    study.slug = f"{study.slug[:40]}.deleted-{study.pk}"  # the name is free again; no address can hold a full stop
    study.source, study.team, study.deleted_at = {}, None, timezone.now()
    study.save()
