"""The two ways an attack asks a network: a fast gradient pass, and the float32 forward pass that gives the verdict."""

import contextlib
import copy
import warnings
from collections import Counter
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from attacks.engine.recipe import Loss
from attacks.engine.soundness import PROBES, check_answer, check_finite, check_logits
from core.errors import InvalidInput
from model.learning.prediction import full_precision

MARGIN = 1e-3
"""A verdict needs a logit gap of this much: far above what float32 differs by between batch sizes and memory
formats (about 1e-5), so that no later forward pass of the same bytes can dispute it. A network whose leads are below 1
needs less, one with logits of hundreds more (``margin_for``)."""
_NOISE = 4e-6
"""Share of the largest logit by which float32 answers may differ between batch sizes."""
_FOLDED = 1e-4
"""Share of the logits' size by which the folded network's may differ from the given one's: float32 stays below."""

_CPU_BATCH, _GPU_BATCH = 16, 512
"""Rows per pass. On a CPU the time per image hardly depends on it from 4 rows of 224 x 224 on (docs/attacks.md)."""


def batch_for(device: str | torch.device) -> int:
    """Rows per pass on this device."""
    return _GPU_BATCH if torch.device(device).type == "cuda" else _CPU_BATCH


class Passes:
    """A network prepared for attacks, and the count of the image passes it has made.

    ``logits`` runs the network as it was given (a copy in evaluation mode, float32, no TF32): the verdict.
    ``ascend`` runs a copy, channels last, without weight gradients: one forward pass that serves the gap and the
    gradient. It is float32, too, unless it may be ``rough``: then CUDA computes in TF32, or in bfloat16 where ``amp``
    asks for it. Where it may be, its batch normalisation is folded into the convolutions; elsewhere gradients are the
    given network's to the last bit, so that their forward pass is a verdict, too (decisions/0016). ``fold`` says
    otherwise.

    Images enter in 0-255 units; the network gets them divided by 255. Raises InvalidInput for weights that are not
    finite and, from ``classes``, for fewer than two outputs.

    ``folded``: whether ``ascend`` runs the folded copy. It is compared with the network as given on the first images
    that either is asked about, and the plain copy takes its place where they differ. ``margin``: see ``margin_for``.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        device: str | torch.device | None = None,
        amp: bool = False,
        fold: bool | None = None,
    ):
        for name, value in [*network.named_parameters(), *network.named_buffers()]:
            if value.is_floating_point() and not torch.isfinite(value).all():
                raise InvalidInput(
                    f"The network's {name} holds values that are not finite; train it again or load others."
                )
        self.device = torch.device(device) if device else _device_of(network)
        self.amp = amp and self.device.type == "cuda"
        judge = copy.deepcopy(network).to(self.device, torch.float32).eval().requires_grad_(False)
        fast = folded(judge) if (not self.exact if fold is None else fold) else None
        self.folded = fast is not None
        fast = copy.deepcopy(judge) if fast is None else fast
        self._judge, self._fast = (net.to(memory_format=torch.channels_last) for net in (judge, fast))
        self.batch = batch_for(self.device)
        self._checked, self._compared = False, not self.folded
        self.margin = MARGIN
        self.count: Counter[str] = Counter(gradient=0, forward=0)

    @property
    def network(self) -> nn.Module:
        """The network as it was given, in evaluation mode."""
        return self._judge

    @property
    def exact(self) -> bool:
        """True if a rough ``ascend`` differs from ``logits`` by rounding errors of float32 only."""
        return self.device.type != "cuda"

    def floats(self, images: Tensor) -> Tensor:
        """Images as the passes take them: float32 on the device. Bytes travel as bytes, and become floats there."""
        return images.to(self.device).to(torch.float32)

    def logits(self, images: Tensor) -> Tensor:
        """float32 (n, 3, h, w) in 0-255 units -> float32 (n, classes), by the network as it was given."""
        self.count["forward"] += len(images)
        with torch.inference_mode(), full_precision():
            return self._judge(_scaled(images)).clone()

    def judge(self, images: Tensor) -> Tensor:
        """``logits`` of any number of images, batch by batch, on the CPU."""
        parts = [self.logits(self.floats(part)).cpu() for part in images.split(self.batch)]
        logits = torch.cat(parts)
        check_finite(logits)
        return logits

    def classes(self, image: Tensor) -> int:
        """The number of outputs, from one (1, 3, h, w) image; InvalidInput unless there are at least two."""
        try:
            with torch.inference_mode():
                answer = self._judge(_scaled(self.floats(image)))
        except Exception as error:  # whatever the network's own code comes up with
            raise InvalidInput(
                f"The network cannot take images of shape {tuple(image.shape)}: {type(error).__name__}: {error}"[:500]
            ) from error
        out = check_answer(answer)
        check_finite(out)
        return int(out.shape[1])

    def check(self, images: Tensor) -> None:
        """InvalidInput if the network's answers to ``images`` (n, 3, h, w) cannot be attacked; asked once."""
        if not self._checked:
            few = self.floats(images[:PROBES])
            self._compare(few)
            with full_precision():
                check_logits(lambda x: self._judge(_scaled(x)), lambda x: self._fast(_scaled(x)), few)
            with torch.inference_mode(), full_precision():
                self.margin = margin_for(self._judge(_scaled(few)))
            self._checked = True

    def _compare(self, images: Tensor) -> None:
        """Take the plain copy where the folded network answers ``images`` otherwise than the given one does.

        Folding counts on every convolution being used once, with its own normalisation behind it, and tracing drops
        gradients that a network defines itself.
        """
        if self._compared:
            return
        self._compared = True
        with torch.inference_mode(), full_precision():
            given = check_answer(self._judge(_scaled(images)), len(images)).float()
            try:
                quick = self._fast(_scaled(images)).float()
            except Exception:  # whatever folding broke: the plain copy is always right
                quick = torch.full_like(given, torch.nan)
        known = torch.isfinite(given)
        largest = given[known].abs().max().clamp_min(1e-30) if known.any() else torch.tensor(1.0)
        same = bool(((quick - given)[known].abs() <= _FOLDED * largest).all())
        if not same or not _alike(*(_gradient_of(net, images[:2]) for net in (self._judge, self._fast))):
            self._fast, self.folded = copy.deepcopy(self._judge), False

    def ascend(
        self, images: Tensor, labels: Tensor, loss: Loss = "margin", *, rough: bool = False
    ) -> tuple[Tensor, Tensor]:
        """(n, 3, h, w) in 0-255 units, (n,) -> logits (n, classes) and the gradient of the loss (n, 3, h, w).

        The gradient is with respect to the pixels in 0-255 units and points to where the label is lost. ``rough`` is
        for those who ask ``logits`` before they believe that an image is flipped. Equal input gives equal bytes.
        """
        self._compare(images[:PROBES])
        self.count["gradient"] += len(images)
        pixels = _channels_last(images.detach()).requires_grad_(True)
        with torch.enable_grad(), self.precision(rough):
            logits = self._fast(_scaled(pixels))
            (gradient,) = torch.autograd.grad(LOSS_FUNCTIONS[loss](logits.float(), labels).sum(), pixels)
        return logits.detach().float(), gradient

    def ascend_features(self, images: Tensor, usual: Tensor) -> tuple[Tensor, Tensor]:
        """(n, 3, h, w) in 0-255 units, (n, d) -> logits (n, classes) and a gradient that needs no label: of the squared
        distance of the features, which enter the network's last linear layer, to the ``usual`` ones."""
        self.count["gradient"] += len(images)
        pixels = _channels_last(images.detach()).requires_grad_(True)
        with torch.enable_grad(), self.precision(rough=False), _entering_head(self._judge) as entered:
            logits = self._judge(_scaled(pixels))
            apart = (entered[0].float() - usual).square().sum(1)
            (gradient,) = torch.autograd.grad(apart.sum(), pixels)
        return logits.detach().float(), gradient

    def features(self, images: Tensor) -> Tensor:
        """float32 (n, 3, h, w) in 0-255 units -> what enters the network's last linear layer, (n, d)."""
        self.count["forward"] += len(images)
        with torch.no_grad(), full_precision(), _entering_head(self._judge) as entered:
            self._judge(_scaled(images))
        return entered[0].float()

    @contextlib.contextmanager
    def precision(self, rough: bool) -> Iterator[None]:
        """The arithmetic of ``ascend``: float32, or where it may be rough TF32 or bfloat16.

        A ResNet-18's TF32 logits were off by 2.5 times ``MARGIN``, its float32 ones by a two-hundredth of it; TF32 is
        three times as fast (docs/attacks.md). Kernels are deterministic: torch's own choice gave other bytes each time.
        """
        tf32 = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=rough)
        bf16 = torch.autocast(self.device.type, torch.bfloat16) if rough and self.amp else contextlib.nullcontext()
        with full_precision(), tf32, bf16:
            yield


@contextlib.contextmanager
def _entering_head(network: nn.Module) -> Iterator[list[Tensor]]:
    """What enters the last linear layer in passes made within, (n, d) each; InvalidInput if there is no such layer."""
    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise InvalidInput("The network has no linear layer at its end, so that it has no features to move.")
    entered: list[Tensor] = []
    hook = linear[-1].register_forward_pre_hook(lambda module, given: entered.append(given[0].flatten(1)))
    try:
        yield entered
    finally:
        hook.remove()


def gap_of_label(logits: Tensor, labels: Tensor) -> Tensor:
    """The best other logit minus the label's, (n, classes), (n,) -> (n,): the margin loss."""
    own = logits.gather(1, labels[:, None])
    others = logits.scatter(1, labels[:, None], -torch.inf)
    return (others.amax(1, keepdim=True) - own)[:, 0]


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """The paper's loss, (n, classes), (n,) -> (n,). Its gradient is the margin's times 1 - p(label) (two classes)."""
    return nn.functional.cross_entropy(logits, labels, reduction="none")


LOSS_FUNCTIONS: dict[Loss, Callable[[Tensor, Tensor], Tensor]] = {"ce": cross_entropy, "margin": gap_of_label}


def margin_for(logits: Tensor) -> float:
    """The lead that a verdict needs from a network that answers like this, (n, classes).

    ``MARGIN`` of a usual network; less in proportion where no lead reaches 1 (logits scaled down would look robust),
    more where logits are so large that float32 differs by more.
    """
    finite = logits[torch.isfinite(logits).all(1)].float()
    if not len(finite):
        return MARGIN
    top = finite.topk(2, 1).values
    spread = float((top[:, 0] - top[:, 1]).max())
    return max(MARGIN * min(1.0, spread), _NOISE * float(finite.abs().max()), 1e-30)


def lost(logits: Tensor, labels: Tensor, margin: float = MARGIN) -> Tensor:
    """Verdict (n,) bool: another class leads by ``margin``."""
    return gap_of_label(logits, labels) >= margin


def reached(logits: Tensor, labels: Tensor, confidence: float, margin: float = MARGIN) -> Tensor:
    """Verdict (n,) bool: the label is lost and the best other class has at least this probability."""
    others = logits.softmax(1).scatter(1, labels[:, None], 0.0)
    return lost(logits, labels, margin) & (others.amax(1) >= confidence)


def folded(network: nn.Module) -> nn.Module | None:
    """A copy with each batch normalisation folded into the convolution before it; None where there is nothing to fold.

    Torch can fold what it can trace; networks with data-dependent control flow stay as they are, only slower.
    """
    from torch.fx.experimental.optimization import fuse

    if not any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules()):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return fuse(copy.deepcopy(network)).eval().requires_grad_(False)
    except Exception:  # whatever tracing stumbles over: the plain copy is always right
        return None


def _gradient_of(network: nn.Module, images: Tensor) -> Tensor | None:
    """The gradient of the first output minus the others, (n, 3, h, w); None where there is none."""
    with torch.enable_grad(), full_precision():
        pixels = images.clone().requires_grad_(True)
        logits = network(_scaled(pixels))
        if not logits.requires_grad:
            return None
        return torch.autograd.grad((2 * logits[:, 0] - logits.sum(1)).sum(), pixels, allow_unused=True)[0]


def _alike(one: Tensor | None, other: Tensor | None) -> bool:
    """True for gradients that differ by what float32 may do at the kinks of a network."""
    if one is None or other is None:
        return one is None
    return bool((one - other).norm() <= 0.05 * one.norm()) or not bool(torch.isfinite(one).all())


def _scaled(images: Tensor) -> Tensor:
    return _channels_last(images) / 255


def _channels_last(images: Tensor) -> Tensor:
    return images.to(torch.float32).contiguous(memory_format=torch.channels_last)


def _device_of(network: nn.Module) -> torch.device:
    return next((value.device for value in network.parameters()), torch.device("cpu"))
