"""A ladder: one change of an image at many sizes, from hardly there to plain to see, always in whole grey levels.

The direction, the displayed change that an attack found, stays the same; only its size is scaled. What is scaled below
half a grey level would vanish by rounding everywhere at once. So each value is rounded up or down by a threshold of its
own, drawn once per image: a smaller size shows fewer of the same steps, and every level holds the changes of the one
below it.
"""

from collections.abc import Sequence

import numpy as np

from attacks.engine.controls import Pixels
from attacks.engine.pairs import norms_of
from core.errors import InvalidInput

MOST_LEVELS = 20
_STRONGEST_SCALE = 1e6
_HALVINGS = 24


def targets(lowest: float, highest: float, levels: int, *, whole: bool = False) -> list[float]:
    """``levels`` sizes from ``lowest`` to ``highest`` in equal ratios.

    Args:
        whole: the sizes are whole grey levels (Linf), all different.

    Raises:
        InvalidInput: they do not rise, or there are not so many whole numbers between the two.
    """
    if not 0 < lowest < highest:
        raise InvalidInput(
            f"{lowest:g} to {highest:g} does not rise; choose a larger strongest level.", field="highest"
        )
    sizes = [float(size) for size in np.geomspace(lowest, highest, levels)]
    if not whole:
        return sizes
    first, last = max(1, round(lowest)), int(highest)
    if last - first + 1 < levels:
        raise InvalidInput(
            f"there are no {levels} whole grey levels from {first} to {last}; ask for fewer levels or a larger "
            "strongest one.",
            field="levels",
        )
    chosen: list[int] = []
    for place, size in enumerate(np.geomspace(first, last, levels)):
        room = last - (levels - 1 - place)  # so many are still needed above it
        chosen.append(min(max(round(float(size)), chosen[-1] + 1 if chosen else first), room))
    return [float(size) for size in chosen]


class Direction:
    """The change from ``original`` to ``displayed``, both uint8 (h, w, 3), to be shown at other sizes."""

    def __init__(self, original: Pixels, displayed: Pixels, *, seed: int) -> None:
        self.original = original
        self.change = displayed.astype(np.float32) - original
        self.thresholds = np.random.default_rng(seed).random(original.shape, dtype=np.float32)

    def scaled(self, factor: float) -> Pixels:
        """The original with ``factor`` times the change, in whole grey levels and within 0 to 255."""
        steps = np.floor(np.abs(self.change) * np.float32(factor) + self.thresholds)
        return np.clip(self.original + np.sign(self.change) * steps, 0, 255).astype(np.uint8)

    def at(self, size: float, norm: str) -> Pixels:
        """The image whose change, measured on its bytes, comes nearest to ``size``.

        Raises:
            InvalidInput: the change cannot be made so large, as its pixels are black or white already.
        """
        low, high = 0.0, 1.0
        while self._size(high, norm) < size:
            low, high = high, 2 * high
            if high > _STRONGEST_SCALE:
                most = self._size(high, norm)
                raise InvalidInput(
                    f"its change can be made no larger than {norm} {most:.3g}, for its pixels are black or white then; "
                    f"{size:.3g} was asked for. Choose a smaller strongest level.",
                    field="highest",
                )
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if self._size(middle, norm) < size else (low, middle)
        nearest = min((low, high), key=lambda factor: abs(self._size(factor, norm) - size))
        return self.scaled(nearest)

    def _size(self, factor: float, norm: str) -> float:
        return norms_of(self.original, self.scaled(factor))[norm]


def ladder(original: Pixels, displayed: Pixels, sizes: Sequence[float], *, norm: str, seed: int) -> list[Pixels]:
    """The change from ``original`` to ``displayed`` at each of ``sizes``, rising in ``norm`` (l1, l2 or linf).

    Raises:
        InvalidInput: nothing is changed, a size cannot be reached, or two levels come out as the same image.
    """
    if (original == displayed).all():
        raise InvalidInput("nothing is changed in it, so that there is no change to scale.", field="attack")
    direction = Direction(original, displayed, seed=seed)
    shown = [direction.at(size, norm) for size in sizes]
    measured = [norms_of(original, pixels)[norm] for pixels in shown]
    for place, (below, above) in enumerate(zip([0.0, *measured], measured), start=1):
        if above <= below:
            raise InvalidInput(
                f"level {place} ({norm} {sizes[place - 1]:.3g}) comes out no larger than the one below it, as a change "
                "is whole grey levels. Ask for fewer levels, or a larger weakest one.",
                field="levels",
            )
    return shown
