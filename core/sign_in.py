"""Failed attempts to sign in: whose they are, from where they come, and when it is enough."""

import ipaddress
from datetime import timedelta
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import Sum
from django.http import HttpRequest
from django.utils import timezone

from core.models import plain_name


def name_tried(request: HttpRequest, credentials: dict[str, Any] | None = None) -> str | None:
    """The name under which failed attempts to sign in are counted: one person's, however it is written."""
    name = (credentials or {}).get("username") or request.POST.get("username")
    return plain_name(str(name))[:255] if name else None  # as many as the column of attempts holds


def client_address(request: HttpRequest) -> str | None:
    """The client's address: the one that the outermost of ``TRUSTED_PROXIES`` proxies has seen.

    Each proxy adds the address of who called it at the end of X-Forwarded-For. What stands before those of the trusted
    ones was written by the client and may be anything. Of IPv6 the network counts: a client has 2^64 addresses in it.
    """
    seen = [request.META.get("REMOTE_ADDR", "")]
    if settings.TRUSTED_PROXIES:
        forwarded = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
        seen = [*forwarded, *seen][-1 - settings.TRUSTED_PROXIES :]
    try:
        address = ipaddress.ip_address(seen[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped or ipaddress.ip_network((address, 64), strict=False).network_address)
    return str(address)


class Handler(AxesDatabaseHandler):
    """Attempts are counted by name and address, and once more by address alone, under a higher limit.

    Nobody is locked out by what others do elsewhere, and nobody tries thirty names from one address.
    """

    def get_failures(self, request: Any, credentials: dict | None = None) -> int:
        failures = super().get_failures(request, credentials)
        enough = settings.AXES_FAILURE_LIMIT
        return max(failures, enough) if self._from_address(request) >= settings.SIGN_INS_PER_ADDRESS else failures

    def _from_address(self, request: Any) -> int:
        since = timezone.now() - timedelta(hours=settings.AXES_COOLOFF_TIME)
        failed = AccessAttempt.objects.filter(ip_address=request.axes_ip_address, attempt_time__gte=since)
        return failed.aggregate(total=Sum("failures_since_start"))["total"] or 0
