"""Guessing whether a step flips an image, so that a cheap forward pass comes before the next gradient."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from attacks.engine.passes import gap_of_label
from attacks.engine.pool import Batch
from attacks.engine.recipe import Loss

TRUST = 0.6
"""Share of the gain promised by the gradient that a step really brings: the first guess of ``Forecast``."""


class Forecast:
    """Whether a step flips an image: its lead now, plus a share of what the gradient promises for the change.

    The lead is the best other class's logit minus the label's: negative while the label wins. The share is learned as
    the attack goes, because it falls with the length of a step. A wrong forecast costs a forward pass or an unneeded
    backward pass, never a wrong verdict, and changes no byte.
    """

    def __init__(self, places: int, loss: Loss):
        self.trust = TRUST
        self.able = loss == "margin"  # the cross-entropy's gradient is not that of the lead
        self.lead, self.promise = np.zeros(places), np.zeros(places)

    def learn(self, batch: Batch, logits: Tensor) -> None:
        """Compare the leads after a step, from logits (b, classes), with what was promised for it."""
        rows = batch.rows
        lead = gap_of_label(logits, batch.y).cpu().numpy()  # (b,)
        stepped = ~batch.fresh & (self.promise[rows] > 0)
        if self.able and stepped.any():
            brought = (lead - self.lead[rows])[stepped] / self.promise[rows][stepped]
            self.trust = 0.7 * self.trust + 0.3 * float(np.clip(np.median(brought), 0.05, 1))
        self.lead[rows] = lead

    def flips(self, batch: Batch, gradient: Tensor, change: Tensor) -> NDArray[np.bool_]:
        """Which images, (b,) bool, a ``change`` (b, 3, h, w) of what is seen is expected to flip."""
        self.promise[batch.rows] = (gradient * change).sum((1, 2, 3)).cpu().numpy()
        return self.able & (self.lead[batch.rows] + self.trust * self.promise[batch.rows] > 0)
