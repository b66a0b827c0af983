"""A small attacked data set in the database: what ``build_study`` draws from, without training anything."""

import hashlib
import io

import numpy as np
from django.core.files.base import ContentFile
from django.utils import timezone
from PIL import Image

from attacks.models import Attack, Perturbation
from model.models import Classifier, Dataset, Patch


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def attacked_pool(
    *, positives: int = 12, negatives: int = 8, size: int = 32, name: str = "pool", seed: int = 0
) -> Attack:
    """``positives + negatives`` patches, each judged correctly before and flipped by a change of at most 4."""
    rng = np.random.default_rng(seed)
    dataset = Dataset.objects.create(
        name=name, kind="folder", sha256="0" * 64, size=size, positives=positives, negatives=negatives, code_version="t"
    )
    classifier = Classifier.objects.create(
        name=name, dataset=dataset, initialisation="random", weights="none", weights_sha256="1" * 64, seed=0
    )
    attack = Attack.objects.create(
        name=name,
        classifier=classifier,
        norm="linf",
        budget=4,
        seed=0,
        code_version="t",
        completed_at=timezone.now(),
    )
    for index in range(positives + negatives):
        tumour = index < positives
        pixels = rng.integers(0, 256, (size, size, 3), dtype=np.uint8)
        delta = rng.integers(-4, 5, pixels.shape)
        perturbed = np.clip(pixels.astype(int) + delta, 0, 255).astype(np.uint8)
        body = png(pixels)
        patch = Patch(
            dataset=dataset,
            index=index,
            name=f"patch-{index}.png",
            sha256=hashlib.sha256(body).hexdigest(),
            tumour=tumour,
            group=f"slide-{index % 5}",
        )
        patch.image.save(f"{index}.png", ContentFile(body))
        perturbation = Perturbation(
            attack=attack,
            patch=patch,
            already_wrong=False,
            flipped_float=True,
            flipped=True,
            prob_before=0.9 if tumour else 0.1,
            prob_after=0.1 if tumour else 0.9,
            steps=3,
            l0=1.0,
            l1=2.0,
            l2=2.5,
            linf=4.0,
        )
        body = png(perturbed)
        perturbation.sha256 = hashlib.sha256(body).hexdigest()
        perturbation.image.save(f"{index}.png", ContentFile(body))
    return attack
