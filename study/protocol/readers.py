"""Readers of a study: withdraw them, send them mail, invite them.

Reminders are written in ``study.conduct.reminders``, sets are reopened in ``study.reading``.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.db import transaction
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from core.errors import InvalidInput
from core.models import User, plain_name
from core.requests import check
from study.models import Assignment, Invitation, Study
from study.protocol import audit_log
from study.protocol.duration import length_for
from study.protocol.life import assign_reader
from study.protocol.locks import hold_assignment
from study.protocol.requests import InviteRequest, WithdrawRequest


@transaction.atomic
def withdraw(*, assignment: Assignment, reason: str, actor: str) -> Assignment:
    """End a reader's part in the study; their answers are kept and marked. Repeating it changes nothing.

    Raises:
        InvalidInput: the study is closed, or the reason is too long.
    """
    hold_assignment(assignment)
    study, reason = assignment.study, check(WithdrawRequest, {"reason": reason})["reason"]
    if study.state in (Study.State.CLOSED, Study.State.UNBLINDED):
        raise InvalidInput(
            f"'{study.slug}' is {study.get_state_display()}; nobody can be withdrawn any more.", field="study"
        )
    if assignment.withdrawn_at is None:
        assignment.withdrawn_at, assignment.withdrawal_reason = timezone.now(), reason
        assignment.save(update_fields=["withdrawn_at", "withdrawal_reason"])
        audit_log.record(study=study, actor=actor, action="reader_withdrawn", reader=assignment.code, reason=reason)
    return assignment


def invitation_text(*, invitation: Invitation, link: str) -> str:
    """The mail, in the language of the invitation."""
    days = round((invitation.expires_at - invitation.created_at).total_seconds() / 86_400)
    with translation.override(invitation.language or settings.LANGUAGE_CODE):
        invited = _("You are invited to read images for the study “%(study)s”.")
        opens = _(
            "Open this link, choose a password and begin whenever it suits you. If you have an account here, sign in "
            "and join with one click."
        )
        holds = ngettext(
            "The link can be used once, within %(days)d day:", "The link can be used once, within %(days)d days:", days
        )
        study = invitation.assignment.study
        told = [invited % {"study": study.name}, length_for(invitation.assignment)]
        asked = f"\n{_('Questions or trouble? Ask')} {study.contact}.\n" if study.contact else ""
        return "\n\n".join([" ".join(filter(None, told)), f"{opens} {holds % {'days': days}}\n{link}\n{asked}"])


def send_invitation(*, invitation: Invitation, link: str, actor: str) -> bool:
    """As ``send``."""
    with translation.override(invitation.language or settings.LANGUAGE_CODE):
        subject = _("Invitation: %(study)s") % {"study": invitation.assignment.study.name}
    return send(
        assignment=invitation.assignment,
        subject=subject,
        text=invitation_text(invitation=invitation, link=link),
        actor=actor,
        action="invitation_written",
    )


def language_for(assignment: Assignment) -> str:
    """In which language a reader is written to: the one they chose, else that of their last invitation."""
    last = assignment.invitations.values_list("language", flat=True).first()
    return assignment.reader.language or last or settings.LANGUAGE_CODE


def send(*, assignment: Assignment, subject: str, text: str, actor: str, action: str) -> bool:
    """Mail a reader, if a mail server is set and their address is known; logged either way.

    Returns:
        whether a mail was handed to the server. If not, pages show the text to be copied.
    """
    to = assignment.reader.email
    sent = bool(settings.EMAIL_CONFIGURED and to and send_mail(subject, text, None, [to], fail_silently=False))
    audit_log.record(study=assignment.study, actor=actor, action=action, reader=assignment.code, mailed=sent)
    return sent


class InvitationGone(LookupError):
    """There is no such link, or it has been used, or it has expired; the message does not say which."""


def digest_of(secret: str) -> str:
    """What is kept of an invitation's secret."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def join_link(address: str, secret: str) -> str:
    """The link of an invitation. ``address`` is the site's; the secret comes after the ``#``, which no server sees."""
    return f"{address.rstrip('/')}{reverse('reading:join')}#{secret}"


def new_key() -> str:
    """From which the secrets of some invitations are made; see ``secret_of``."""
    return secrets.token_urlsafe(32)


def secret_of(key: str, code: str) -> str:
    """The secret of the invitation of the reader ``code`` that was made with this key.

    So one key, which only the inviting browser keeps for a moment, shows the links of any number of readers once.
    """
    digest = hmac.digest(key.encode(errors="replace"), code.encode(), "sha256")
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def invited_with(study: Study, key: str) -> list[tuple[Invitation, str]]:
    """The invitations of this study that were made with the key and can still be used, each with its secret."""
    codes = study.assignments.values_list("code", flat=True)
    by_digest = {digest_of(secret): secret for secret in (secret_of(key, code) for code in codes)}
    rows = Invitation.objects.filter(
        assignment__study=study, used_at=None, expires_at__gt=timezone.now(), secret_sha256__in=by_digest
    )
    rows = rows.select_related("assignment__reader", "assignment__study").order_by("assignment__code")
    return [(row, by_digest[row.secret_sha256]) for row in rows]


@transaction.atomic
def invite(*, study: Study, username: str, actor: str, key: str = "", **more: Any) -> tuple[Invitation, str]:
    """Make a single-use link for a reader, and assign them to the study if they are not yet; their older links expire.

    ``more`` are the further settings of ``InviteRequest``: ``email``, ``days``, ``language``, and ``replaces`` with
    ``reason``.
    ``key``: see ``secret_of``.

    Returns:
        the invitation and its secret, which cannot be read again.

    Raises:
        InvalidInput: a setting out of range, a user who is not a reader, nobody to be replaced, or as
            ``assign_reader``.
    """
    asked = check(InviteRequest, {"username": username} | more)
    _check_replaced(study, asked["replaces"])
    reader, created = User.objects.get_or_create(
        username=asked["username"], defaults={"email": asked["email"], "role": User.Role.READER}
    )
    if created:
        reader.set_unusable_password()
        reader.full_clean(exclude=["password"])
        reader.save()
    elif reader.role != User.Role.READER or reader.is_superuser:
        raise InvalidInput(f"'{username}' is {reader.role}; only a reader is invited to read.", field="username")
    assignment = Assignment.objects.filter(study=study, reader=reader).first()
    if assignment is None:
        assignment = assign_reader(study=study, reader=reader, actor=actor)
    elif asked["replaces"]:
        raise InvalidInput(f"'{username}' reads the study already and replaces nobody.", field="replaces")
    if asked["replaces"]:
        replaced = {"reader": assignment.code, "replaces": asked["replaces"], "reason": asked["reason"]}
        audit_log.record(study=study, actor=actor, action="reader_replaced", **replaced)
    now = timezone.now()
    assignment.invitations.filter(used_at=None, expires_at__gt=now).update(expires_at=now)
    secret = secret_of(key or new_key(), assignment.code)
    invitation = Invitation.objects.create(
        assignment=assignment,
        secret_sha256=digest_of(secret),
        language=asked["language"],
        expires_at=now + timedelta(days=asked["days"]),
    )
    audit_log.record(
        study=study, actor=actor, action="invited", reader=assignment.code, expires_at=invitation.expires_at
    )
    return invitation, secret


@transaction.atomic
def invite_all(*, study: Study, rows: Sequence[dict[str, Any]], actor: str, key: str = "") -> list[Invitation]:
    """Invite everybody of a list, or nobody. ``rows`` are settings of ``InviteRequest``, each with its ``line``.

    Raises:
        InvalidInput: naming every line that is wrong, and what is wrong with it.
    """
    key, made, problems = key or new_key(), [], {}
    seen: dict[str, int] = {}
    for row in rows:
        line, asked = row["line"], {name: value for name, value in row.items() if name != "line"}
        name = plain_name(str(asked["username"]))
        try:
            if (before := seen.setdefault(name, line)) != line:
                raise InvalidInput(f"'{name}' stands in line {before} already.", field="username")
            with transaction.atomic():
                made.append(invite(study=study, actor=actor, key=key, **asked)[0])
        except InvalidInput as error:
            problems[line] = str(error)
    if problems:
        lines = [f"line {line}: {text}" for line, text in sorted(problems.items())]
        raise InvalidInput("Nobody was invited. " + "\n".join(lines), field="table")
    return made


def _check_replaced(study: Study, code: str) -> None:
    """A reader is replaced who was withdrawn, and once."""
    if not code:
        return
    if not study.assignments.filter(code=code).exclude(withdrawn_at=None).exists():
        raise InvalidInput(f"no withdrawn reader {code} in this study; withdraw the reader first.", field="replaces")
    if study.events.filter(action="reader_replaced", detail__replaces=code).exists():
        raise InvalidInput(f"reader {code} has been replaced already.", field="replaces")


def open_invitation(digest: str) -> Invitation:
    """The invitation whose secret has this ``digest_of``.

    Raises:
        InvitationGone: it cannot be used (any more).
    """
    invitation = (
        Invitation.objects.filter(secret_sha256=digest, used_at=None, expires_at__gt=timezone.now())
        .select_related("assignment__study", "assignment__reader")
        .first()
    )
    if invitation is None:
        raise InvitationGone
    return invitation


@transaction.atomic
def accept_invitation(digest: str, *, password: str = "", again: str = "") -> User:
    """Use an invitation up. A reader who has no password yet gets this one; any other keeps theirs.

    Its language is the reader's from now on, unless they have one already.

    Raises:
        InvitationGone: the link cannot be used (any more), also when two browsers use it at once.
        InvalidInput: the passwords differ or are too weak.
    """
    invitation = open_invitation(digest)
    reader = invitation.assignment.reader
    if not reader.has_usable_password():
        _set_password(reader, password, again)
    if not Invitation.objects.filter(pk=invitation.pk, used_at=None).update(used_at=timezone.now()):
        raise InvitationGone
    reader.language = reader.language or invitation.language
    reader.save(update_fields=["password", "language"])
    audit_log.record(study=invitation.assignment.study, actor=invitation.assignment.code, action="invitation_accepted")
    return reader


def _set_password(reader: User, password: str, again: str) -> None:
    if password != again:
        raise InvalidInput(_("The passwords do not match."), field="password")
    try:
        validate_password(password, reader)
    except ValidationError as error:
        raise InvalidInput(" ".join(error.messages), field="password") from None
    reader.set_password(password)
