"""Groups (slides or patients) of patches: whether there are any, and how many carry each class. No scikit-learn."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput

FEW = 5
"""Groups of a class below which what is measured is that of a few patients."""


def grouped(groups: NDArray[Any] | None) -> bool:
    """True if the patches carry groups. All must, or none: a patch without a slide could be of any."""
    if groups is None or len(groups) == 0:
        return False
    named = np.asarray([str(group) != "" for group in groups])
    if named.any() and not named.all():
        raise InvalidInput(f"{int((~named).sum())} of {len(named)} patches have no group; name all or none.")
    return bool(named.all())


def groups_per_class(labels: NDArray[Any], groups: NDArray[Any]) -> dict[str, int]:
    """How many groups have patches of each class; empty without groups."""
    if not grouped(groups):
        return {}
    truth, names = np.asarray(labels).astype(bool), np.asarray(groups).astype(str)
    return {"tumour": len(set(names[truth])), "no_tumour": len(set(names[~truth]))}


def few_groups(counts: dict[str, int], where: str) -> list[str]:
    """A warning where fewer than ``FEW`` groups carry a class of the patches that ``where`` names."""
    few = [
        f"{count} group{'s' * (count != 1)} with{'' if name == 'tumour' else 'out'} tumour"
        for name, count in counts.items()
        if count < FEW
    ]
    if not few:
        return []
    return [f"{where}: only {' and '.join(few)}. What is measured is that of so few slides or patients, not of others."]
