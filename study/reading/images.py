"""Pixels on their way out: the same headers for all, the hash checked, nothing to be learned but the picture.

A stimulus leaves only while its presentation lies in the reader's window (see ``progress``); any other token
is 404, whether it was guessed, belongs to somebody else, is over or is still to come.
"""

import logging

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from core.access import View
from core.errors import InvalidInput
from core.images import read_bytes
from study.models import GuideImage, Stimulus
from study.reading import preview
from study.reading import progress as selectors
from study.reading.access import for_readers_or_preview, is_preview, signed_in_or

log = logging.getLogger(__name__)


def _nothing(status: int) -> HttpResponse:
    return HttpResponse(status=status, headers={"Cache-Control": "no-store"})


def png(picture: Stimulus | GuideImage | None) -> HttpResponse:
    """A picture's bytes, if they are those that were stored; 404 for none."""
    if picture is None:
        return _nothing(404)
    try:
        content = read_bytes(picture.image.name, sha256=picture.sha256)
    except InvalidInput as error:
        log.error("an image is not served: %s", error)
        return _nothing(500)
    headers = {"Content-Length": str(len(content)), "Cache-Control": "no-store"}
    return HttpResponse(content, content_type="image/png", headers=headers)


def _image_address(view: View) -> View:
    """For signed-in readers, and admins in the preview; 401 without a page where nobody is signed in."""
    return require_safe(for_readers_or_preview(view, signed_in_or(lambda: _nothing(401))))


@_image_address
def stimulus(request: HttpRequest, token: str) -> HttpResponse:
    if is_preview(request):
        return png(preview.stimulus_in(request.session, token))
    return png(selectors.servable_stimulus(request.user, token))


@_image_address
def guide(request: HttpRequest, token: str) -> HttpResponse:
    return png(preview.guide(token) if is_preview(request) else selectors.servable_guide(request.user, token))
