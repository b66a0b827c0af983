"""The practice: images that are not part of the study, with the form of the reading, and what would have been right."""

from dataclasses import dataclass
from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _

from study.models import GuideImage, Study
from study.reading import progress as selectors
from study.reading.room import answer_choices


def _feedback(right: bool, truth: str, label: str) -> str:
    """What a reader is told; ``label`` is the answer that is right."""
    if truth == "tumour":
        if right:
            return _("Right: according to the reference diagnosis this patch shows tumour.")
        return _("According to the reference diagnosis this patch shows tumour.")
    if truth == "no_tumour":
        if right:
            return _("Right: according to the reference diagnosis this patch shows no tumour.")
        return _("According to the reference diagnosis this patch shows no tumour.")
    return _("Right.") if right else _("The altered one was: %(label)s.") % {"label": label}


@dataclass(frozen=True, slots=True)
class Practised:
    """What one practice page shows, and the answer that is right."""

    patches: tuple[GuideImage, ...]
    count: int
    right: str


def practised(study: Study, number: int) -> Practised:
    """The practice of this number. Of a pair, the bytes of the patch decide which of the two stands first.

    Raises:
        Http404: there is none.
    """
    patches = selectors.guides(study, GuideImage.Kind.PRACTICE)
    altered = {guide.number: guide for guide in selectors.guides(study, GuideImage.Kind.ALTERED)}
    if not 1 <= number <= len(patches):
        raise Http404
    patch = patches[number - 1]
    if study.task == Study.Task.LABELLING:
        return Practised((patch,), len(patches), "tumour" if patch.truth else "no_tumour")
    if patch.number not in altered:
        raise Http404
    twin = altered[patch.number]
    if int(patch.sha256, 16) % 2:
        return Practised((twin, patch), len(patches), "first")
    return Practised((patch, twin), len(patches), "second")


def page_of(study: Study, number: int, sent: Any) -> dict[str, Any]:
    """What the page of one practice shows; with what is right, where an answer was sent."""
    shown = practised(study, number)
    said = {choice["value"]: choice["label"] for choice in answer_choices(study)}
    answer = sent.get("answer")
    right = answer == shown.right
    return {
        "patches": shown.patches,
        "number": number,
        "count": shown.count,
        "answer": said.get(answer),
        "right": right,
        "feedback": _feedback(right, shown.right, said[shown.right]) if answer in said else "",
        "next": number + 1 if number < shown.count else None,
    }
