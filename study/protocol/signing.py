"""Anchors that leave the installation: the head of a study's log, signed with its ed25519 key, or mailed.

The key is made once, under BLINDSPOT_HOME, readable by its owner alone. Anyone who takes database and key can sign
anything from then on; a signature that was given away before still shows what the log was.
"""

import base64
import json
import os
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings
from django.core.mail import send_mail
from django.db.models import Q
from django.utils import timezone

from core.errors import InvalidInput
from core.models import User
from study.models import Study
from study.protocol import audit_log

SIGNED = ("study", "head", "events", "at")
"""What is signed: the canonical JSON of these keys of the document."""

MAIL = """The log of the study “{study}” stands at

    {short}

({full}), {events} events, {at}.

Keep this mail. `manage.py verify {slug} --anchor "{short}"` tells whether the log still holds it.
"""


def _key() -> Ed25519PrivateKey:
    """The installation's key; made at its first use."""
    file = settings.HOME / "signing_key.pem"
    made = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    else:
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(made)
    key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidInput(f"{file} holds no ed25519 key. Put it aside; a new one is made.")
    return key


def public_key() -> str:
    """The key that checks signatures of this installation, as base64 of its 32 bytes."""
    return base64.b64encode(_key().public_key().public_bytes_raw()).decode()


def _text(document: dict[str, Any]) -> bytes:
    return audit_log.canonical_json({name: document.get(name) for name in SIGNED}).encode()


def signed_head(study: Study) -> dict[str, Any]:
    """The head of the study's log with the time of its last event and a signature: a document to be kept elsewhere."""
    last = study.events.order_by("pk").last()
    document: dict[str, Any] = {
        "study": study.slug,
        "head": audit_log.head(study),
        "events": study.events.count(),
        "at": (last.at if last else study.created_at).isoformat(timespec="seconds"),
    }
    signature = base64.b64encode(_key().sign(_text(document))).decode()
    return document | {"public_key": public_key(), "signature": signature}


def head_of_signed(text: str, study: Study) -> str:
    """The head in a signed document, once its signature is found good.

    Raises:
        InvalidInput: it is no such document, of another study, or not signed by this installation.
    """
    try:
        document = json.loads(text)
        document = document.get("signed", document)  # the whole answer of `verify --sign --json`
        signature = base64.b64decode(document["signature"], validate=True)
        of = document["study"], str(document["head"])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InvalidInput("no signed head: `manage.py verify STUDY --sign` writes one.", field="signature") from None
    if of[0] != study.slug:
        raise InvalidInput(f"the signed head is of study '{of[0]}', not of '{study.slug}'.", field="signature")
    try:
        Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key())).verify(signature, _text(document))
    except InvalidSignature:
        message = "this installation's key did not sign that. The document was changed, or comes from elsewhere."
        raise InvalidInput(message, field="signature") from None
    return of[1]


def mail_head(study: Study) -> int:
    """Mail the head of the log to every admin with an address; how many were handed to the mail server.

    Raises:
        InvalidInput: no mail server is set, or no admin has an address.
    """
    if not settings.EMAIL_CONFIGURED:
        raise InvalidInput("no mail server is set: EMAIL_URL names one.", field="mail")
    admins = User.objects.filter(Q(role=User.Role.ADMIN) | Q(is_superuser=True), is_active=True).exclude(email="")
    addresses = sorted(set(admins.values_list("email", flat=True)))
    if not addresses:
        raise InvalidInput("no admin has an e-mail address.", field="mail")
    head = audit_log.head(study)
    text = MAIL.format(
        study=study.name, slug=study.slug, short=audit_log.short(head), full=head, events=study.events.count(),
        at=timezone.now().isoformat(timespec="seconds"),
    )  # fmt: skip
    return sum(send_mail(f"Log of {study.name}", text, None, [to], fail_silently=False) for to in addresses)
