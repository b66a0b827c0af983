"""Pixels on their way out: the same headers for all, the hash checked, nothing to be learned but the picture.

A stimulus leaves only while its presentation lies in the reader's window (see ``reading_selectors``); any other token
is 404, whether it was guessed, belongs to somebody else, is over or is still to come.
"""

import logging

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from core.errors import InvalidInput
from core.images import read_bytes
from study.reading import progress as selectors
from study.reading.access import claimed_user, recognised

log = logging.getLogger(__name__)


def _nothing(status: int) -> HttpResponse:
    return HttpResponse(status=status, headers={"Cache-Control": "no-store"})


def png(name: str, sha256: str) -> HttpResponse:
    """A picture's bytes, if they are those that were stored."""
    try:
        content = read_bytes(name, sha256=sha256)
    except InvalidInput as error:
        log.error("an image is not served: %s", error)
        return _nothing(500)
    headers = {"Content-Length": str(len(content)), "Cache-Control": "no-store"}
    return HttpResponse(content, content_type="image/png", headers=headers)


@require_safe
def stimulus(request: HttpRequest, token: str) -> HttpResponse:
    claimed = claimed_user(request)
    named = None if claimed is None else selectors.stimulus_named(claimed, token)
    known = recognised(request, named.assignment.reader) if named else request.user.is_authenticated
    if not known:
        return _nothing(401)
    if named is None or not named.servable():
        return _nothing(404)
    return png(named.stimulus.image.name, named.stimulus.sha256)


@require_safe
def guide(request: HttpRequest, token: str) -> HttpResponse:
    if not request.user.is_authenticated:
        return _nothing(401)
    found = selectors.servable_guide(request.user, token)
    return _nothing(404) if found is None else png(found.image.name, found.sha256)
