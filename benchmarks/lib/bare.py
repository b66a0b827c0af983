"""What a GPU takes with nothing around it: bare training passes, and the bare passes of an attack."""

import contextlib
import time
from collections import defaultdict
from collections.abc import Callable

import torch
from torch import Tensor, nn

from attacks.engine.passes import Passes
from model.learning.network import build_network
from model.learning.prediction import full_precision


def gpu_clock() -> float:
    """Wall seconds once the GPU has finished; on a machine without one, at once."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def bare_loop(arch: str, edge: int, batch: int, device: torch.device) -> Callable[[int], None]:
    """``loop(n)``: n forward and backward passes of one resident batch."""
    network, _ = build_network(arch, init="random", seed=0)
    network.to(device).to(memory_format=torch.channels_last).train()
    images = torch.rand(batch, 3, edge, edge, device=device).contiguous(memory_format=torch.channels_last)
    labels = torch.arange(batch, device=device) % 2

    def loop(count: int) -> None:
        bf16 = device.type == "cuda"
        for _ in range(count):
            with torch.autocast(device.type, torch.bfloat16) if bf16 else contextlib.nullcontext():
                logits = network(images)
            network.zero_grad(set_to_none=True)
            nn.functional.cross_entropy(logits.float(), labels).backward()

    return loop


class Logged(Passes):
    """Passes that remember their batch sizes, so that the bare passes can be made again."""

    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        self.log: list[tuple[str, int]] = []

    def ascend(self, images: Tensor, *given, **named):
        self.log.append(("gradient", len(images)))
        return super().ascend(images, *given, **named)

    def logits(self, images: Tensor) -> Tensor:
        self.log.append(("forward", len(images)))
        return super().logits(images)


def bare_seconds(passes: Logged, images: Tensor, clock: Callable[[], float] = gpu_clock) -> dict[str, float]:
    """The same forward and backward passes at the same batch sizes and precisions, with nothing around them."""
    seconds: dict[str, float] = defaultdict(float)
    for kind, many in passes.log:
        x = images[:many].to(passes.device, torch.float32).div(255).contiguous(memory_format=torch.channels_last)
        begun = clock()
        if kind == "gradient":
            x.requires_grad_(True)
            with passes.precision(rough=True):
                logits = passes._fast(x)
                torch.autograd.grad((logits[:, 1] - logits[:, 0]).sum(), x)
        else:
            with torch.inference_mode(), full_precision():
                passes._judge(x)
        seconds[kind] += clock() - begun
    return seconds
