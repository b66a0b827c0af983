"""Perturbations that a person could be shown: attacks on any torch classifier, true on the displayed 8-bit image."""

from attacks.engine.api import attack
from attacks.engine.results import PerturbationSet

__all__ = ["PerturbationSet", "attack"]
