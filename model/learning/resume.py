"""A training's state after an epoch, in one file: what a killed training goes on from, to the same weights."""

import os
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from core.errors import InvalidInput

STALE = 14 * 24 * 3600
"""Seconds after which a state that nobody went on from is removed: about as large as the weights and twice that."""


def forget_stale(folder: Path) -> int:
    """Remove states, and halves of states, that were written more than ``STALE`` seconds ago; how many there were."""
    old = [path for path in folder.glob("*") if path.is_file() and time.time() - path.stat().st_mtime > STALE]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


class Checkpoint:
    """The file of one training. Its name has to tell all that determines the weights: it is not asked again."""

    def __init__(self, path: Path):
        self.path = path

    def save(self, network: nn.Module, optimiser: torch.optim.Optimizer, draw: torch.Generator, **further: Any) -> None:
        """Write the state after an epoch; a program that is killed meanwhile leaves the one before."""
        state = {
            "network": network.state_dict(),
            "optimiser": optimiser.state_dict(),
            "draw": draw.get_state(),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        half = self.path.with_suffix(f".{os.getpid()}")
        torch.save(state | further, half)
        half.replace(self.path)

    def load(
        self, network: nn.Module, optimiser: torch.optim.Optimizer, draw: torch.Generator, device: torch.device
    ) -> dict[str, Any] | None:
        """Put the stored state in place and return what else was stored; None where there is none, or half of one."""
        if not self.path.exists():
            return None
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception as error:  # a disk that was full: begin again rather than never
            self.forget()
            raise InvalidInput(f"The stored state of this training cannot be read ({error}). Begin again.") from error
        network.load_state_dict(state.pop("network"))
        optimiser.load_state_dict(state.pop("optimiser"))
        draw.set_state(state.pop("draw"))
        torch.set_rng_state(state.pop("random"))
        cuda: list[Tensor] = state.pop("random_cuda")
        if device.type == "cuda" and cuda:
            torch.cuda.set_rng_state_all(cuda)
        return state

    def forget(self) -> None:
        """The training is stored, or its state of no use."""
        self.path.unlink(missing_ok=True)
