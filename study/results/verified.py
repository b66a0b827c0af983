"""A study's verification on the way to its results: nothing is computed or exported silently from changed rows."""

from django.core.cache import cache

from study.models import Study
from study.protocol import audit_log
from study.protocol.verification import NotVerified, Verification, verify

KEEP_S = 120


def verification_of(study: Study, *, again: bool = False) -> Verification:
    """What verifying finds. Kept for two minutes, so that a page and its twenty files do not read every image anew."""
    key = f"verification:{study.pk}:{audit_log.head(study)}"
    kept = None if again else cache.get(key)
    if kept is None:
        kept = verify(study)
        cache.set(key, kept, KEEP_S)
    return kept


def demand_verified(study: Study) -> None:
    """Raises NotVerified, naming the first problems, where something is not as it was fixed."""
    if said := verification_of(study).in_a_sentence():
        raise NotVerified(f"{said} Nothing is computed or exported from it; --unverified of the commands does it.")
