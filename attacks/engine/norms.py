"""The norms' names. They stand apart from their computation, which needs torch, for pages that only speak of them."""

from typing import Literal, get_args

Norm = Literal["none", "l0", "l1", "l2", "linf"]
NORMS: tuple[Norm, ...] = get_args(Norm)
MEASURED: tuple[Norm, ...] = ("l0", "l1", "l2", "linf")
