"""A study as a reader would see it, for those who build it: the same templates and scripts, nothing stored.

The order is a schedule of its own (no reader's), the tokens are derived from it, and where the visitor stands is kept
in their session. No arm is named anywhere; what is seen is what a reader's browser would get.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.conf import settings

from study.design.schedule import build_schedule
from study.models import Assignment, GuideImage, Presentation, ReadingSet, Stimulus, Study
from study.protocol.life import derived_seed, presented
from study.reading.progress import Place, Stage

SEED_OF_PREVIEW = 1_000_005


@dataclass(slots=True)
class Preview:
    """One visitor's walk through a study: ``answered`` presentations of the first set, and their last answer."""

    study: Study
    answered: int = 0
    last: dict[str, Any] = field(default_factory=dict)
    presentations: list[Presentation] = field(default_factory=list)

    @property
    def assignment(self) -> Assignment:
        return Assignment(study=self.study, code="R00", seed=0)

    def place(self) -> Place:
        assignment = self.assignment
        stage = Stage.READING if self.answered < len(self.presentations) else Stage.SET_DONE
        near = {one.position: one for one in self.presentations if 0 <= one.position - self.answered <= 2}
        return Place(
            stage=stage,
            assignment=assignment,
            sets=self.study.copies,
            reading_set=ReadingSet(assignment=assignment, number=1),
            count=len(self.presentations),
            answered=self.answered,
            window=near,
        )

    def answer(self, given: dict[str, Any]) -> bool:
        """Take an answer to the presentation whose turn it is, or to the one before it; False for any other."""
        place = self.place()
        tokens = {one.token: one for one in (place.previous, place.current) if one is not None}
        presentation = tokens.get(given.get("token", ""))
        if presentation is None:
            return False
        self.answered = presentation.position
        names = ("answer", "confidence", "tumour_cell_count", "perturbed_response", "note")
        self.last = {name: given.get(name) for name in names} | {"revision": 1}
        return True

    def stimulus(self, token: str) -> Stimulus | None:
        """The picture behind a token, if it lies in the window, as for a reader."""
        for one in self.place().window.values():
            if token == one.token:
                return one.stimulus
            if token == one.second_token:
                return one.second
        return None


def _token(study: Study, position: int, side: str) -> str:
    """Opaque, as long as a real one, and the same at every visit."""
    text = f"preview:{study.pk}:{study.seed}:{position}:{side}".encode()
    digest = hmac.new(settings.SECRET_KEY.encode(), text, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")


def preview_of(study: Study, *, answered: int = 0, last: dict[str, Any] | None = None) -> Preview:
    keys, by_key, originals = presented(study)
    seed = derived_seed(study.seed, SEED_OF_PREVIEW)
    order = build_schedule(keys, copies=1, min_gap=1, seed=seed).sets[0] if keys else ()
    left = np.random.default_rng(seed).permutation(np.arange(len(order)) % 2 == 0)
    presentations = []
    for position, index in enumerate(order, start=1):
        first, second = by_key[keys[index]], originals.get(keys[index])
        if second is not None and not left[position - 1]:
            first, second = second, first
        presentations.append(
            Presentation(
                position=position,
                stimulus=first,
                second=second,
                token=_token(study, position, "first"),
                second_token=_token(study, position, "second"),
            )
        )
    return Preview(study, min(answered, len(presentations)), last or {}, presentations)


def guide(study: Study, token: str) -> GuideImage | None:
    return study.guide_images.filter(token=token).first()
