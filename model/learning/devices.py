"""Where to compute: a device that was asked for, if it is here, else the best one there is."""

import re

import torch

from core.errors import InvalidInput


def best_device() -> str:
    """CUDA, else Apple's, else the CPU."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def usable_device(name: str | None) -> str:
    """``name``, or the best device where it is None or empty; InvalidInput naming what there is otherwise."""
    if not name:
        return best_device()
    here = ["cpu"]
    if torch.cuda.is_available():
        here += ["cuda", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        here.append("mps")
    if name in here:
        return name
    known = re.fullmatch(r"cpu|mps|cuda(:[0-9]+)?", name)
    what = "is not on this machine" if known else "is not one of cpu, cuda, mps"
    raise InvalidInput(f"{name[:40]} {what}; here there are {', '.join(here)}.", field="device")
