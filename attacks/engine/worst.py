"""Natural changes at their worst: of all that a lab's scanners and stains may do, what the classifier minds most.

A change has parameters, each with a bound. Where it is differentiable its parameters climb the margin's gradient (the
gradient at the displayed image, handed through the change to its parameters); otherwise candidates are tried. What
counts is the displayed image: whole grey levels, judged by a float32 pass.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn
from torchvision.transforms.v2 import functional as vision

from attacks.engine.passes import Passes, gap_of_label
from core.errors import InvalidInput
from model.learning.staining import RUIFROK, Vectors, stained

Bound = tuple[float, float]


@dataclass(frozen=True)
class Worst:
    """What became of images under one change: displayed bytes uint8 (n, 3, h, w), the lead of another class (n,)."""

    displayed: Tensor
    gap: Tensor


# --- The changes ------------------------------------------------------------------------------------------------------


def stain(x: Tensor, theta: Tensor, vectors: Vectors = RUIFROK) -> Tensor:
    """Gains of haematoxylin, eosin and the rest, and shifts of their optical densities: theta (n, 6)."""
    return stained(x, theta[:, :3], theta[:, 3:], vectors)


def tone(x: Tensor, theta: Tensor) -> Tensor:
    """Brightness (a factor), contrast (about the image's mean) and gamma: theta (n, 3)."""
    light, contrast, gamma = (theta[:, place].reshape(-1, 1, 1, 1) for place in range(3))
    middle = x.mean((1, 2, 3), keepdim=True)
    bright = (middle + contrast * (x - middle)) * light
    return 255 * (bright / 255).clamp(1e-4, 1) ** gamma


def blur(x: Tensor, theta: Tensor) -> Tensor:
    """Gaussian blur of theta (n, 1) pixels, as out of focus."""
    reach = torch.arange(-RADIUS, RADIUS + 1, device=x.device, dtype=x.dtype)
    weights = torch.softmax(-(reach**2) / (2 * theta.clamp_min(0.05) ** 2), 1)  # (n, 2 r + 1)
    n, channels, height, width = x.shape
    flat = nn.functional.pad(x, [RADIUS] * 4, mode="reflect").reshape(1, n * channels, *_padded(height, width))
    kernel = weights.repeat_interleave(channels, 0)
    down = nn.functional.conv2d(flat, kernel[:, None, :, None], groups=n * channels)
    return nn.functional.conv2d(down, kernel[:, None, None, :], groups=n * channels).reshape(x.shape)


RADIUS = 6
"""Pixels to each side that a blur reaches; sigma 2 and less fit."""


def _padded(height: int, width: int) -> tuple[int, int]:
    return height + 2 * RADIUS, width + 2 * RADIUS


def place(x: Tensor, theta: Tensor) -> Tensor:
    """Shifts in x and y (pixels, fractions too) and a turn (degrees) about the middle: theta (n, 3)."""
    _, _, height, width = x.shape
    return _moved(x, 2 * theta[:, 0] / width, 2 * theta[:, 1] / height, turn=theta[:, 2])


def rotation(x: Tensor, theta: Tensor) -> Tensor:
    """A turn by any angle (degrees) about the middle: theta (n, 1)."""
    nothing = torch.zeros_like(theta[:, 0])
    return _moved(x, nothing, nothing, turn=theta[:, 0])


def zoom(x: Tensor, theta: Tensor) -> Tensor:
    """Enlarged about the middle by theta (n, 1); what lies outside when it is below 1 is mirrored."""
    nothing = torch.zeros_like(theta[:, 0])
    return _moved(x, nothing, nothing, seen=1 / theta[:, 0])


def crop(x: Tensor, theta: Tensor) -> Tensor:
    """A square of this share of the side, enlarged to the whole: theta (n, 3), its share and where it lies in x and y,
    from -1 (left, top) to 1 (right, bottom)."""
    free = 1 - theta[:, 0]
    return _moved(x, theta[:, 1] * free, theta[:, 2] * free, seen=theta[:, 0])


def _moved(x: Tensor, right: Tensor, down: Tensor, *, turn: Tensor | None = None, seen: Tensor | None = None) -> Tensor:
    """Looked at from elsewhere: (n,) in half sides to the right and down, degrees, share of the side that is seen."""
    nothing = torch.zeros_like(right)
    angle, part = (nothing if turn is None else turn * torch.pi / 180), (nothing + 1 if seen is None else seen)
    rows = [
        torch.stack([part * angle.cos(), -part * angle.sin(), right], 1),
        torch.stack([part * angle.sin(), part * angle.cos(), down], 1),
    ]
    grid = nn.functional.affine_grid(torch.stack(rows, 1), list(x.shape), align_corners=False)
    return nn.functional.grid_sample(x, grid, padding_mode="reflection", align_corners=False)


def jpeg(x: Tensor, theta: Tensor) -> Tensor:
    """JPEG of quality theta (n, 1)."""
    shown = x.round().clamp(0, 255).to(torch.uint8).cpu()
    parts = [vision.jpeg(one, int(quality)) for one, quality in zip(shown, theta[:, 0].round().tolist())]
    return torch.stack(parts).to(x.device, x.dtype)


def resample(x: Tensor, theta: Tensor) -> Tensor:
    """Scaled by theta (n, 1) and back again, as between microscopes."""
    parts = []
    for one, scale in zip(x.split(1), theta[:, 0].tolist()):
        small = [max(1, round(side * scale)) for side in one.shape[2:]]
        there = nn.functional.interpolate(one, size=small, mode="bilinear", antialias=True)
        parts.append(nn.functional.interpolate(there, size=one.shape[2:], mode="bicubic", antialias=True))
    return torch.cat(parts)


def flip(x: Tensor, theta: Tensor) -> Tensor:
    """One of the eight symmetries of the square: theta (n, 1) from 0 to 7."""
    parts = []
    for one, which in zip(x.split(1), theta[:, 0].long().tolist()):
        turned = one.rot90(which % 4, (2, 3))
        parts.append(turned.flip(3) if which >= 4 else turned)
    return torch.cat(parts)


def noise(x: Tensor, theta: Tensor) -> Tensor:
    """Gaussian noise: theta (n, 2) is its SD in grey levels and its draw."""
    parts = []
    for one, (sigma, number) in zip(x.split(1), theta.tolist()):
        draw = torch.Generator().manual_seed(int(number))
        parts.append(one + sigma * torch.randn(one.shape, generator=draw).to(x.device))
    return torch.cat(parts)


@dataclass(frozen=True)
class Change:
    """A change with the names and default bounds of its parameters, and the values at which it does nothing.

    ``climbs``: by gradient; else ``tries`` candidates between the bounds are looked at.
    """

    name: str
    apply: Callable[[Tensor, Tensor], Tensor]
    bounds: Mapping[str, Bound]
    nothing: tuple[float, ...]
    climbs: bool
    tries: int = 8


CHANGES = {
    change.name: change
    for change in (
        Change(
            "stain",
            stain,
            {
                **{f"{name} gain": (0.9, 1.1) for name in ("haematoxylin", "eosin", "residual")},
                **{f"{name} shift": (-0.02, 0.02) for name in ("haematoxylin", "eosin", "residual")},
            },
            (1, 1, 1, 0, 0, 0),
            True,
        ),
        Change("tone", tone, {"brightness": (0.9, 1.1), "contrast": (0.9, 1.1), "gamma": (0.9, 1.1)}, (1, 1, 1), True),
        Change("blur", blur, {"blur": (0.05, 1.0)}, (0.05,), True),
        Change("place", place, {"shift x": (-2, 2), "shift y": (-2, 2), "rotation": (-5, 5)}, (0, 0, 0), True),
        Change("rotation", rotation, {"angle": (-45, 45)}, (0,), True),
        Change("zoom", zoom, {"zoom": (0.8, 1.25)}, (1,), True),
        Change("crop", crop, {"crop": (0.8, 1), "crop x": (-1, 1), "crop y": (-1, 1)}, (1, 0, 0), True),
        Change("jpeg", jpeg, {"jpeg": (60, 95)}, (95,), False, 6),
        Change("resample", resample, {"resample": (0.5, 1.0)}, (1,), False, 6),
        Change("flip", flip, {"flip": (0, 7)}, (0,), False, 8),
        Change("noise", noise, {"noise": (0, 4), "draw": (0, 2**31 - 1)}, (0, 0), False, 8),
    )
}
"""Every change. Their bounds are those of ``settled_bounds`` where the data set's slides have been measured."""


LIMITS: dict[str, Bound] = {
    "blur": (0, 2),
    "jpeg": (1, 100),
    "resample": (0.02, 1),
    "zoom": (0.1, 10),
    "crop": (0.1, 1),
    "crop x": (-1, 1),
    "crop y": (-1, 1),
    "angle": (-180, 180),
    "gamma": (0.05, 20),
    "noise": (0, 255),
}
"""What a bound may be set to, where not every number makes sense."""


def chosen_changes(names: list[str] | None = None, vectors: Vectors = RUIFROK) -> list[Change]:
    """Those named, or all; InvalidInput for an unknown one. ``vectors``: the densities of the stains."""
    unknown = [name for name in names or [] if name not in CHANGES]
    if unknown:
        raise InvalidInput(f"There is no change {unknown[0]!r}; there are {', '.join(CHANGES)}.", field="kinds")
    found = [change for name, change in CHANGES.items() if not names or name in names]
    own = partial(stain, vectors=vectors)
    return [replace(change, apply=own) if change.name == "stain" else change for change in found]


def given_bounds(texts: list[str]) -> dict[str, Bound]:
    """Bounds as they are typed, "blur=0.1..0.8" or "eosin gain=0.8..1.2"; InvalidInput names what is wrong."""
    known = {name: limits for change in CHANGES.values() for name, limits in change.bounds.items() if name != "draw"}
    found = {}
    for text in texts:
        name, _, values = text.partition("=")
        name = name.strip().replace("_", " ")
        if name not in known:
            raise InvalidInput(f"There is no bound {name!r}; there are {', '.join(known)}.", field="bounds")
        try:
            low, high = (float(part) for part in values.split(".."))
        except ValueError:
            raise InvalidInput(f"{text!r}: two numbers expected, such as {name}=0.9..1.1.", field="bounds") from None
        least, most = LIMITS.get(name, (-float("inf"), float("inf")))
        if not least <= low <= high <= most or not math.isfinite(low + high):
            raise InvalidInput(f"{text!r} is out of range, or its numbers are the wrong way round.", field="bounds")
        found[name] = (low, high)
    return found


# --- Their worst ------------------------------------------------------------------------------------------------------


def limits_of(change: Change, bounds: Mapping[str, Bound], count: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The lowest and highest parameters, each (count, k)."""
    pairs = [bounds.get(name, limits) for name, limits in change.bounds.items()]
    low, high = (torch.tensor(side, dtype=torch.float64).to(device, torch.float32) for side in zip(*pairs))
    return low.repeat(count, 1), high.repeat(count, 1)


def drawn(change: Change, low: Tensor, high: Tensor, draw: torch.Generator) -> Tensor:
    """Parameters drawn evenly between their bounds."""
    theta = low + (high - low) * torch.rand(low.shape, generator=draw).to(low.device)
    return theta.round() if change.name in ("flip", "jpeg") else theta


def at_random(passes: Passes, change: Change, x: Tensor, y: Tensor, bounds: Mapping[str, Bound], seed: int) -> Worst:
    """One draw per image x, floats (b, 3, h, w) in 0-255, of classes y, (b,)."""
    low, high = limits_of(change, bounds, len(x), x.device)
    shown = _shown(change.apply(x, drawn(change, low, high, torch.Generator().manual_seed(seed))))
    return Worst(shown.to(torch.uint8).cpu(), gap_of_label(passes.logits(shown), y).cpu())


def at_worst(
    passes: Passes, change: Change, x: Tensor, y: Tensor, bounds: Mapping[str, Bound], seed: int, *, steps: int = 10
) -> Worst:
    """The parameters within the bounds that lead furthest from the class, as far as they are found."""
    low, high = limits_of(change, bounds, len(x), x.device)
    best = Best(x, torch.full((len(x),), -torch.inf, device=x.device))
    draw = torch.Generator().manual_seed(seed)
    if not change.climbs:
        for number in range(change.tries):
            theta = _candidate(change, low, high, number, draw)
            best.take(*_asked(passes, change, x, y, theta))
        return best.result()
    for start in range(2):
        nothing = torch.tensor(change.nothing, dtype=torch.float32, device=x.device).repeat(len(x), 1)
        theta = nothing.clamp(low, high) if not start else drawn(change, low, high, draw)
        _climb(passes, change, x, y, theta, low, high, steps, best)
    return best.result()


class Best:
    """The furthest so far of each image."""

    def __init__(self, x: Tensor, gap: Tensor):
        self.shown, self.gap = x.clone(), gap

    def take(self, shown: Tensor, gap: Tensor) -> None:
        further = gap > self.gap
        self.shown[further], self.gap[further] = shown[further], gap[further]

    def result(self) -> Worst:
        return Worst(self.shown.to(torch.uint8).cpu(), self.gap.cpu())


def _climb(
    passes: Passes,
    change: Change,
    x: Tensor,
    y: Tensor,
    theta: Tensor,
    low: Tensor,
    high: Tensor,
    steps: int,
    best: Best,
) -> None:
    """Sign steps of the parameters, of half their width at first and a twentieth at last."""
    for step in range(steps + 1):
        theta = theta.detach().requires_grad_(True)
        with torch.enable_grad():
            changed = change.apply(x, theta)
        shown = _shown(changed.detach())
        logits, gradient = passes.ascend(shown, y)
        best.take(shown, gap_of_label(logits, y))
        if step == steps:
            return
        (slope,) = torch.autograd.grad(changed, theta, gradient)
        width = (high - low) * (0.5 * 0.1 ** (step / max(1, steps - 1)))
        theta = torch.minimum(torch.maximum(theta.detach() + width * slope.sign(), low), high)


def _candidate(change: Change, low: Tensor, high: Tensor, number: int, draw: torch.Generator) -> Tensor:
    """The parameters of try ``number``: the corners and steps between them; of noise, its strongest, other draws."""
    share = number / max(1, change.tries - 1)
    theta = low + (high - low) * share
    if change.name == "noise":
        theta = torch.cat([high[:, :1], drawn(change, low, high, draw)[:, 1:]], 1)
    return theta.round() if change.name in ("flip", "jpeg") else theta


def _asked(passes: Passes, change: Change, x: Tensor, y: Tensor, theta: Tensor) -> tuple[Tensor, Tensor]:
    shown = _shown(change.apply(x, theta))
    return shown, gap_of_label(passes.logits(shown), y)


def _shown(changed: Tensor) -> Tensor:
    return changed.round().clamp(0, 255)


# --- Bounds from the data ---------------------------------------------------------------------------------------------


def slide_spread(values: Tensor, groups: list[str], share: float) -> Bound | None:
    """How far groups' means lie from the middle group's, as factors at the quantiles ``share`` and 1 - ``share``;
    None with fewer than five groups. ``values`` (n,) are of images."""
    names = sorted(set(groups))
    if len(names) < 5 or "" in names:
        return None
    places = torch.tensor([names.index(group) for group in groups])
    means = torch.stack([values[places == place].mean() for place in range(len(names))])
    factors = (means / means.median()).double()
    low, high = torch.quantile(factors, torch.tensor([share, 1 - share], dtype=torch.float64)).tolist()
    return min(low, 1.0), max(high, 1.0)
