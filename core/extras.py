"""Optional packages: what needs them, and how to get them. No page imports one to find out whether it is there."""

from dataclasses import dataclass
from importlib.util import find_spec


@dataclass(frozen=True)
class Extra:
    """``module`` is what is imported; ``missing`` says what needs it and how to get it."""

    module: str
    missing: str

    @property
    def installed(self) -> bool:
        return find_spec(self.module) is not None


CVVDP = Extra("pycvvdp", "Predictions of what is seen need the package cvvdp: pip install -r requirements-sight.txt")
