"""What an admin does with readers: remind, withdraw; invitations are in ``invitations``, reopening in ``reading``."""

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from core.errors import BadInput
from study import audit_log
from study.models import Assignment, Study
from study.reading_selectors import Stage, place_of

INVITATION = """You are invited to read images for the study “{study}”.

Open this link, choose a password and begin whenever it suits you. It can be used once, within {days} days:
{link}
"""
REMINDER = """There are {left} images left for you in the current set of the study “{study}”.

You can go on where you stopped:
{link}
"""
WASHOUT = """The next set of the study “{study}”, set {set}, opens for you on {opens}:
{link}
"""


@transaction.atomic
def withdraw(*, assignment: Assignment, reason: str, actor: str) -> Assignment:
    """The reader reads no more; what they answered is kept and marked. A second time changes nothing.

    Raises:
        BadInput: the study is closed, or the reason is too long.
    """
    row = Assignment.objects.select_for_update(of=("self",)).select_related("study").get(pk=assignment.pk)
    if row.study.state in (Study.State.CLOSED, Study.State.UNBLINDED):
        raise BadInput(f"study: '{row.study.slug}' is {row.study.get_state_display()}; nobody leaves it any more.")
    if len(reason) > 200:
        raise BadInput("reason: at most 200 characters.")
    if row.withdrawn_at is None:
        row.withdrawn_at, row.withdrawal_reason = timezone.now(), reason.strip()
        row.save(update_fields=["withdrawn_at", "withdrawal_reason"])
        audit_log.record(
            study=row.study, actor=actor, action="reader_withdrawn", reader=row.code, reason=reason.strip()
        )
    return row


def reminder(*, assignment: Assignment, address: str) -> str:
    """The text of a reminder: what is still to be done, and where.

    Raises:
        BadInput: there is nothing that this reader could do now.
    """
    place = place_of(assignment)
    name = assignment.study.name
    if place.stage in (Stage.WITHDRAWN, Stage.NOT_OPEN, Stage.CLOSED, Stage.FINISHED):
        raise BadInput(f"reader: {assignment.code} has nothing to do now ({place.stage.replace('_', ' ')}).")
    link = address.rstrip("/") + reverse("reading:study", args=[assignment.study.slug])
    if place.stage is Stage.WASHOUT and place.opens_at is not None:
        opens = f"{place.opens_at:%d %B %Y, %H:%M} UTC"
        return WASHOUT.format(study=name, set=place.reading_set.number, opens=opens, link=link)
    left = place.count - place.answered if place.reading_set else 0
    return REMINDER.format(study=name, left=left, link=link)


def invitation_text(*, assignment: Assignment, link: str, days: int) -> str:
    return INVITATION.format(study=assignment.study.name, link=link, days=days)


def send(*, assignment: Assignment, subject: str, text: str, actor: str, action: str) -> bool:
    """Mail to the reader, where a mail server is set and their address is known; logged either way.

    Returns:
        whether a mail was handed to the server. If not, the text is there to be copied.
    """
    to = assignment.reader.email
    sent = bool(settings.EMAIL_CONFIGURED and to and send_mail(subject, text, None, [to], fail_silently=False))
    audit_log.record(study=assignment.study, actor=actor, action=action, reader=assignment.code, mailed=sent)
    return sent
