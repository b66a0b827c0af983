"""Guessing whether a step flips an image, so that a cheap forward pass comes before the next gradient."""

from collections import deque

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from attacks.engine.passes import gap_of_label
from attacks.engine.pool import Batch
from attacks.engine.recipe import Loss

TRUST = 0.6
"""Share of the gain promised by the gradient that a step really brings: the first guess of ``Forecast``."""
HOPE = 0.6
"""The quantile of the shares seen so far that is counted on. A verdict in vain costs less than a gradient in vain, so
it is more than a half."""
SEEN = 64
"""Shares that are remembered."""


class Forecast:
    """Whether a step flips an image: its lead now, plus a share of what the gradient promises for the change.

    The lead is the best other class's logit minus the label's: negative while the label wins. The share is learned as
    the attack goes, because it falls with the length of a step; from verdicts, too, or those that flipped would never
    count. A wrong forecast costs a forward pass or an unneeded backward pass, never a wrong verdict, and changes no
    byte.
    """

    def __init__(self, places: int, loss: Loss):
        self.shares, self.trust = deque([TRUST], maxlen=SEEN), TRUST
        self.able = loss == "margin"  # the cross-entropy's gradient is not that of the lead
        self.lead, self.promise = np.zeros(places), np.zeros(places)

    def learn(self, batch: Batch, logits: Tensor) -> None:
        """Compare the leads after a step, from logits (b, classes) on the CPU, with what was promised for it."""
        rows = batch.rows
        lead = gap_of_label(logits, batch.labels).numpy()  # (b,)
        stepped = ~batch.fresh & (self.promise[rows] > 0)
        if self.able and stepped.any():
            brought = (lead - self.lead[rows])[stepped] / self.promise[rows][stepped]
            self.shares.extend(np.clip(brought, 0.05, 1))
            self.trust = float(np.quantile(self.shares, HOPE))
        self.lead[rows], self.promise[rows] = lead, 0

    def flips(self, batch: Batch, gradient: Tensor, change: Tensor) -> NDArray[np.bool_]:
        """Which images, (b,) bool, a ``change`` (b, 3, h, w) of what is seen is expected to flip."""
        self.promise[batch.rows] = (gradient * change).sum((1, 2, 3)).cpu().numpy()
        return self.able & (self.lead[batch.rows] + self.trust * self.promise[batch.rows] > 0)
