"""Leaks that can be planted, one at a time, in the audit's own copy of a study, to prove that the audit finds them.

Seven are planted on the wire, around the application; three (``id``, ``order``, ``seed``) in the copied rows. Each is a
common mistake: a file served with its name, an ETag made from its content, a row number in an address, a schedule that
follows from the study's seed alone. ``quicker`` is one of pairs: the next image comes sooner after a right answer, as
it would if it were fetched or chosen for that case alone.
"""

import hashlib
import random
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from study.design.ladders import BESIDE, ORIGINAL, arm_of
from study.models import Presentation, Response, Slot, Stimulus, Study
from study.protocol.schedules import Plan, slot_of, stimuli_of, stimulus_of

ON_THE_WIRE = ("length", "etag", "filename", "timing", "header", "cookie", "quicker")
IN_THE_ROWS = ("id", "order", "seed")
PLANTS = (*ON_THE_WIRE, *IN_THE_ROWS)
DELAY_S = 0.015
"""The smallest delay. On a busy machine it is larger than nearly all of that machine's own (``Planted.delay``)."""


@dataclass(frozen=True, slots=True)
class Behind:
    """What an image's token stands for."""

    arm: str
    patch: str
    after_right: bool = False


def behind(token: str) -> Behind | None:
    row = Presentation.objects.filter(Q(token=token) | Q(second_token=token)).first()
    stimulus = row and (row.stimulus if row.token == token else row.second)
    return Behind(stimulus.arm, stimulus.case.patch_id, _after_right(row)) if row and stimulus else None


def _after_right(row: Presentation) -> bool:
    """Whether the pair before this one got a right answer."""
    before = Presentation.objects.filter(reading_set=row.reading_set_id, position=row.position - 1)
    return any(
        (answer == Response.Answer.FIRST) == (arm not in BESIDE)
        for arm, answer in before.values_list("stimulus__arm", "responses__answer")
    )


def cannot_be_planted(plant: str, study: Study) -> str:
    """Why a leak is none in a study of this kind; "" where it can be planted."""
    if plant == "quicker" and not study.paired:
        return "'quicker' is about right answers, which only pairs have; choose another."
    if plant == "id" and study.adaptive:
        return "'id' changes stored names, and an adaptive study makes its names while it is read; choose another."
    return ""


class Planted:
    """A WSGI application that adds one leak to the images of ``application``."""

    def __init__(self, application: Callable, plant: str):
        self.application, self.plant = application, plant
        self.took: deque[float] = deque(maxlen=100)

    def __call__(self, environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        prefix, _, token = environ["PATH_INFO"].rpartition("/image/")
        image = behind(token) if prefix else None
        if image is None:
            return self.application(environ, start_response)
        response: list[Any] = []
        began = time.perf_counter()
        body = b"".join(self.application(environ, lambda *started: response.extend(started)))
        self.took.append(time.perf_counter() - began)
        status, headers = response[0], list(response[1])
        if status.startswith("200"):
            headers, body = self.leak(image, headers, body)
        start_response(status, headers)
        return [body]

    def leak(self, image: Behind, headers: list[tuple[str, str]], body: bytes) -> tuple[list[tuple[str, str]], bytes]:
        altered = image.arm != "original"
        if self.plant == "length" and altered:
            body += b"\0" * 7
            headers = [(n, str(len(body)) if n.lower() == "content-length" else v) for n, v in headers]
        elif self.plant == "etag":
            headers.append(("ETag", f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'))
        elif self.plant == "filename":
            headers.append(("Content-Disposition", f'inline; filename="{image.patch}_{image.arm}.png"'))
        elif (self.plant == "timing" and altered) or (self.plant == "quicker" and not image.after_right):
            time.sleep(self.delay())
        elif self.plant == "header":
            headers.append(("X-Variant", str(int(altered))))
        elif self.plant == "cookie":
            headers.append(("Set-Cookie", f"last={image.patch}; Path=/"))
        return headers, body

    def delay(self) -> float:
        """Seconds: five times what nine of ten of the last images took here, so that chance does not hide it."""
        usual = sorted(self.took)[int(0.9 * (len(self.took) - 1))]
        return max(DELAY_S, min(5 * usual, 1.0))


def plant_rows(
    plant: str, presentations: Sequence[Presentation], rng: random.Random, slots: Sequence[Slot] = ()
) -> None:
    """Change copied presentations in place; of an adaptive study its slots, and what it begins with.

    ``id``: row numbers in the tokens; ``order``: all originals before altered stimuli, or one ladder before the other;
    ``seed``: schedules as they would be without a secret.
    """
    if plant == "id":
        for row in presentations:
            row.token = f"{row.stimulus_id:06d}{secrets.token_urlsafe(12)}"
    elif plant == "order" and slots:
        _sorted(slots, SLOT, lambda slot: slot.ladder, rng)
    elif plant == "order":
        _sorted(presentations, PAIR, lambda row: row.stimulus.arm != ORIGINAL, rng)
    elif plant == "seed":
        _without_secret(slots or presentations)
    if slots:
        _begin_again(presentations, slots)


PAIR = ("stimulus", "second")
SLOT = ("case", "ladder", "turn", "altered_first")


def _sorted(rows: Sequence[Any], shown: tuple[str, ...], key: Callable[[Any], Any], rng: random.Random) -> None:
    """Exchange what is ``shown`` within each set, so that it is in the order of ``key`` and otherwise at random."""
    by_set: dict[int, list[Any]] = {}
    for row in rows:
        by_set.setdefault(row.reading_set_id, []).append(row)
    for own in by_set.values():
        own.sort(key=lambda row: row.position)
        put = sorted(rng.sample(own, len(own)), key=key)
        values = [[getattr(row, name) for name in shown] for row in put]
        for row, held in zip(own, values):
            for name, value in zip(shown, held):
                setattr(row, name, value)


def _without_secret(rows: Sequence[Any]) -> None:
    assignments = {row.reading_set.assignment_id: row.reading_set.assignment for row in rows}
    study = next(iter(assignments.values())).study
    plan, stimuli = Plan.of(study), stimuli_of(study)
    by_place = {(row.reading_set.assignment_id, row.reading_set.number, row.position): row for row in rows}
    for assignment in assignments.values():
        number = study.assignments.filter(pk__lt=assignment.pk).count()
        for at, order in enumerate(plan.sets_of("", seed=assignment.seed, number=number), start=1):
            for position, shown in enumerate(order, start=1):
                row = by_place[assignment.pk, at, position]
                if plan.adaptive:
                    drawn = slot_of(row.reading_set, position, shown, stimuli)
                    for name in SLOT:
                        setattr(row, name, getattr(drawn, name))
                else:
                    row.stimulus, row.second = (stimulus_of(key, stimuli) if key else None for key in shown)


def _begin_again(presentations: Sequence[Presentation], slots: Sequence[Slot]) -> None:
    """What each reader begins with is a pair of the first slot's case; which level it has tells nothing yet."""
    first = {slot.reading_set_id: slot for slot in slots if slot.position == 1}
    for row in presentations:
        slot = first[row.reading_set_id]
        of_case = Stimulus.objects.filter(case=slot.case)
        original = of_case.get(arm=ORIGINAL)
        altered = of_case.get(arm=arm_of(slot.ladder, 1)) if slot.ladder else original
        row.stimulus, row.second = (altered, original) if slot.altered_first else (original, altered)
