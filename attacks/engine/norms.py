"""The norms' names and the budgets that they allow. No torch here: pages and requests only speak of norms."""

import math
from typing import Literal, get_args

from core.errors import InvalidInput

Norm = Literal["none", "l0", "l1", "l2", "linf"]
NORMS: tuple[Norm, ...] = get_args(Norm)
MEASURED: tuple[Norm, ...] = ("l0", "l1", "l2", "linf")
PERCEPTUAL = ("ciede2000", "ms_ssim_loss")
"""How different two images look (``engine.perceptual``): stored beside the norms, unless nobody measured them yet."""


def check_norm(name: str) -> Norm:
    """The norm of that name, or InvalidInput naming those that exist."""
    for norm in NORMS:
        if norm == name:
            return norm
    raise InvalidInput(f"Norm {name!r} is not one of {', '.join(NORMS)}.")


def check_budget(norm: str, budget: float | None) -> float:
    """The budget as a number (infinity for "none"), or InvalidInput saying what range its norm allows."""
    if check_norm(norm) == "none":
        if budget is not None and not math.isinf(budget):
            raise InvalidInput("An attack without a norm has no budget: leave the budget out, or choose a norm.")
        return math.inf
    if budget is None:
        raise InvalidInput(f"The {norm} attack needs a budget in 0-255 units (for l0: a share of pixels).")
    top = 1.0 if norm == "l0" else 255.0
    if not 0 < budget <= top:
        meaning = "a share of pixels, above 0 and at most 1" if norm == "l0" else "in 0-255 units, above 0, at most 255"
        raise InvalidInput(f"Budget {budget:g} is out of range: a budget for {norm} is {meaning}.")
    return float(budget)


def check_reachable(norm: str, budget: float, height: int, width: int) -> None:
    """InvalidInput if no displayed image of this size can differ from its original within the budget: one grey level
    in one channel of one pixel is the least that can be shown."""
    if norm == "linf" and budget < 1:
        raise InvalidInput(
            f"Budget {budget:g} is below one grey level: no displayed byte could change. Budgets are in 0-255 units: "
            f"{budget:g} of a scale from 0 to 1 is {budget * 255:.3g} here.",
            field="budget",
        )
    values = 3 * height * width
    least = {"l0": 3 / values, "l1": 1 / values, "l2": values**-0.5}.get(norm, 0.0)
    if budget < least * (1 - 1e-9):
        raise InvalidInput(
            f"Budget {budget:g} is too small for {norm} on {width} x {height} pixels: no displayed byte could change. "
            f"One grey level in one channel of one pixel is {least:.3g} already. Budgets are in 0-255 units.",
            field="budget",
        )
