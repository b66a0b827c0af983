"""Images under attack: a fixed number of places, refilled from a queue so that every pass is full to the end.

An image that is done gives its place to the next one in the queue at once; what is computed per image is the same
whatever stands beside it. Tensors stay on the device, the bookkeeping (who waits for what) on the CPU.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Rows = NDArray[np.int64]


@dataclass
class Pool:
    """``places`` images in progress. Public arrays have one entry per place; ``index`` is -1 in an empty one."""

    images: Tensor  # uint8 (n, 3, h, w): the queue
    labels: Tensor  # int64 (n,)
    places: int
    device: torch.device

    def __post_init__(self) -> None:
        self.places = min(self.places, len(self.images))
        shape = (self.places, *self.images.shape[1:])
        # Channels last, as the gradients come: arithmetic between two memory formats takes three times as long.
        zeros = torch.zeros(shape, device=self.device).contiguous(memory_format=torch.channels_last)
        self.x = zeros  # the original, 0-255 units
        self.delta = zeros.clone()  # the float perturbation
        self.seen = zeros.clone()  # the image that the network is asked about
        self.y = torch.zeros(self.places, dtype=torch.int64, device=self.device)
        self.index = np.full(self.places, -1)
        self.steps = np.zeros(self.places, dtype=np.int64)
        self.suspect = np.zeros(self.places, dtype=bool)  # waits for a verdict rather than for a gradient
        self.judged = np.zeros(self.places, dtype=bool)  # has had a verdict on the image as it is
        self._next = 0

    @property
    def busy(self) -> bool:
        return bool((self.index >= 0).any()) or self._next < len(self.images)

    def refill(self) -> "Batch":
        """Put the next images of the queue into the empty places; these images."""
        batch = Batch(self, np.flatnonzero(self.index < 0)[: len(self.images) - self._next])
        if batch:
            coming = slice(self._next, self._next + len(batch))
            images = self.images[coming].to(self.device, non_blocking=True)  # bytes travel as bytes
            self.x[batch.place] = images.to(torch.float32)
            self.seen[batch.place] = self.x[batch.place]
            self.delta[batch.place] = 0
            self.y[batch.place] = self.labels[coming].to(self.device, non_blocking=True)
            self.index[batch.rows] = np.arange(coming.start, coming.stop)
            self.steps[batch.rows] = 0
            self.suspect[batch.rows] = self.judged[batch.rows] = False
            self._next = coming.stop
        return batch

    def suspects(self, enough: int) -> "Batch":
        """Up to ``enough`` that wait for a verdict: none before that many do or nobody else is there."""
        rows = np.flatnonzero((self.index >= 0) & self.suspect)
        others = len(np.flatnonzero(self.index >= 0)) - len(rows)
        return Batch(self, rows[:enough] if len(rows) >= enough or not others else rows[:0])

    def waiting(self, most: int) -> "Batch":
        """Up to ``most`` that wait for a gradient."""
        return Batch(self, np.flatnonzero((self.index >= 0) & ~self.suspect)[:most])

    def release(self, rows: Rows) -> None:
        """These images are done."""
        self.index[rows] = -1


class Batch:
    """Some images of the pool, by their ``rows`` (b,) in rising order. Its tensors are what the pool holds at the
    moment, not copied where the rows are side by side: they are not written to."""

    def __init__(self, pool: Pool, rows: Rows):
        self.pool, self.rows = pool, rows
        # The rows as an index into the pool's tensors. A GPU is not waited for: what it is given is never read back.
        self.place = torch.from_numpy(rows).to(pool.device, non_blocking=True)

    def __len__(self) -> int:
        return len(self.rows)

    def only(self, chosen: NDArray[np.bool_]) -> "Batch":
        """Those of them that are ``chosen``, (b,) bool."""
        return Batch(self.pool, self.rows[chosen])

    @property
    def x(self) -> Tensor:
        """The originals, (b, 3, h, w), 0-255 units."""
        return self._of(self.pool.x)

    @property
    def y(self) -> Tensor:
        """The reference classes, (b,)."""
        return self._of(self.pool.y)

    @property
    def labels(self) -> Tensor:
        """The reference classes, (b,), on the CPU."""
        return self.pool.labels[self.index]

    @property
    def delta(self) -> Tensor:
        """The float perturbations, (b, 3, h, w)."""
        return self._of(self.pool.delta)

    @property
    def seen(self) -> Tensor:
        """The images that the network is asked about, (b, 3, h, w)."""
        return self._of(self.pool.seen)

    def _of(self, held: Tensor) -> Tensor:
        if len(self.rows) and self.rows[-1] - self.rows[0] == len(self.rows) - 1:
            return held[self.rows[0] : self.rows[-1] + 1]
        return held[self.place]

    @property
    def index(self) -> Rows:
        """The images' numbers in the queue, (b,)."""
        return self.pool.index[self.rows]

    @property
    def steps(self) -> NDArray[np.int64]:
        """Steps taken, (b,)."""
        return self.pool.steps[self.rows]

    @property
    def fresh(self) -> NDArray[np.bool_]:
        """Still as they came, (b,) bool."""
        return self.steps == 0

    @property
    def judged(self) -> NDArray[np.bool_]:
        """Has had a verdict on the image as it is, (b,) bool."""
        return self.pool.judged[self.rows]
