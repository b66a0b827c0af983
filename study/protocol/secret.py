"""The secret of a study's schedules: 128 random bits, without which no order can be computed before unblinding.

A study's seed and a reader's number can be guessed, and researchers know both. So everything that decides which arm
stands where is drawn from keys made of the seed *and* the secret. The secret is made at freezing. The protocol holds
its SHA-256; unblinding discloses it (``study.blinds.disclosed_secret``), and then anyone can draw the schedules again
(``study.protocol.schedule_checks.recompute``). See ``docs/decisions/0011-schedules-are-secret-until-unblinding.md``.

A study that was frozen before there were secrets has none (``""`` here): its schedules follow from its seed alone.
"""

import hashlib
import hmac
import secrets
from typing import Literal

from study.design.draws import Seed, derived_seed
from study.models import ScheduleSecret, Study

COMMITMENT = "schedule_secret_sha256"
"""Key of the protocol under which the secret's SHA-256 stands."""
Purpose = Literal["reader", "round", "sides"]


def new_secret() -> str:
    """128 bits from the operating system, as 32 hexadecimal digits."""
    return secrets.token_bytes(16).hex()


def commitment_to(secret: str) -> str:
    """SHA-256 of the secret's digits as text: ``printf SECRET | sha256sum`` computes it."""
    return hashlib.sha256(secret.encode()).hexdigest()


def keep(study: Study, secret: str) -> None:
    """Store the secret of a study that is being frozen; once."""
    ScheduleSecret.objects.create(study=study, value=secret)


def stored(study: Study) -> str:
    """The secret, for drawing and for checking; ``""`` if there is none. Show it by ``disclosed_secret`` alone."""
    return ScheduleSecret.objects.filter(study=study).values_list("value", flat=True).first() or ""


def committed(study: Study) -> str:
    """The SHA-256 that the frozen protocol holds; ``""`` for a draft, and where it was frozen before secrets were made.

    Read by itself: the whole protocol can be large.
    """
    return Study.objects.filter(pk=study.pk).values_list(f"protocol__{COMMITMENT}", flat=True).first() or ""


def frozen_before_secrets(study: Study) -> bool:
    """Whether this study's schedules follow from its seed alone."""
    return study.state != Study.State.DRAFT and not committed(study)


def matches(study: Study) -> bool:
    """Whether the stored secret is the one that the protocol commits to; also where there is neither."""
    secret, sha256 = stored(study), committed(study)
    return commitment_to(secret) == sha256 if secret else not sha256


def drawn_from(secret: str, purpose: Purpose, seed: int) -> Seed:
    """What is drawn from for a purpose: HMAC-SHA256, keyed by the secret's 16 bytes, of ``purpose:seed``.

    Without a secret, what it was before there were secrets: the seed (for the sides: a seed derived from it).
    """
    if secret:
        return hmac.digest(bytes.fromhex(secret), f"{purpose}:{seed}".encode(), "sha256")
    return derived_seed(seed, 2) if purpose == "sides" else seed


def salt(secret: str) -> str:
    """Stands in the protocol, so that its published hash cannot be met by trying: twenty cases have a million arms."""
    return hmac.digest(bytes.fromhex(secret), b"protocol", "sha256").hex()
