"""How a network is asked and understood: what it wants to see, and which of its outputs stand for tumour."""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from core.errors import InvalidInput
from model.learning.imagenet import MEAN, STD


@dataclass(frozen=True)
class Reading:
    """Beside the weights, what has to be known of a network.

    ``mean`` and ``std``: what pixels in [0, 1] are normalised by. ``input_size``: patches are resized to so many pixels
    first (None: as they are). ``outputs``: how many there are. ``positive``: which of more than two stand for tumour;
    with one or two, ``exchanged`` says that the order is the other way round.
    """

    mean: tuple[float, ...] = MEAN
    std: tuple[float, ...] = STD
    input_size: int | None = None
    outputs: int = 2
    positive: tuple[int, ...] = ()
    exchanged: bool = False

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            if len(getattr(self, name)) != 3:
                raise InvalidInput(
                    f"Three numbers, for red, green and blue, not {len(getattr(self, name))}.", field=name
                )
        if min(self.std) <= 0:
            raise InvalidInput("Each of the three must be above 0.", field="std")

    @property
    def plain(self) -> bool:
        """Two outputs, of which the second is for tumour: nothing is to be done with them."""
        return self.outputs == 2 and not self.exchanged and not self.positive

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> "Reading":
        settings = dict(stored)
        for name in ("mean", "std", "positive"):
            if name in stored:
                settings[name] = tuple(stored[name])
        return cls(**settings)

    def two_logits(self, outputs: Tensor) -> Tensor:
        """(n, outputs) -> (n, 2), whose softmax gives no tumour and tumour the probabilities of their classes.

        A single output is the logit of tumour: sigmoid(z) is the softmax of (0, z). Of several classes the
        log-sum-exp of each side is taken.
        """
        if self.positive:
            rest = [one for one in range(self.outputs) if one not in self.positive]
            sides = [outputs[:, list(one)].logsumexp(1) for one in (rest, self.positive)]
            return torch.stack(sides, 1)
        if self.outputs == 1:
            outputs = torch.cat([torch.zeros_like(outputs), outputs], 1)
        return outputs.flip(1) if self.exchanged else outputs


def check_positive(outputs: int, positive: tuple[int, ...]) -> None:
    """InvalidInput unless ``positive`` names some, and not all, of so many outputs; none for one or two."""
    if outputs < 1:
        raise InvalidInput("The network has no output.")
    if outputs > 2 and not positive:
        raise InvalidInput(
            f"The network has {outputs} outputs. Say which of them, counted from 0 to {outputs - 1}, stand for tumour.",
            field="positive",
        )
    if positive and outputs < 2:
        raise InvalidInput("The network has one output: the logit of tumour. Leave this out.", field="positive")
    wrong = [one for one in positive if not 0 <= one < outputs]
    if wrong or len(set(positive)) == outputs:
        what = f"{wrong[0]} is not an output" if wrong else "All outputs stand for tumour"
        raise InvalidInput(f"{what}; there are 0 to {outputs - 1}, and at least one must be left.", field="positive")


class Unwrapped(nn.Module):
    """A body that answers with a tuple, a dict or a token per place, as the plain (n, k) that is asked for."""

    def __init__(self, body: nn.Module):
        super().__init__()
        self.body = body

    def forward(self, images: Tensor) -> Tensor:
        answer = self.body(images)
        if isinstance(answer, dict):
            answer = answer["logits"] if "logits" in answer else next(iter(answer.values()))
        if isinstance(answer, (tuple, list)):
            answer = answer[0]
        if answer.ndim == 3:  # tokens: the first is the class's
            answer = answer[:, 0]
        if answer.ndim == 4:  # a map of features
            answer = answer.mean((2, 3))
        return answer[:, None] if answer.ndim == 1 else answer
