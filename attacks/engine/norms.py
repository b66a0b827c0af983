"""The norms' names and the budgets that they allow. No torch here: pages and requests only speak of norms."""

import math
from typing import Literal, get_args

from core.errors import InvalidInput

Norm = Literal["none", "l0", "l1", "l2", "linf"]
NORMS: tuple[Norm, ...] = get_args(Norm)
MEASURED: tuple[Norm, ...] = ("l0", "l1", "l2", "linf")


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
