"""Perturbations that a person could be shown: attacks on any torch classifier, true on the displayed 8-bit image."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attacks.engine.api import attack
    from attacks.engine.results import PerturbationSet

__all__ = ["PerturbationSet", "attack"]


def __getattr__(name: str) -> Any:
    """Torch comes with the first attack, not with the package: a web process plots curves and never attacks."""
    if name == "attack":
        from attacks.engine.api import attack

        return attack
    if name == "PerturbationSet":
        from attacks.engine.results import PerturbationSet

        return PerturbationSet
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
