"""Single-use links by which a reader comes in. The secret is told once and only its hash is kept."""

import hashlib
import secrets
from datetime import timedelta

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from core.errors import BadInput
from study import audit_log
from study.models import Assignment, Invitation, Study, User
from study.services import assign_reader

VALID_DAYS = 14


class InvitationGone(LookupError):
    """No such link, or it has been used, or it has expired. Which of them is not told."""


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


@transaction.atomic
def invite(
    *, study: Study, username: str, actor: str, email: str = "", days: int = VALID_DAYS
) -> tuple[Invitation, str]:
    """Make a link for a reader, seating them in the study if it is still a draft; older links of theirs end.

    Returns:
        the invitation and its secret, which cannot be read again.

    Raises:
        BadInput: a user who is no reader, a frozen study without a place for them, or days out of range.
    """
    if not 1 <= days <= 365:
        raise BadInput(f"days: {days} is out of range; 1 to 365.")
    reader, created = User.objects.get_or_create(username=username, defaults={"email": email, "role": User.Role.READER})
    if created:
        reader.set_unusable_password()
        reader.full_clean(exclude=["password"])
        reader.save()
    elif reader.role != User.Role.READER or reader.is_superuser:
        raise BadInput(f"reader: '{username}' is {reader.role}; only a reader is invited to read.")
    assignment = Assignment.objects.filter(study=study, reader=reader).first()
    if assignment is None:
        assignment = assign_reader(study=study, reader=reader, actor=actor)
    now = timezone.now()
    assignment.invitations.filter(used_at=None, expires_at__gt=now).update(expires_at=now)
    secret = secrets.token_urlsafe(32)
    invitation = Invitation.objects.create(
        assignment=assignment, secret_sha256=_digest(secret), expires_at=now + timedelta(days=days)
    )
    audit_log.record(
        study=study, actor=actor, action="invited", reader=assignment.code, expires_at=invitation.expires_at
    )
    return invitation, secret


def open_invitation(secret: str) -> Invitation:
    """The invitation behind a link.

    Raises:
        InvitationGone: it cannot be used (any more).
    """
    found = (
        Invitation.objects.filter(secret_sha256=_digest(secret), used_at=None, expires_at__gt=timezone.now())
        .select_related("assignment__study", "assignment__reader")
        .first()
    )
    if found is None:
        raise InvitationGone
    return found


@transaction.atomic
def accept_invitation(*, secret: str, password: str, again: str) -> User:
    """Set the reader's password and use the link up.

    Raises:
        InvitationGone: the link cannot be used (any more), also when two browsers use it at once.
        BadInput: the passwords differ or are too weak.
    """
    invitation = open_invitation(secret)
    reader = invitation.assignment.reader
    if password != again:
        raise BadInput("password: the two entries differ.")
    try:
        validate_password(password, reader)
    except ValidationError as error:
        raise BadInput("password: " + " ".join(error.messages)) from None
    if not Invitation.objects.filter(pk=invitation.pk, used_at=None).update(used_at=timezone.now()):
        raise InvitationGone
    reader.set_password(password)
    reader.save(update_fields=["password"])
    audit_log.record(study=invitation.assignment.study, actor=invitation.assignment.code, action="invitation_accepted")
    return reader
