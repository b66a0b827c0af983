"""The classifier: a torchvision network with two outputs (index 1 = tumour) that takes pixels in [0, 1].

Normalisation is inside the module, so that attacks live in pixel space (the paper's section 2.1: ResNet-18 with
ImageNet weights). A build says what the weights actually started from: it never passes off a random start as ImageNet.
"""

import hashlib
import io
import json
import warnings
from collections import OrderedDict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl

import torch
from torch import Tensor, nn
from torchvision import models as zoo

from core.errors import InvalidInput
from core.extras import TIMM
from model.learning.checkpoints import fitting_names, imagenet_state, misfit, read_state, resized
from model.learning.reading import Reading, check_positive

Init = Literal["auto", "imagenet", "random"]

ONE_OUTPUT = "one output"


@dataclass(frozen=True)
class Initialisation:
    """What a network's weights actually started from.

    ``kind`` is "imagenet", "random" or "weights" (a state dict given by the user); ``source`` is the address or file,
    ``sha256`` that of the file's bytes; ``head`` is "new" where the last layer was drawn at random, else "loaded";
    ``reason`` says why it is not what ``asked`` hoped for.
    """

    asked: str
    kind: str
    seed: int
    head: str
    source: str = ""
    sha256: str = ""
    reason: str = ""

    def __str__(self) -> str:
        origin = f" ({Path(self.source).name})" if self.kind == "weights" else ""
        note = f"; {self.reason}" if self.reason else ""
        return f"{self.kind}{origin}{note}"[:200]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Network(nn.Module):
    """A body behind its normalisation. ``forward``: float (n, 3, h, w) in [0, 1] -> logits (n, 2).

    ``shrink`` > 1 averages squares of that many pixels first: the body works at a coarser scale, at 1 / shrink^2 of
    the cost, while patches, attacks and what readers see stay at the patch's own scale.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, body: nn.Module, arch: str, shrink: int = 1, reading: Reading | None = None):
        super().__init__()
        self.arch = arch
        self.shrink = shrink
        self.body = body
        self.reading = reading or Reading()
        self.register_buffer("mean", torch.tensor(self.reading.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(self.reading.std).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        if self.shrink > 1:
            images = nn.functional.avg_pool2d(images, self.shrink)
        if size := self.reading.input_size:
            images = nn.functional.interpolate(images, size=(size, size), mode="bilinear", antialias=True)
        answers = self.body((images - self.mean) / self.std)
        return answers if self.reading.plain else self.reading.two_logits(answers)

    @property
    def head(self) -> nn.Linear:
        """The last linear layer, whose input is the penultimate features."""
        return last_linear(self.body, self.arch)[1]

    def features(self, images: Tensor) -> Tensor:
        """Float (n, 3, h, w) in [0, 1] -> the features that enter the head, (n, d); d = 512 for ResNet-18."""
        kept: list[Tensor] = []
        hook = self.head.register_forward_pre_hook(lambda _, inputs: kept.append(inputs[0]))
        try:
            self(images)
        finally:
            hook.remove()
        return kept[0].flatten(1)


def build_network(
    arch: str = "resnet18",
    *,
    init: Init = "auto",
    weights: str | Path | None = None,
    seed: int,
    image_size: int = 224,
    shrink: int = 1,
) -> tuple[Network, Initialisation]:
    """A network with two outputs, in evaluation mode on the CPU, and the record of its initialisation.

    ``auto`` takes torchvision's ImageNet weights (from its cache, else by download) and falls back to a random start
    with a warning; ``imagenet`` insists; ``random`` asks for nothing. ``weights`` is a local state dict with
    torchvision's keys, whose head is replaced by a new one unless it has two outputs.

    Raises InvalidInput for an unknown architecture, one that cannot take ``image_size``, ImageNet weights that are
    asked for and cannot be had, and weights that do not fit or hold values that are not finite.
    """
    if init not in ("auto", "imagenet", "random"):
        raise InvalidInput(f"{init!r} is not one of auto, imagenet, random.", field="init")
    network = _random(arch, seed, image_size, shrink)
    if weights is not None:
        state, sha256 = read_state(weights)
        head = _load(network, state, str(weights), image_size, any_head=True)
        record = Initialisation("weights", "weights", seed, head, source=str(weights), sha256=sha256)
    elif init == "random":
        record = Initialisation(init, "random", seed, "new")
    else:
        record = _from_imagenet(network, init, seed, image_size)
    check_network(network, image_size)
    return network, record


def load_weights(
    arch: str,
    path: str | Path,
    *,
    sha256: str = "",
    image_size: int = 224,
    shrink: int = 1,
    tumour_output: int = 1,
    reading: Reading | None = None,
) -> Network:
    """A finished classifier from its weights file, in evaluation mode on the CPU.

    ``tumour_output`` 0: the first of the file's two outputs is the one for tumour; they are exchanged. A head with a
    single output is taken for the logit of tumour (with 0: of no tumour), with a warning. ``reading`` tells of another
    normalisation, input size or number of outputs.

    Raises InvalidInput if the file's SHA-256 is not ``sha256`` (where given), if the weights do not fit the
    architecture or its head has other than one or two outputs, and if a value is not finite.
    """
    state, found = read_state(path)
    if sha256 and found != sha256:
        raise InvalidInput(f"{path} is not the file that was saved: its SHA-256 is {found}, recorded is {sha256}.")
    reading = reading or Reading()
    network = _random(arch, 0, image_size, shrink, reading)
    head = _load(network, state, str(path), image_size, any_head=False)
    if tumour_output not in (0, 1):
        raise InvalidInput(f"{tumour_output} is not one of 0, 1.", field="tumour_output")
    if head == ONE_OUTPUT:
        meant, other = ("tumour", "no tumour") if tumour_output else ("no tumour", "tumour")
        warnings.warn(
            f"The weights have one output. It is taken for the logit of {meant}; if it is that of {other}, import them "
            f"again with --tumour-output {1 - tumour_output}.",
            stacklevel=2,
        )
    if tumour_output == 0:
        with torch.no_grad():
            for value in network.head.parameters():
                value.copy_(value.flip(0))
    check_network(network, image_size)
    return network


def weights_bytes(network: Network) -> tuple[bytes, str]:
    """The state dict with torchvision's keys as a file's bytes, and their SHA-256; equal weights give equal bytes."""
    plain = {"memory_format": torch.contiguous_format}  # channels_last would leave other strides in the file
    state = OrderedDict((key, value.detach().cpu().clone(**plain)) for key, value in network.body.state_dict().items())
    buffer = io.BytesIO()  # to a buffer, for torch writes a path's name into the file
    torch.save(state, buffer)
    data = buffer.getvalue()
    return data, hashlib.sha256(data).hexdigest()


def save_weights(network: Network, path: str | Path) -> str:
    """Write the weights to ``path`` and return the file's SHA-256."""
    data, sha256 = weights_bytes(network)
    Path(path).write_bytes(data)
    return sha256


def check_network(network: Network, image_size: int) -> None:
    """Raise InvalidInput unless a forward pass of (2, 3, image_size, image_size) gives finite logits (2, 2)."""
    was_training = network.training
    device = network.mean.device
    try:
        with torch.inference_mode():
            logits = network.eval()(torch.full((2, 3, image_size, image_size), 0.5, device=device))
    except (RuntimeError, AssertionError, ValueError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InvalidInput(
            f"{network.arch} cannot take patches of {image_size} x {image_size} pixels: {first}"
        ) from error
    finally:
        network.train(was_training)
    if not isinstance(logits, Tensor) or tuple(logits.shape) != (2, 2):
        shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise InvalidInput(f"{network.arch} answers two images with {shape}; two logits for each were expected.")
    if not torch.isfinite(logits).all():
        raise InvalidInput(f"{network.arch} answers with values that are not finite.")


def last_linear(body: nn.Module, arch: str) -> tuple[str, nn.Linear]:
    """Name and module of the last linear layer: the head of every torchvision classifier that is used here."""
    linear = [(name, module) for name, module in body.named_modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise InvalidInput(f"{arch} has no linear layer to put two outputs on. Choose another, such as resnet18.")
    return linear[-1]


def architectures() -> list[str]:
    """The names that torchvision knows as image classifiers."""
    return [name for name in zoo.list_models(module=zoo) if not name.startswith("quantized")]


# --- Filling a network ----------------------------------------------------------------------------------------------


def _random(arch: str, seed: int, image_size: int, shrink: int, reading: Reading | None = None) -> Network:
    reading = reading or Reading()
    if reading.outputs != 1:  # a single one becomes two
        check_positive(reading.outputs, reading.positive)
    if not 1 <= shrink <= image_size:
        raise InvalidInput(f"{shrink} is not a number of pixels from 1 to {image_size}.", field="shrink")
    if arch.startswith("timm/"):
        return Network(timm_body(arch, outputs=reading.outputs, seed=seed), arch, shrink, reading).eval()
    if arch not in architectures():
        close = ", ".join(name for name in architectures() if name[:4] == arch[:4].lower()) or "resnet18, densenet121"
        raise InvalidInput(
            f"torchvision has no classifier called {arch!r}. There are, for example: {close}.", field="arch"
        )
    options: dict[str, Any] = {"weights": None}
    if arch.startswith("vit_"):
        options["image_size"] = reading.input_size or image_size // shrink
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some constructors announce a future default
        torch.manual_seed(seed)
        try:
            body = zoo.get_model(arch, **options)
        except (ValueError, AssertionError, RuntimeError) as error:
            raise InvalidInput(f"{arch} cannot take patches of {image_size} x {image_size} pixels: {error}") from error
        _new_head(body, arch, reading.outputs)
    if getattr(body, "AuxLogits", None) is not None or getattr(body, "aux1", None) is not None:
        raise InvalidInput(f"{arch} has auxiliary outputs, which are not supported. Choose another, such as resnet50.")
    return Network(body, arch, shrink, reading).eval()


_OF_FILES = {"pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "pretrained_strict", "checkpoint_path",
             "cache_dir"}  # fmt: skip
"""Options of timm that read other files, or fetch them."""


def timm_body(arch: str, *, outputs: int, seed: int = 0) -> nn.Module:
    """``timm/NAME?option=value&...`` with so many outputs (0: features), drawn at random; InvalidInput without timm."""
    (timm,) = TIMM.load(field="arch")
    name, _, query = arch.removeprefix("timm/").partition("?")
    options = {key: _value(value) for key, value in parse_qsl(query)}
    if not timm.is_model(name):
        close = ", ".join(timm.list_models(f"*{name[:4]}*")[:3] or ["resnet50", "vit_base_patch16_224"])
        raise InvalidInput(f"timm has no network called {name!r}. There are, for example: {close}.", field="arch")
    if of_files := sorted(_OF_FILES & options.keys()):
        text = f"{of_files[0]} says where weights come from: these are those of the network's file."
        raise InvalidInput(text, field="arch")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            return timm.create_model(name, pretrained=False, num_classes=outputs, **options)
        except Exception as error:  # whatever a network's own code makes of a name and options
            first = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
            raise InvalidInput(f"timm cannot make {arch.removeprefix('timm/')}: {first}", field="arch") from error


def _value(text: str) -> Any:
    """A number, true, false or a text, as it stands in an address."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _new_head(body: nn.Module, arch: str, outputs: int = 2) -> None:
    name, old = last_linear(body, arch)
    parent, _, child = name.rpartition(".")
    setattr(body.get_submodule(parent), child, nn.Linear(old.in_features, outputs, bias=old.bias is not None))


def _load(network: Network, state: dict[str, Tensor], source: str, image_size: int, *, any_head: bool) -> str:
    """Put ``state`` into the network; "loaded" or, if its head had other than two outputs, "new"; "one output" if it
    had a single logit, which becomes the difference of two."""
    name, head = last_linear(network.body, network.arch)
    state = fitting_names(state, network.body, network.arch)
    weight = state.get(f"{name}.weight")
    outputs = weight.shape[0] if weight is not None and weight.ndim == 2 else None
    wanted = network.reading.outputs
    status = "loaded"
    if outputs == 1 and not any_head:
        # sigmoid(z) is the softmax of (0, z).
        zeros = {key: torch.zeros_like(state[key]) for key in (f"{name}.weight", f"{name}.bias") if key in state}
        state = state | {key: torch.cat([zero, state[key]]) for key, zero in zeros.items()}
        status = ONE_OUTPUT
    elif outputs is not None and outputs != wanted:
        if not any_head:
            raise InvalidInput(
                f"{source}: the head {name} has {outputs} outputs; a classifier needs two, the second for tumour, or "
                "one, or with --positive as many as there are classes. Train one from these weights with "
                "`train DATASET --weights FILE`.",
                field="positive",
            )
        state = {key: value for key, value in state.items() if not key.startswith(f"{name}.")}
        state |= {f"{name}.{key}": value for key, value in head.state_dict().items()}
        status = "new"
    if network.arch.startswith("vit_"):
        state = resized(state, network.reading.input_size or image_size // network.shrink)
    try:
        network.body.load_state_dict(state, strict=True)
    except Exception as error:  # tensors of odd kinds, such as sparse or quantised ones, raise nearly anything
        raise InvalidInput(f"{source} does not fit {network.arch}: {misfit(network.body, state, error)}") from error
    return status


def _from_imagenet(network: Network, init: Init, seed: int, image_size: int) -> Initialisation:
    try:
        state, source, sha256 = imagenet_state(network.arch)
        head = _load(network, state, source, image_size, any_head=True)
    except InvalidInput as error:
        if init == "imagenet":
            raise
        reason = f"no ImageNet weights: {error}"
        warnings.warn(f"RANDOM INITIALISATION of {network.arch}, not ImageNet: {error}", stacklevel=3)
        return Initialisation(init, "random", seed, "new", reason=reason)
    return Initialisation(init, "imagenet", seed, head, source=source, sha256=sha256)
