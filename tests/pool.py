"""A small attacked data set in the database: what ``build_study`` draws from, without training anything."""

import hashlib
import io

import numpy as np
from django.core.files.base import ContentFile
from django.utils import timezone
from PIL import Image

from attacks.models import Attack, Battery, Perturbation, Transfer
from core.proportions import share_exactly
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


def told_battery(attack: Attack, **changed: object) -> Battery:
    """A finished battery of the pool's classifier, with a flag and an attack that had nothing left to do."""
    rows = [
        {
            "attack": name, "title": title, "kind": kind, "id": attack.pk if asked else None, "asked": asked,
            "flipped": flipped, "first": flipped, "stand": stand, "withstood": share_exactly(asked - flipped, asked),
            "passes": {"gradient": 10 * asked, "forward": asked}, "cpu_seconds": 1.5,
        }
        for name, title, kind, asked, flipped, stand in (
            ("pgd", "PGD on the margin, 2 starts", "white", 18, 10, 8),
            ("minimal", "Smallest perturbation, if within the budget", "white", 8, 8, 0),
            ("square", "Square, 100 answers", "black", 0, 0, 0),
        )
    ]  # fmt: skip
    summary = {
        "flags": [{"name": "gradients vanish", "text": "What did not flip is no evidence of robustness."}],
        "rows": rows, "worst": share_exactly(0, 20) | {"clean": share_exactly(18, 20)}, "patches": 20,
        "already_wrong": 2, "passes": {"gradient": 260, "forward": 26}, "cpu_seconds": 3.0,
    }  # fmt: skip
    return Battery.objects.create(
        name=f"{attack.name}-battery", classifier=attack.classifier, norm="linf", budget=4, seed=0, code_version="t",
        settings={"every": False, "weights_sha256": "1" * 64, "dataset_sha256": "0" * 64, "others": []},
        settings_sha256="2" * 64, summary=summary, completed_at=timezone.now(), **changed,
    )  # fmt: skip


def told_transfer(attack: Attack) -> Transfer:
    """A table of what one classifier's perturbations do to itself."""
    cell = {"source": attack.classifier.name, "target": attack.classifier.name, "flipped": 5, "of": 9}
    found = Transfer.objects.create(
        name=f"{attack.name}-transfer", norm="linf", budget=4, seed=0, code_version="t",
        settings={"steps": 50, "weights_sha256": {attack.classifier.name: "1" * 64}},
        summary={"rows": [cell | {"share": share_exactly(5, 9)}]},
    )  # fmt: skip
    found.classifiers.add(attack.classifier)
    return found
