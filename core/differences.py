"""The difference of two images, enlarged so that it can be seen: the same in figures and on pages."""

import numpy as np
from numpy.typing import NDArray

REACH = 64
"""Grey levels to which the largest change is brought: well visible, and far from being cut off."""
LARGEST_GAIN = 64


def gain_for(largest: float) -> int:
    """The whole factor that brings a change of so many grey levels to about ``REACH``."""
    return max(1, min(LARGEST_GAIN, int(REACH // max(largest, 1))))


def enlarged(original: NDArray[np.uint8], altered: NDArray[np.uint8], gain: int) -> NDArray[np.uint8]:
    """The signed difference times ``gain`` around mid-grey: grey is unchanged, brighter means added."""
    change = altered.astype(np.int16) - original.astype(np.int16)
    return np.clip(128 + gain * change, 0, 255).astype(np.uint8)
