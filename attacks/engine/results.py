"""What an attack hands back: the displayed bytes of every image, both verdicts, and what they cost."""

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from attacks.engine.constraints import displayed_norms
from attacks.engine.norms import MEASURED
from attacks.engine.passes import Passes, lost, reached


@dataclass(frozen=True)
class PerturbationSet:
    """The perturbations of n images, in the order in which the images were given.

    An image whose label the network gets wrong already is reported (``already_wrong``) and not attacked: its displayed
    bytes are the original's. ``flipped`` is the verdict of a fresh float32 forward pass of the network as it was
    given, on ``displayed``; it implies ``not already_wrong``.
    """

    displayed: Tensor  # uint8 (n, 3, h, w), on the CPU
    labels: NDArray[np.int64]  # (n,) the reference class of each image
    already_wrong: NDArray[np.bool_]  # (n,)
    flipped_float: NDArray[np.bool_]  # (n,) fooled by the perturbation before rounding
    flipped: NDArray[np.bool_]  # (n,) fooled by the displayed bytes
    reached: NDArray[np.bool_]  # (n,) flipped, and with the confidence that was asked for
    before: NDArray[np.float32]  # (n, classes) probabilities of the original
    after: NDArray[np.float32]  # (n, classes) probabilities of the displayed bytes
    steps: NDArray[np.int64]  # (n,) perturbation steps taken
    norms: dict[str, NDArray[np.float64]]  # l0, l1, l2, linf of the displayed bytes, each (n,), 0-255 units
    settings: dict[str, Any] = field(default_factory=dict)  # everything that determines the bytes, seed included
    margin: float = 0.0  # the lead in logits that a verdict needed
    warnings: list[dict[str, str]] = field(default_factory=list)  # name, text: see ``attacks.engine.masking``
    passes: dict[str, int] = field(default_factory=dict)  # image passes: forward + backward, forward only
    seconds: float = 0.0

    @classmethod
    def of_whole_numbers(
        cls,
        passes: Passes,
        images: Tensor,
        displayed: Tensor,
        labels: Tensor,
        *,
        before: Tensor,
        started: float,
        confidence: float = 0.0,
        **further: Any,
    ) -> "PerturbationSet":
        """What was made of whole numbers, so that the displayed image is the one that was looked for; judged here.

        ``before`` are the logits (n, classes) of ``images``; both pictures are uint8 (n, 3, h, w). ``started`` is when
        the work began, by ``time.perf_counter``; ``further`` are ``steps`` and ``settings``.
        """
        after = passes.judge(displayed)
        wrong = before.argmax(1) != labels
        flipped = (lost(after, labels, passes.margin) & ~wrong).numpy()
        return cls(
            displayed=displayed,
            labels=labels.numpy(),
            already_wrong=wrong.numpy(),
            flipped_float=flipped,
            flipped=flipped,
            reached=reached(after, labels, confidence, passes.margin).numpy() & flipped,
            before=before.softmax(1).numpy(),
            after=after.softmax(1).numpy(),
            norms=displayed_norms(images, displayed, device=passes.device),
            margin=passes.margin,
            passes=dict(passes.count),
            seconds=time.perf_counter() - started,
            **further,
        )

    def __len__(self) -> int:
        return len(self.labels)

    def table(self) -> pd.DataFrame:
        """One row per image: verdicts, probability of the reference label before and after, steps, norms."""
        rows = np.arange(len(self))
        return pd.DataFrame(
            {
                "label": self.labels,
                "already_wrong": self.already_wrong,
                "flipped_float": self.flipped_float,
                "flipped": self.flipped,
                "reached": self.reached,
                "prob_label_before": self.before[rows, self.labels],
                "prob_label_after": self.after[rows, self.labels],
                "steps": self.steps,
            }
            | self.norms
        )

    def summary(self) -> dict[str, Any]:
        """Counts, and the norms (mean, median, largest) of the flipped, on displayed bytes."""
        norms: dict[str, Any] = {}
        for name in MEASURED:
            values = self.norms[name][self.flipped]
            norms[name] = (
                {"mean": float(values.mean()), "median": float(np.median(values)), "max": float(values.max())}
                if len(values)
                else None
            )
        return {
            "images": len(self),
            "attacked": int((~self.already_wrong).sum()),
            "already_wrong": int(self.already_wrong.sum()),
            "flipped_float": int(self.flipped_float.sum()),
            "flipped": int(self.flipped.sum()),
            "reached": int(self.reached.sum()),
            "norms_of_flipped": norms,
            "mean_steps": float(self.steps[~self.already_wrong].mean()) if (~self.already_wrong).any() else 0.0,
            "margin": self.margin,
            "warnings": list(self.warnings),
            "passes": dict(self.passes),
            "seconds": self.seconds,
        }
