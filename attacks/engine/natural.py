"""Natural changes as a yardstick: what scanners, staining and file formats do, judged and measured like an attack.

Each change takes uint8 images (n, 3, h, w) and gives the same, by torchvision alone and deterministic by seed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as vision

from attacks.engine.constraints import displayed_norms
from attacks.engine.curves import share
from attacks.engine.norms import MEASURED
from attacks.engine.passes import Passes, lost
from core.errors import InvalidInput, Progress, no_progress
from model.learning.staining import stained


def jpeg(images: Tensor, quality: float, seed: int) -> Tensor:
    """Compressed as JPEG of this quality (1-100) and decoded again."""
    return torch.stack([vision.jpeg(image, int(quality)) for image in images])


def noise(images: Tensor, sigma: float, seed: int) -> Tensor:
    """Independent Gaussian noise of ``sigma`` grey levels."""
    draw = torch.Generator().manual_seed(seed)
    return _bytes(images + sigma * torch.randn(images.shape, generator=draw))


def blur(images: Tensor, sigma: float, seed: int) -> Tensor:
    """Gaussian blur of ``sigma`` pixels."""
    return vision.gaussian_blur(images, [2 * int(3 * sigma + 0.5) + 1] * 2, [sigma, sigma])


def brightness(images: Tensor, factor: float, seed: int) -> Tensor:
    """All values times ``factor``."""
    return _bytes(images * factor)


def haematoxylin(images: Tensor, factor: float, seed: int) -> Tensor:
    """The haematoxylin's optical density times ``factor``."""
    return _stained(images, (factor, 1.0))


def eosin(images: Tensor, factor: float, seed: int) -> Tensor:
    """The eosin's optical density times ``factor``."""
    return _stained(images, (1.0, factor))


def _stained(images: Tensor, factors: tuple[float, float]) -> Tensor:
    """Optical densities split into haematoxylin, eosin and a rest at right angles to both; the first two scaled."""
    return _bytes(stained(images, torch.tensor([[*factors, 1.0]])))


def _bytes(images: Tensor) -> Tensor:
    return images.round().clamp(0, 255).to(torch.uint8)


@dataclass(frozen=True)
class Change:
    """One kind of change at one strength, in ``unit``."""

    name: str
    strength: float
    unit: str
    apply: Callable[[Tensor, float, int], Tensor]

    def __call__(self, images: Tensor, seed: int) -> Tensor:
        return self.apply(images, self.strength, seed)


LADDER: dict[str, tuple[Callable[[Tensor, float, int], Tensor], str, tuple[float, ...]]] = {
    "jpeg": (jpeg, "quality", (95, 90, 75, 50, 30)),
    "noise": (noise, "grey levels", (1, 2, 4, 8, 16)),
    "blur": (blur, "pixels", (0.5, 1, 1.5, 2)),
    "brightness": (brightness, "factor", (0.8, 0.9, 0.95, 1.05, 1.1, 1.2)),
    "haematoxylin": (haematoxylin, "factor", (0.7, 0.85, 0.95, 1.05, 1.15, 1.3)),
    "eosin": (eosin, "factor", (0.7, 0.85, 0.95, 1.05, 1.15, 1.3)),
}


def changes(names: list[str] | None = None) -> list[Change]:
    """Every change at every strength, or those of the kinds named; InvalidInput for an unknown kind."""
    unknown = [name for name in names or [] if name not in LADDER]
    if unknown:
        raise InvalidInput(f"There is no natural change {unknown[0]!r}; there are {', '.join(LADDER)}.")
    return [
        Change(name, strength, unit, apply)
        for name, (apply, unit, strengths) in LADDER.items()
        if not names or name in names
        for strength in strengths
    ]


class NaturalTable:
    """Counts for a table of changes, filled chunk by chunk, so that any number of images fits."""

    def __init__(self, passes: Passes, chosen: list[Change], *, seed: int):
        self.passes, self.chosen, self.seed = passes, chosen, seed
        self.right = {False: 0, True: 0}  # by class: tumour or not
        self.seen = 0
        self._flips = {(change, tumour): 0 for change in chosen for tumour in (False, True)}
        self._norms: dict[Change, dict[str, float]] = {
            change: dict.fromkeys(map(str, MEASURED), 0.0) for change in chosen
        }

    def add(self, images: Tensor, labels: Tensor, *, progress: Progress = no_progress) -> None:
        """Count uint8 images (n, 3, h, w) with classes ``labels``; those that the network gets wrong are left out."""
        right = self.passes.judge(images).argmax(1) == labels
        images, labels = images[right], labels[right]
        tumour = labels == 1
        self.right[True] += int(tumour.sum())
        self.right[False] += int((~tumour).sum())
        if not len(images):
            return
        for place, change in enumerate(self.chosen):
            changed = change(images, self.seed + self.seen)
            flipped = lost(self.passes.judge(changed), labels, self.passes.margin)
            for positive in (False, True):
                self._flips[change, positive] += int((flipped & (tumour == positive)).sum())
            for norm, values in displayed_norms(images, changed, device=self.passes.device).items():
                self._norms[change][norm] += float(values.sum())
            progress(place + 1, len(self.chosen))
        self.seen += len(images)

    def rows(self) -> list[dict[str, Any]]:
        """One row per change: its share flipped with Wilson interval, the same by class, and mean norms."""
        total = sum(self.right.values())
        return [
            {
                "change": change.name,
                "strength": change.strength,
                "unit": change.unit,
                **share(self._flips[change, False] + self._flips[change, True], total),
                "positives": share(self._flips[change, True], self.right[True]),
                "negatives": share(self._flips[change, False], self.right[False]),
                **{norm: value / total if total else None for norm, value in self._norms[change].items()},
            }
            for change in self.chosen
        ]
