"""Whether a network's answers can be attacked at all: logits, finite, and the same ones each time.

A network that breaks one of these would not fail, but look robust, or fooled: so it is refused with what to do.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from core.errors import InvalidInput

PROBES = 8
"""Images that are asked about more than once."""
REPEATS = 4
_SAME = 1e-3
"""By which two answers to one image may differ, in logits or as a share of the largest: float32 stays far below."""
_ROUND = {"Softmax", "Sigmoid", "Hardsigmoid"}
_PASSED = {
    "Stack", "Cat", "Clone", "View", "Unsqueeze", "Squeeze", "Rsub", "Sub", "Add", "Mul", "Div", "Clamp", "Permute",
    "T", "Transpose", "Reshape", "UnsafeView", "Slice", "Select", "Index", "Expand", "ToCopy", "Neg", "Exp", "Alias",
}  # fmt: skip

PROBABILITIES = (
    "The network answers with probabilities, not logits: {why}. Their gradient vanishes where the network is sure, so "
    "that it would look robust without being so. Leave its last layer (softmax or sigmoid) out: "
    "nn.Sequential(*list(net)[:-1]), or a forward() that returns what enters it."
)


def check_answer(out: Any, count: int = 1) -> Tensor:
    """``out`` of ``count`` images if it is logits (count, classes) of two classes or more, else InvalidInput."""
    if not isinstance(out, Tensor):
        what = type(out).__name__
        if isinstance(out, dict) or hasattr(out, "logits"):
            names = list(out) if isinstance(out, dict) else ["logits"]
            take, what = (
                f"[{names[0]!r}]" if isinstance(out, dict) and names else ".logits",
                f"a {what} of {', '.join(map(str, names[:5])) or 'nothing'}",
            )
        else:
            take, what = "[0]" if isinstance(out, (tuple, list)) else "...", f"a {what}"
        raise InvalidInput(
            f"The network answers with {what}; an attack needs a tensor of logits (n, classes). Wrap it: a module "
            f"whose forward(x) returns net(x){take}."
        )
    if out.ndim != 2 or len(out) != count or out.shape[1] < 2:
        raise InvalidInput(
            f"The network answers with shape {tuple(out.shape)} for {count} image{'s' * (count > 1)}; an attack needs "
            f"({count}, classes) with two classes or more. Give a single output a second one: torch.cat([-z, z], 1)."
        )
    if not out.is_floating_point():
        raise InvalidInput(f"The network answers with {out.dtype}, such as classes; an attack needs float logits.")
    return out


def check_finite(logits: Tensor, number_of: Callable[[int], int] = int) -> None:
    """InvalidInput naming the first image of (n, classes) whose answer is NaN or infinite."""
    wrong = (~torch.isfinite(logits)).any(1).nonzero()[:, 0]
    if len(wrong):
        raise InvalidInput(
            f"The network answers image {number_of(int(wrong[0]))} with values that are not finite. Leave the image "
            "out, or mend the network: dividing by the spread of a plain image gives NaN."
        )


def check_logits(ask: Callable[[Tensor], Any], ask_with_gradient: Callable[[Tensor], Any], images: Tensor) -> None:
    """InvalidInput unless the network answers ``images`` (n, 3, h, w), the first of those to be attacked, with logits
    that are finite and the same each time, whatever stands beside an image, and that have a gradient."""
    few = images[:PROBES]
    first = check_answer(_asked(ask, few), len(few)).float()
    check_finite(first)
    if (first >= 0).all():
        probe = torch.cat([few, 255 - few, torch.zeros_like(few[:1]), torch.full_like(few[:1], 255)])
        answers = _asked(ask, probe).float()
        answers = answers[torch.isfinite(answers).all(1)]
        sums = answers.sum(1)
        varies = bool((answers.amax(0) - answers.amin(0) > 1e-6).any())
        if varies and answers.min() >= 0 and float((sums - sums[0]).abs().max()) < 1e-4 * float(sums[0]):
            why = f"none is below 0, and those of each image add up to {float(sums[0]):.4g}"
            raise InvalidInput(PROBABILITIES.format(why=why))
        if (
            (last := _last_function(_tracked(ask_with_gradient, few[:1])[1]))
            and answers.min() >= 0
            and answers.max() <= 1
        ):
            raise InvalidInput(PROBABILITIES.format(why=f"they come out of a {last.lower()}"))
    _check_gradient(ask_with_gradient, few[:1])
    limit = _SAME * max(1.0, float(first.abs().max()))
    for number in range(REPEATS):
        again = _asked(ask, few).float()
        if (gap := float((again - first).abs().max())) > limit:
            raise InvalidInput(
                f"The network answers the same image differently each time (by up to {gap:.3g}): dropout or noise is "
                "on in evaluation, so no verdict would hold. Switch it off; functional dropout: training=self.training."
            )
        if number == 0 and len(few) > 1:
            alone = torch.cat([_asked(ask, few[i : i + 1]) for i in (0, len(few) - 1)]).float()
            if (gap := float((alone - first[[0, len(few) - 1]]).abs().max())) > limit:
                raise InvalidInput(
                    f"The network's answer to an image depends on the images beside it (by up to {gap:.3g}), as of "
                    "batch normalisation without running statistics: no verdict would hold. Give it running statistics."
                )


def _asked(ask: Callable[[Tensor], Any], images: Tensor) -> Any:
    with torch.inference_mode():
        return ask(images)


def _tracked(ask: Callable[[Tensor], Any], image: Tensor) -> tuple[Tensor, Tensor]:
    """A copy of the image whose gradient is followed, and the network's answer to it."""
    with torch.enable_grad():
        pixels = image.clone().requires_grad_(True)
        return pixels, ask(pixels)


def _check_gradient(ask: Callable[[Tensor], Any], image: Tensor) -> None:
    pixels, out = _tracked(ask, image)
    if not out.requires_grad or torch.autograd.grad(out.sum(), pixels, allow_unused=True)[0] is None:
        raise InvalidInput(
            "No gradient comes from the network's answer back to the image, and an attack follows it. Leave out what "
            "cuts it: torch.no_grad(), .detach(), .data, .numpy(), a rounding or an argmax in forward()."
        )


def _last_function(out: Any) -> str:
    """The softmax or sigmoid at the end of the network, found from the answer backwards through what only moves or
    joins numbers; "" if there is none."""
    waiting, seen = [getattr(out, "grad_fn", None)], 0
    while waiting and seen < 60:
        node = waiting.pop()
        seen += 1
        if node is None:
            continue
        name = node.name().removesuffix("0").removesuffix("Backward")
        name = name.lstrip("_").removesuffix("Backward")
        if name in _ROUND:
            return name
        if name in _PASSED:
            waiting += [parent for parent, _ in node.next_functions]
    return ""
