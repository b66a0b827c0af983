"""What a network answers: float32 probabilities by a float32 forward pass."""

import contextlib
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from core.errors import InvalidInput, Progress, no_progress


def predict(
    network: nn.Module,
    images: NDArray[np.uint8],
    *,
    device: str | torch.device | None = None,
    batch_size: int = 0,
    progress: Progress = no_progress,
) -> NDArray[np.float32]:
    """P(tumour) of each uint8 image (n, h, w, 3), float32 (n,), by a float32 forward pass in evaluation mode."""
    where = torch.device(device) if device else next(network.parameters()).device
    size = batch_size or (256 if where.type == "cuda" else 16)
    was_training = network.training
    network.to(where).eval()
    answers = np.empty(len(images), dtype=np.float32)
    with torch.inference_mode(), full_precision():
        for start in range(0, len(images), size):
            batch = torch.from_numpy(np.ascontiguousarray(images[start : start + size])).to(where)
            logits = network(batch.permute(0, 3, 1, 2).float() / 255).float()
            if not torch.isfinite(logits).all():
                network.train(was_training)
                number = start + int((~torch.isfinite(logits)).any(1).nonzero()[0])
                raise InvalidInput(
                    f"The network answers image {number} of {len(images)} (from 0) with values that are not finite. "
                    "Leave the image out of the data set, or mend the network."
                )
            answers[start : start + size] = logits.softmax(1)[:, 1].cpu().numpy()
            progress(min(start + size, len(images)), len(images))
    network.train(was_training)
    return answers


@contextlib.contextmanager
def full_precision() -> Iterator[None]:
    """float32 means float32: no TF32 in CUDA's convolutions and matrix products, deterministic kernels."""
    matmul = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = matmul
