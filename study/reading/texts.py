"""Texts of the reading pages that are put together in Python, and those that their scripts say.

Texts are English here and in the templates; ``locale/`` holds the translations (see docs/translating.md).
"""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from study.protocol.duration import pause

ROOM: dict[str, Any] = {
    "loading": gettext_lazy("Loading the image …"),
    "saving": gettext_lazy("Saving …"),
    "saved": gettext_lazy("Saved"),
    "offline": gettext_lazy(
        "No connection. Your answer is kept in this browser and will be sent as soon as the connection is back."
    ),
    "offline_image": gettext_lazy("No connection. The image will be fetched as soon as the connection is back."),
    "resent": gettext_lazy("An answer kept in this browser has been saved."),
    "not_used": gettext_lazy(
        "The answer just sent was not used: the image had been answered already, perhaps in another window, or its "
        "set is finished. Nothing was overwritten."
    ),
    "refused": gettext_lazy(
        "An answer kept in this browser could not be used: the image had been answered already or its set is finished."
    ),
    "moved_on": gettext_lazy(
        "This image had been answered already, perhaps in another window. Nothing was overwritten; here is where you "
        "stand."
    ),
    "broken": gettext_lazy(
        "This image cannot be shown. Please tell the people who run the study; nothing has been lost."
    ),
    "sign_in_wrong": gettext_lazy("Name and password do not match."),
    "sign_in_other": gettext_lazy("Please sign in as the same reader."),
    "sign_in_locked": gettext_lazy("Too many failed attempts. Please wait a quarter of an hour."),
    "needed": gettext_lazy("Please answer first: {fields}."),
    "needed_here": gettext_lazy("Please answer this."),
    "scale_small": gettext_lazy(
        "This window shows patches at {scale} to 1 instead of {wanted} to 1. Please make the window larger or the "
        "page smaller (Ctrl and −)."
    ),
    "answer": pgettext_lazy("in a list of what is missing", "the question"),
    "confidence": pgettext_lazy("in a list of what is missing", "how sure you are"),
    "perturbed_response": pgettext_lazy("in a list of what is missing", "whether it was altered"),
    "changing": gettext_lazy("Your earlier answer is marked."),
    "showing_first": pgettext_lazy("of a pair", "First shown"),
    "showing_second": pgettext_lazy("of a pair", "Second shown"),
    "position": gettext_lazy("Image {position} of {count}"),
}
"""What the reading page's scripts say; they fill in the places in braces."""

PAIRED: dict[str, Any] = {"position": gettext_lazy("Pair {position} of {count}")}
"""What they say otherwise where pairs are shown."""

VIEWING: dict[str, Any] = {
    "bits": gettext_lazy("{value} bits"),
    "good": gettext_lazy("This window is large enough: patches are shown at {scale} to 1."),
    "small": gettext_lazy(
        "This window is too small to show patches at {wanted} to 1. Please maximise the window, press F11 for the full "
        "screen, or make the page smaller with Ctrl and −. You can continue at {scale} to 1 if that is not possible."
    ),
    "size_unknown": gettext_lazy("not measured"),
    "gamut_srgb": gettext_lazy("sRGB"),
    "gamut_p3": gettext_lazy("wide (P3)"),
    "gamut_rec2020": gettext_lazy("very wide (Rec. 2020)"),
    "tiny": gettext_lazy("This window is too small to show a patch at all. Please make it larger."),
}
"""What the viewing check's script says."""

LABELS: dict[str, Any] = {
    "answer": gettext_lazy("The question"),
    "confidence": gettext_lazy("How sure are you?"),
    "perturbed_response": gettext_lazy("Was this image altered?"),
    "tumour_cell_count": gettext_lazy("Tumour cells, about"),
    "note": gettext_lazy("Note"),
}
"""The name of each question, for what is said about an answer to it."""


def now(texts: Mapping[str, Any]) -> dict[str, str]:
    """The texts in the language of this request."""
    return {name: str(text) for name, text in texts.items()}


def stale() -> str:
    """What a reader is told whose page had fallen behind."""
    return str(ROOM["moved_on"])


def until_next_set(last: bool, washout_hours: float) -> str:
    """What happens after the end of a set."""
    if last:
        return _("This was the last set; a few closing questions follow.")
    if not washout_hours:
        return _("The next set can be read directly afterwards.")
    return _("The next set opens %(pause)s after you finish this one.") % {"pause": pause(washout_hours)}
