"""How small a reader saw the images: from the card calibration, the viewing distance and the scale."""

from collections.abc import Mapping
from math import pi
from typing import Any

_MM_PER_CM = 10


def pixels_per_degree(session: Mapping[str, Any] | None, answer: Mapping[str, Any] | None) -> int | None:
    """Of the image, from what a session and an answer recorded of the viewing; None where the card or the distance was
    not measured. Whole numbers: nobody keeps a distance better than that."""
    screen, shown = session or {}, answer or {}
    per_mm, distance = screen.get("pixels_per_mm"), screen.get("distance_cm")
    scale = shown.get("scale") or screen.get("scale")
    if not (per_mm and distance and scale):
        return None
    return max(1, round(per_mm / scale * distance * _MM_PER_CM * pi / 180))
