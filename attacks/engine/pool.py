"""Images under attack: a fixed number of places, refilled from a queue so that every pass is full to the end.

An image that is done gives its place to the next one in the queue at once; what is computed per image is the same
whoever sits beside it. Tensors stay on the device, the bookkeeping (who waits for what) on the CPU.
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
        shape = (min(self.places, len(self.images)), *self.images.shape[1:])
        # Channels last, as the gradients come: arithmetic between two memory formats takes three times as long.
        zeros = torch.zeros(shape, device=self.device).contiguous(memory_format=torch.channels_last)
        self.x = zeros  # the original, 0-255 units
        self.delta = zeros.clone()  # the float perturbation
        self.seen = zeros.clone()  # the image that the network is asked about
        self.y = torch.zeros(shape[0], dtype=torch.int64, device=self.device)
        self.index = np.full(shape[0], -1)
        self.steps = np.zeros(shape[0], dtype=np.int64)
        self.suspect = np.zeros(shape[0], dtype=bool)  # waits for a verdict rather than for a gradient
        self.judged = np.zeros(shape[0], dtype=bool)  # has had a verdict on the image as it is
        self._next = 0

    @property
    def busy(self) -> bool:
        return bool((self.index >= 0).any()) or self._next < len(self.images)

    def refill(self) -> Rows:
        """Put the next images of the queue into the empty places; the rows filled."""
        rows = np.flatnonzero(self.index < 0)[: len(self.images) - self._next]
        if len(rows):
            coming = slice(self._next, self._next + len(rows))
            place = self.place(rows)
            self.x[place] = self.images[coming].to(self.device, torch.float32)
            self.seen[place] = self.x[place]
            self.delta[place] = 0
            self.y[place] = self.labels[coming].to(self.device)
            self.index[rows] = np.arange(coming.start, coming.stop)
            self.steps[rows] = 0
            self.suspect[rows] = self.judged[rows] = False
            self._next = coming.stop
        return rows

    def place(self, rows: Rows) -> Tensor:
        """Rows as an index into the tensors."""
        return torch.from_numpy(rows).to(self.device)

    def suspects(self, enough: int) -> Rows:
        """Up to ``enough`` rows that wait for a verdict: none before that many do or nobody else is there."""
        rows = np.flatnonzero((self.index >= 0) & self.suspect)
        others = len(np.flatnonzero(self.index >= 0)) - len(rows)
        return rows[:enough] if len(rows) >= enough or not others else rows[:0]

    def waiting(self, most: int) -> Rows:
        """Up to ``most`` rows that wait for a gradient."""
        return np.flatnonzero((self.index >= 0) & ~self.suspect)[:most]

    def release(self, rows: Rows) -> None:
        """These images are done."""
        self.index[rows] = -1
