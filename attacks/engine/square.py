"""Black-box search within a budget: the network is only asked for answers, never for a gradient.

Linf     squares of plus or minus the budget (Andriushchenko et al. 2020, "Square attack", algorithms 1 and 2)
L2, L1   mass moved from one square to another (algorithms 1 and 3; L1 with L1 in place of L2)
L0       a set of pixels in corner colours, part of which is drawn anew (Croce et al. 2022, "Sparse-RS")

A proposal is kept if it brings the best other class nearer. Every one is the displayed image, within its budget, and
every answer a float32 verdict. What is drawn for an image depends on the seed and the image's number alone.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attacks.engine.batches import search_batches
from attacks.engine.constraints import pixel_count
from attacks.engine.ddn import per_image
from attacks.engine.display import shown, to_bytes, within_pixels
from attacks.engine.norms import Norm
from attacks.engine.passes import Passes, gap_of_label
from attacks.engine.results import PerturbationSet
from core.errors import Progress, no_progress

SHARE = 0.8
"""Of the image that the first squares cover."""
_HALVED = (10, 50, 200, 1000, 2000, 4000, 6000, 8000)
"""Queries of ten thousand at which the share is halved."""


class Proposer(Protocol):
    """A batch's random changes. Perturbations are (b, 3, h, w), floats in 0-255 units."""

    delta: Tensor  # the best so far

    def first(self) -> Tensor:
        """The perturbations to begin with."""
        ...

    def next(self, done: float) -> Tensor:
        """The best so far, changed in one place; ``done`` is the share of the queries that is over."""
        ...

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows only."""
        ...


def square(
    passes: Passes,
    images: Tensor,
    labels: Tensor,
    *,
    norm: Norm,
    budget: float,
    queries: int,
    seed: int = 0,
    first: int = 0,
    progress: Progress = no_progress,
) -> PerturbationSet:
    """Attack uint8 images (n, 3, h, w) with classes int64 (n,) by ``queries`` answers each; the rest as ``pgd``."""

    def search(rows: list[int], x: Tensor, y: Tensor, tell: Callable[[], None]) -> tuple[Tensor, Tensor]:
        draws = [np.random.default_rng([seed, 5, first + row]) for row in rows]
        return _search(passes, PROPOSERS[norm](x, budget, draws), x, y, norm, budget, queries, tell)

    settings = {"norm": norm, "budget": budget, "queries": queries, "seed": seed}
    return search_batches(passes, images, labels, search, settings=settings, progress=progress)


def _search(
    passes: Passes,
    proposer: Proposer,
    x: Tensor,
    y: Tensor,
    norm: Norm,
    budget: float,
    queries: int,
    tell: Callable[[], None],
) -> tuple[Tensor, Tensor]:
    """The flipped or nearest proposal of each image, uint8 (b, 3, h, w), and the queries that it took, (b,)."""
    found, steps = to_bytes(x), torch.zeros(len(x), dtype=torch.int64)
    best = torch.full((len(x),), -torch.inf, device=x.device)
    rows = torch.arange(len(x))
    for query in range(queries):
        tell()
        delta = proposer.next(query / queries) if query else proposer.first()
        seen = shown(x, delta, norm, budget)
        gap = gap_of_label(passes.logits(seen), y)
        nearer = gap > best
        proposer.delta = torch.where(per_image(nearer), delta, proposer.delta)
        best = torch.where(nearer, gap, best)
        if nearer.any():
            found[rows[nearer.cpu()]] = to_bytes(seen[nearer])
        steps[rows] = query + 1
        stay = best < passes.margin
        if not stay.any():
            break
        if not stay.all():
            proposer.keep(stay)
            x, y, best, rows = x[stay], y[stay], best[stay], rows[stay.cpu()]
    return found, steps


def share_of(done: float) -> float:
    """The share of the image that a square covers when this share of the queries is over."""
    return SHARE / 2 ** sum(done * 10_000 > at for at in _HALVED)


class _Drawn:
    """What proposers share: the images, the best so far, and a stream of random numbers per image."""

    AHEAD = 256  # queries that are drawn at a time

    def __init__(self, x: Tensor, budget: float, draws: list[np.random.Generator]):
        self.x, self.budget, self.draws = x, budget, draws
        self.delta = torch.zeros_like(x)
        self._numbers: NDArray[np.float32] = np.empty((len(x), 0, 8), dtype=np.float32)
        self._taken = 0

    def numbers(self) -> Tensor:
        """Eight uniform numbers from 0 to 1 of each image's stream, (b, 8)."""
        if self._taken == self._numbers.shape[1]:
            self._numbers = np.stack([draw.random((self.AHEAD, 8), dtype=np.float32) for draw in self.draws])
            self._taken = 0
        self._taken += 1
        return torch.from_numpy(self._numbers[:, self._taken - 1]).to(self.x.device)

    def keep(self, rows: Tensor) -> None:
        self.x, self.delta = self.x[rows], self.delta[rows]
        chosen = rows.cpu().numpy()
        self.draws = [draw for draw, stays in zip(self.draws, chosen) if stays]
        self._numbers = self._numbers[chosen]

    def side(self, done: float) -> int:
        height, width = self.x.shape[2:]
        return min(max(1, round((share_of(done) * height * width) ** 0.5)), min(height, width))


class Squares(_Drawn):
    """Linf: vertical stripes, then squares of one colour, all at the budget."""

    def first(self) -> Tensor:
        width = self.x.shape[3]
        signs = np.stack([draw.choice(np.array([-1, 1], np.float32), size=(3, 1, width)) for draw in self.draws])
        return self.budget * torch.from_numpy(signs).to(self.x.device).expand(self.x.shape)

    def next(self, done: float) -> Tensor:
        u, side = self.numbers(), self.side(done)
        inside = _square(u[:, 0], u[:, 1], side, self.x)  # (b, 1, h, w)
        colour = self.budget * torch.where(u[:, 2:5] < 0.5, -1.0, 1.0)[:, :, None, None]
        return torch.where(inside, colour, self.delta)


class Mass(_Drawn):
    """L2, and L1 in its place: the change of one square is taken away, that of another grows by what it was."""

    def __init__(self, x: Tensor, budget: float, draws: list[np.random.Generator], *, power: int):
        super().__init__(x, budget, draws)
        self.power = power
        self.total = budget**power * x[0].numel()  # what all components may add up to, to the power

    def first(self) -> Tensor:
        """Tiles of a fifth of the image, each with a pattern of its own sign and direction."""
        height, width = self.x.shape[2:]
        side = max(2, min(height, width) // 5)
        delta = torch.zeros_like(self.x)
        for top in range(0, height - side + 1, side):
            for left in range(0, width - side + 1, side):
                u = self.numbers()
                delta[:, :, top : top + side, left : left + side] += self._pattern(u, side)
        amount = per_image(self._mass(delta).sum(1))
        return within_pixels(self.x, delta * (self.total / amount.clamp_min(1e-12)) ** (1 / self.power))

    def next(self, done: float) -> Tensor:
        u, side = self.numbers(), max(2, self.side(done))
        side = min(side, min(self.x.shape[2:]))
        to, frm = (_places(u[:, n], u[:, n + 1], side, self.x) for n in (0, 2))
        delta = self.delta.clone()
        here = delta[to]  # (b, 3, side, side)
        both = _square(u[:, 0], u[:, 1], side, self.x) | _square(u[:, 2], u[:, 3], side, self.x)
        unused = (self.total - self._mass(delta).sum(1)).clamp_min(0) / 3  # (b,), for each channel
        available = (self._mass(delta * both) + unused[:, None]).clamp_min(0)  # (b, 3)
        pattern = self._pattern(u, side)
        length = self._mass(here) ** (1 / self.power)
        new = pattern + here / length.clamp_min(1e-12)[:, :, None, None]
        new = new * ((available / self._mass(new).clamp_min(1e-12)) ** (1 / self.power))[:, :, None, None]
        delta[frm] = 0
        delta[to] = new
        return within_pixels(self.x, delta)

    def _mass(self, delta: Tensor) -> Tensor:
        """The sum of powers in each channel, (b, 3)."""
        return delta.abs().pow(self.power).sum((2, 3))

    def _pattern(self, u: Tensor, side: int) -> Tensor:
        """Two hills side by side, one up and one down, upright or lying, with a sign per channel: unit length."""
        upright = two_hills(side).to(u.device)
        upright = upright / upright.abs().pow(self.power).sum() ** (1 / self.power)
        lying = (u[:, 4] < 0.5)[:, None, None]
        hills = torch.where(lying, upright.T, upright)  # (b, side, side)
        return torch.where(u[:, 5:8] < 0.5, -1.0, 1.0)[:, :, None, None] * hills[:, None]


class Corners(_Drawn):
    """L0: the pixels that the budget allows, black or white in each channel; a falling part of them is drawn anew."""

    RENEWED = 0.3  # of the pixels at first

    def __init__(self, x: Tensor, budget: float, draws: list[np.random.Generator]):
        super().__init__(x, budget, draws)
        self.count = int(pixel_count(budget, x[0, 0].numel(), 1)[0])

    def first(self) -> Tensor:
        delta = torch.zeros_like(self.x).flatten(2)
        for row, draw in enumerate(self.draws):
            where = torch.from_numpy(draw.permutation(delta.shape[2])[: self.count]).to(delta.device)
            delta[row, :, where] = self._colours(row, where, draw)
        return delta.reshape(self.x.shape)

    def next(self, done: float) -> Tensor:
        renewed = min(self.count, max(1, round(self.RENEWED * self.count * share_of(done) / SHARE)))
        delta = self.delta.flatten(2).clone()
        for row, draw in enumerate(self.draws):
            changed = (delta[row] != 0).any(0).nonzero()[:, 0].cpu().numpy()
            gone = draw.permutation(changed)[:renewed]
            free = draw.choice(delta.shape[2], size=2 * self.count + renewed, replace=True)
            fresh = np.setdiff1d(free, changed)[: self.count - len(changed) + len(gone)]
            fresh = draw.permutation(fresh)
            delta[row, :, torch.from_numpy(gone).to(delta.device)] = 0
            where = torch.from_numpy(fresh).to(delta.device)
            delta[row, :, where] = self._colours(row, where, draw)
        return delta.reshape(self.x.shape)

    def _colours(self, row: int, where: Tensor, draw: np.random.Generator) -> Tensor:
        """What takes these pixels to a corner of the colour cube, (3, pixels)."""
        target = 255 * torch.from_numpy(draw.integers(0, 2, size=(3, len(where))).astype(np.float32))
        return target.to(self.x.device) - self.x[row].flatten(1)[:, where]


def _square(top: Tensor, left: Tensor, side: int, like: Tensor) -> Tensor:
    """Mask (b, 1, h, w) of a square whose place two uniform numbers (b,) say."""
    height, width = like.shape[2:]
    first, other = (top * (height - side + 1)).long(), (left * (width - side + 1)).long()
    down, across = torch.arange(height, device=like.device), torch.arange(width, device=like.device)
    rows = (down >= first[:, None]) & (down < first[:, None] + side)  # (b, h)
    columns = (across >= other[:, None]) & (across < other[:, None] + side)
    return (rows[:, :, None] & columns[:, None, :])[:, None]


def _places(top: Tensor, left: Tensor, side: int, like: Tensor) -> tuple[Tensor, ...]:
    """The square of ``_square`` as an index, so that ``delta[places]`` is (b, 3, side, side)."""
    height, width = like.shape[2:]
    along = torch.arange(side, device=like.device)
    rows = (top * (height - side + 1)).long()[:, None] + along
    columns = (left * (width - side + 1)).long()[:, None] + along
    images = torch.arange(len(like), device=like.device)[:, None, None, None]
    channels = torch.arange(3, device=like.device)[None, :, None, None]
    return images, channels, rows[:, None, :, None], columns[:, None, None, :]


def two_hills(side: int) -> Tensor:
    """A hill and a dip side by side, (side, side): steep in the middle, flat at the edge (the paper's eta)."""
    half = side // 2
    return torch.cat([hill(side, half), -hill(side, side - half)], 1)


def hill(height: int, width: int) -> Tensor:
    """Rings of a rectangle, each higher than the one around it by 1 / (n + 1 - k)^2, (height, width)."""
    rings = height // 2
    down, across = torch.arange(height)[:, None], torch.arange(width)[None, :]
    depth = torch.minimum(
        torch.minimum(down, height - 1 - down) * 1.0, torch.minimum(across, width - 1 - across) * height / max(width, 1)
    ).long()
    steps = torch.cumsum(1 / (rings + 1 - torch.arange(rings + 1, dtype=torch.float32)) ** 2, 0)
    return steps[depth.clamp(0, rings)]


PROPOSERS: dict[str, Callable[[Tensor, float, list[np.random.Generator]], Proposer]] = {
    "l0": Corners,
    "l1": lambda x, budget, draws: Mass(x, budget, draws, power=1),
    "l2": lambda x, budget, draws: Mass(x, budget, draws, power=2),
    "linf": Squares,
}
