"""Leaks that can be planted, one at a time, in the audit's own copy of a study, to prove that the audit finds them.

Six are planted on the wire, around the application; three (``id``, ``order``, ``seed``) in the copied rows. Each is a
common mistake: a file served with its name, an ETag made from its content, a row number in an address, a schedule that
follows from the study's seed alone.
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

from study.models import Presentation
from study.protocol.schedules import Plan, stimuli_of

ON_THE_WIRE = ("length", "etag", "filename", "timing", "header", "cookie")
IN_THE_ROWS = ("id", "order", "seed")
PLANTS = (*ON_THE_WIRE, *IN_THE_ROWS)
DELAY_S = 0.015
"""The smallest delay. On a busy machine it is larger than nearly all of that machine's own (``Planted.delay``)."""


@dataclass(frozen=True, slots=True)
class Behind:
    """What an image's token stands for."""

    arm: str
    patch: str


def behind(token: str) -> Behind | None:
    row = Presentation.objects.filter(Q(token=token) | Q(second_token=token)).first()
    stimulus = row and (row.stimulus if row.token == token else row.second)
    return Behind(stimulus.arm, stimulus.case.patch_id) if stimulus else None


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
        elif self.plant == "timing" and altered:
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


def plant_rows(plant: str, presentations: Sequence[Any], rng: random.Random) -> None:
    """Change copied presentations in place.

    ``id``: row numbers in the tokens; ``order``: all originals before altered stimuli; ``seed``: schedules as they
    would be without a secret.
    """
    if plant == "id":
        for row in presentations:
            row.token = f"{row.stimulus_id:06d}{secrets.token_urlsafe(12)}"
    elif plant == "order":
        by_set: dict[int, list[Any]] = {}
        for row in presentations:
            by_set.setdefault(row.reading_set_id, []).append(row)
        for rows in by_set.values():
            rows.sort(key=lambda row: row.position)
            shown = [(row.stimulus, row.second) for row in rows]
            rng.shuffle(shown)
            shown.sort(key=lambda pair: pair[0].arm != "original")
            for row, (stimulus, second) in zip(rows, shown):
                row.stimulus, row.second = stimulus, second
    elif plant == "seed":
        _without_secret(presentations)


def _without_secret(presentations: Sequence[Any]) -> None:
    assignments = {row.reading_set.assignment_id: row.reading_set.assignment for row in presentations}
    study = next(iter(assignments.values())).study
    plan, stimuli = Plan.of(study), stimuli_of(study)
    by_place = {(row.reading_set.assignment_id, row.reading_set.number, row.position): row for row in presentations}
    for assignment in assignments.values():
        number = study.assignments.filter(pk__lt=assignment.pk).count()
        for at, order in enumerate(plan.sets_of("", seed=assignment.seed, number=number), start=1):
            for position, (first, second) in enumerate(order, start=1):
                row = by_place[assignment.pk, at, position]
                row.stimulus, row.second = stimuli[first], stimuli[second] if second else None
