"""Where a class score comes from (section 3.4, Fig. 3), and how much of it lies on the tumour nuclei.

Maps are float32 (n, h, w), not negative, in the score's units per unit of pixel value in [0, 1].
"""

from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.errors import InvalidInput, Progress, no_progress
from model.learning.prediction import full_precision

Method = Literal["gradient", "smoothgrad", "gradcam"]
Maps = NDArray[np.float32]
METHODS = ("gradient", "smoothgrad", "gradcam")


def saliency(
    network: nn.Module,
    images: NDArray[np.uint8],
    classes: NDArray[Any] | int = 1,
    *,
    method: Method = "gradient",
    samples: int = 16,
    noise: float = 0.1,
    seed: int = 0,
    batch_size: int = 16,
    device: str | torch.device | None = None,
    progress: Progress = no_progress,
) -> Maps:
    """Saliency of the logit of ``classes`` (one for all, or (n,)) on uint8 images (n, h, w, 3), float32 (n, h, w).

    gradient    the largest magnitude over the channels of the score's gradient (Simonyan et al. 2013)
    smoothgrad  the mean of that over ``samples`` noisy copies, noise of SD ``noise`` in units of [0, 1] (Smilkov 2017)
    gradcam     channels of the last feature map weighted by their mean gradient, negative parts cut, enlarged to h x w

    Raises InvalidInput for an unknown method and for Grad-CAM on a network without a feature map.
    """
    if method not in METHODS:
        raise InvalidInput(f"{method!r} is not one of {', '.join(METHODS)}.", field="saliency")
    where = torch.device(device) if device else next(network.parameters()).device
    wanted = torch.as_tensor(np.broadcast_to(np.asarray(classes), len(images)).astype(np.int64).copy())
    draw = torch.Generator().manual_seed(seed)
    was_training = network.training
    network.to(where).eval()
    maps = np.empty(images.shape[:3], dtype=np.float32)
    for start in range(0, len(images), batch_size):
        part = slice(start, start + batch_size)
        x = torch.from_numpy(np.ascontiguousarray(images[part])).to(where).permute(0, 3, 1, 2).float() / 255
        target = wanted[part].to(where)
        if method == "gradcam":
            found = _grad_cam(network, x, target)
        elif method == "smoothgrad":
            found = torch.zeros_like(x[:, 0])
            for _ in range(samples):
                jitter = torch.randn(x.shape, generator=draw) * noise
                found += _gradient(network, x + jitter.to(where), target) / samples
        else:
            found = _gradient(network, x, target)
        maps[part] = found.cpu().numpy()
        progress(min(start + batch_size, len(images)), len(images))
    network.train(was_training)
    return maps


def mass_inside(maps: Maps, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Share of each map's total that lies inside its mask, (n, h, w) twice -> (n,); NaN for a map that is all zero."""
    totals = maps.sum((1, 2), dtype=np.float64)
    inside = (maps * masks).sum((1, 2), dtype=np.float64)
    return np.divide(inside, totals, out=np.full(len(maps), np.nan), where=totals > 0)


def mass_shift(
    before: Maps, after: Maps, masks: NDArray[np.bool_], *, seed: int = 0, resamples: int = 10_000
) -> dict[str, Any]:
    """How much saliency leaves the tumour nuclei: mean over patches of the share inside after minus before.

    Takes the patches whose mask holds something and whose maps are not zero. ``low`` and ``high`` are a 95 % bootstrap
    interval over patches, paired within a patch; ``area`` is the mean share of pixels inside, what an aimless map
    would have. ``left`` is the share of patches in which it fell. ``total`` is the median over patches of the whole
    map's total after, as a multiple of before: a map can fade without moving.
    """
    was, now = mass_inside(before, masks), mass_inside(after, masks)
    area = masks.mean((1, 2))
    usable = np.isfinite(was) & np.isfinite(now) & (area > 0)
    change = (now - was)[usable]
    if not len(change):
        raise InvalidInput("No patch has both outlined tumour nuclei and a saliency map; nothing can be said.")
    draw = np.random.default_rng(seed)
    means = np.array([draw.choice(change, len(change)).mean() for _ in range(resamples)])
    low, high = np.quantile(means, [0.025, 0.975])
    return {
        "n": len(change),
        "before": float(was[usable].mean()),
        "after": float(now[usable].mean()),
        "change": float(change.mean()),
        "low": float(low),
        "high": float(high),
        "left": float((change < 0).mean()),
        "area": float(area[usable].mean()),
        "total": float(np.median(after[usable].sum((1, 2)) / before[usable].sum((1, 2)))),
        "seed": seed,
    }


@full_precision()
def _gradient(network: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    """max over channels of |d score / d pixel|, (b, 3, h, w) -> (b, h, w)."""
    pixels = x.detach().requires_grad_(True)
    score = network(pixels).gather(1, target[:, None]).sum()
    (gradient,) = torch.autograd.grad(score, pixels)
    return gradient.abs().amax(1)


@full_precision()
def _grad_cam(network: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    """ReLU of the last spatial feature map, weighted by the mean gradient per channel (Selvaraju et al. 2017)."""
    kept: list[Tensor] = []

    def keep(_: nn.Module, __: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and min(output.shape[2:]) > 1 and output.requires_grad:
            kept.append(output)

    hooks = [module.register_forward_hook(keep) for module in network.modules() if module is not network]
    try:
        score = network(x.detach().requires_grad_(True)).gather(1, target[:, None]).sum()
    finally:
        for hook in hooks:
            hook.remove()
    if not kept:
        raise InvalidInput(
            "Grad-CAM needs a convolutional feature map, and this network has none; choose another method."
        )
    (gradient,) = torch.autograd.grad(score, kept[-1])
    weights = gradient.mean((2, 3), keepdim=True)
    coarse = (weights * kept[-1]).sum(1, keepdim=True).relu()
    return nn.functional.interpolate(coarse, x.shape[2:], mode="bilinear", align_corners=False)[:, 0].detach()
