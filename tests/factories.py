"""Makers for tests: people, a study with real PNG bytes, and a reader who is ready for the first image."""

import hashlib
import io
import secrets

import numpy as np
from django.core.files.base import ContentFile
from django.utils import timezone
from PIL import Image

from core.models import User
from study.models import Assignment, Case, GuideImage, Stimulus, Study
from study.protocol import life as services

PASSWORD = "quiet-grey-room-7"


def user(username: str, role: str = "reader", **fields) -> User:
    made = User(username=username, role=role, **fields)
    made.set_password(PASSWORD)
    made.save()
    return made


def fixed_png(pixels: np.ndarray) -> bytes:
    """A PNG whose length depends on the picture's size alone."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=0)
    return buffer.getvalue()


def tissue(rng: np.random.Generator, size: int = 64) -> np.ndarray:
    """Pink with purple dots: enough to see where one stands in a screenshot, (size, size, 3) uint8."""
    base = np.array([228, 180, 205]) + rng.normal(0, 9, (size, size, 1)) + rng.normal(0, 4, (size, size, 3))
    rows, columns = np.mgrid[:size, :size]
    for _ in range(size // 4):
        y, x, r = *rng.uniform(0, size, 2), rng.uniform(size / 40, size / 14)
        base[(rows - y) ** 2 + (columns - x) ** 2 < r**2] = np.array([105, 70, 140]) + rng.normal(0, 12, 3)
    return np.clip(base, 0, 255).astype(np.uint8)


def _stored(image_field, content: bytes) -> str:
    image_field.save(f"{secrets.token_hex(8)}.png", ContentFile(content), save=False)
    return hashlib.sha256(content).hexdigest()


def draft_study(
    *, cases: int = 4, size: int = 64, seed: int = 1, slug: str = "small", guides: int = 2, **fields
) -> Study:
    """``cases`` positives in the arms original and perturbed, with ``guides`` examples and practice patches each."""
    rng = np.random.default_rng(seed)
    settings = {"name": "A small study", "criterion": "Tumour when there are five tumour cells or more.", "min_gap": 3,
                "washout_hours": 0, "questions": [], "break_every": 0, "practice_count": guides}  # fmt: skip
    study = Study.objects.create(slug=slug, seed=seed, code_version="test", **(settings | fields))
    for number in range(1, cases + 1):
        case = Case.objects.create(study=study, number=number, patch_id=f"p{number}", truth=True, truth_source="test")
        pixels = tissue(rng, size)
        noise = rng.integers(-3, 4, pixels.shape)
        for arm, shown in (("original", pixels), ("perturbed", np.clip(pixels + noise, 0, 255).astype(np.uint8))):
            stimulus = Stimulus(case=case, arm=arm, model_prob=0.9 if arm == "original" else 0.1)
            stimulus.model_label = arm == "original"
            stimulus.sha256 = _stored(stimulus.image, fixed_png(shown))
            stimulus.save()
    for kind in GuideImage.Kind.values if study.task == "pair" else ("example", "practice"):
        for number in range(1, guides + 1):
            guide = GuideImage(study=study, kind=kind, number=number, patch_id=f"{kind}{number}", truth=number % 2 == 1)
            guide.sha256 = _stored(guide.image, fixed_png(tissue(rng, size)))
            guide.save()
    return study


def open_study(*, readers: tuple[str, ...] = ("reader",), ready: bool = True, **fields) -> Study:
    """A frozen and opened study; its readers have consented and practised unless ``ready`` is False.

    Readers who are not there yet are made.
    """
    study = draft_study(**fields)
    for name in readers:
        reader = User.objects.filter(username=name).first() or user(name)
        services.assign_reader(study=study, reader=reader, actor="test")
    services.freeze_study(study=study, actor="test")
    study = services.open_study(study=study, actor="test")
    if ready:
        now = timezone.now()
        Assignment.objects.filter(study=study).update(consented_at=now, practised_at=now)
    return study


def assignment_of(study: Study, username: str = "reader") -> Assignment:
    return Assignment.objects.select_related("study", "reader").get(study=study, reader__username=username)
