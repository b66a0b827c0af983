"""How much of a change a viewer is predicted to see on a given display: ColorVideoVDP, an optional extra.

cvvdp (Mantiuk et al., ACM Transactions on Graphics 43(4):129, 2024; MIT) models contrast sensitivity, masking and
colour at a size on the retina. It says quality in just-objectionable differences, 10 for no visible change.
"""

from functools import lru_cache
from typing import Any

import numpy as np

from core.extras import CVVDP

BEST = 10.0
"""Quality of two images that nobody can tell apart."""
DISPLAY = "standard_fhd"
"""Of cvvdp: sRGB, 200 cd/m2 at most, contrast 1000, office light of 250 lux. Only the size is known of a reader's."""


def lost_quality(original: np.ndarray, shown: np.ndarray, pixels_per_degree: float) -> float:
    """10 - JOD of two images uint8 (h, w, 3) whose pixels are shown so small; 0: no change is predicted to be seen.

    Raises:
        InvalidInput: cvvdp is not installed.
    """
    metric = _metric(pixels_per_degree)
    quality, _ = metric.predict(shown, original, dim_order="HWC")
    return max(0.0, BEST - float(quality))


@lru_cache(maxsize=8)
def _metric(pixels_per_degree: float) -> Any:
    import torch

    (pycvvdp,) = CVVDP.load()

    geometry = pycvvdp.vvdp_display_geometry([1920, 1080], ppd=pixels_per_degree)
    return pycvvdp.cvvdp(display_name=DISPLAY, display_geometry=geometry, device=torch.device("cpu"), quiet=True)
