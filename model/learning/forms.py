"""Networks of any origin behind one face: state dicts, TorchScript, ONNX, a head on a frozen encoder, Python code.

Nothing is unpickled: state dicts are read with ``weights_only``, safetensors and ONNX hold numbers, and TorchScript
is read by torch's own reader, which runs its instructions and no Python; those that reach for files are refused.
Python code runs only where an installation allows it (``PYTHON_NETWORKS``), because code can do anything.
"""

import importlib
import io
import re
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torchvision import models as zoo

from core.errors import InvalidInput
from core.extras import ONNX
from model.learning.checkpoints import fitting_names, misfit, resized, state_of
from model.learning.file_formats import Format
from model.learning.network import Network, check_network, last_linear, timm_body
from model.learning.reading import Reading, Unwrapped, check_positive

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh, "silu": nn.SiLU}
ENCODER, HEAD = "encoder", "head"
"""Members of the archive in which an encoder and its head are stored together."""


@dataclass(frozen=True)
class Form:
    """How a stored file becomes a network: its format, and what the file does not say itself.

    ``arch`` is that of an encoder's state dict ("" where the encoder is TorchScript or ONNX); ``activation`` stands
    between the linear layers of a head; ``entry`` is ``package.module:function`` of Python code.
    """

    format: Format
    reading: Reading = field(default_factory=Reading)
    arch: str = ""
    shrink: int = 1
    activation: str = "relu"
    entry: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {
            "format": self.format,
            "reading": self.reading.as_dict(),
            "arch": self.arch,
            "shrink": self.shrink,
            "activation": self.activation,
            "entry": self.entry,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "Form":
        return cls(**(dict(stored) | {"reading": Reading.from_dict(stored["reading"])}))


def open_network(form: Form, data: bytes, source: str, *, image_size: int, code_allowed: bool = False) -> Network:
    """The network of a file's bytes, in evaluation mode on the CPU; InvalidInput, naming ``source``, if it is none."""
    body = body_of(form, data, source, image_size=image_size, code_allowed=code_allowed)
    network = Network(body, form.arch or form.format, form.shrink, form.reading).eval()
    check_network(network, image_size)
    return network


def outputs_of(form: Form, data: bytes, source: str, *, image_size: int, code_allowed: bool = False) -> int:
    """How many outputs the file's network has, by a forward pass of a grey patch."""
    body = body_of(form, data, source, image_size=image_size, code_allowed=code_allowed).eval()
    size = form.reading.input_size or image_size // form.shrink
    try:
        with torch.inference_mode():
            answer = body(torch.zeros(2, 3, size, size))
    except Exception as error:  # whatever the network's own code comes up with
        raise InvalidInput(
            f"{source} cannot take images of {size} x {size} pixels: {_first(error)} Name another size, to which "
            "patches are resized first.",
            field="input_size",
        ) from error
    if not isinstance(answer, Tensor) or answer.ndim != 2 or len(answer) != 2:
        raise InvalidInput(f"{source} answers two images with {tuple(getattr(answer, 'shape', ()))}, not (2, outputs).")
    return int(answer.shape[1])


def with_outputs(reading: Reading, outputs: int) -> Reading:
    """The reading of a network with so many outputs; InvalidInput where they are not understood."""
    check_positive(outputs, reading.positive)
    return Reading(**(reading.as_dict() | {"outputs": outputs}))


def body_of(form: Form, data: bytes, source: str, *, image_size: int, code_allowed: bool) -> nn.Module:
    """The module that takes normalised images and answers with (n, outputs)."""
    if form.format == "torchscript":
        return Unwrapped(_torchscript(data, source))
    if form.format == "onnx":
        return Unwrapped(_onnx(data, source))
    if form.format == "python":
        return Unwrapped(_python(form.entry, data, source, code_allowed))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        encoder, head = archive.read(ENCODER), archive.read(HEAD)
    size = form.reading.input_size or image_size // form.shrink
    return nn.Sequential(
        Unwrapped(encoder_body(form.arch, encoder, source, image_size=size)), head_body(head, form.activation, source)
    )


# --- Formats ----------------------------------------------------------------------------------------------------------


_OF_FILES = re.compile(rb"\b(from_file|save|read_file|write_file|load_tensor)\b")
"""TorchScript's instructions that read or write files of the machine."""


def _check_instructions(data: bytes, source: str) -> None:
    """InvalidInput where TorchScript would reach for other files. Before it is loaded: loading runs some of it."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for member in archive.infolist():
            if not member.filename.lower().endswith(".py"):  # weights, and debugging's own copy of the source
                continue
            if found := _OF_FILES.search(archive.read(member)):
                raise InvalidInput(
                    f"{source} holds the instruction {found[1].decode()} in {member.filename}, which reads or writes "
                    "files of this machine. A network needs none: export it without."
                )


def _torchscript(data: bytes, source: str) -> nn.Module:
    try:
        _check_instructions(data, source)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that torch.export is to replace it: files of labs are what they are
            loaded = torch.jit.load(io.BytesIO(data), map_location="cpu").eval()
        for value in loaded.parameters():
            value.requires_grad_(False)  # a copy of weights with gradients would be no weights
        return loaded
    except InvalidInput:
        raise
    except Exception as error:  # torch raises many kinds for a file that is not its own
        raise InvalidInput(f"{source} is not TorchScript that can be read: {_first(error)}") from error


def _onnx(data: bytes, source: str) -> nn.Module:
    """ONNX as a module of torch's own layers, by onnx2torch; its answers are compared with those of ONNX itself."""
    onnx, onnx2torch = ONNX.load()
    try:
        model = onnx.load_model_from_string(data)
        if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in model.graph.initializer):
            raise InvalidInput(
                f"{source} keeps its weights in another file. Save it as one: onnx.save(onnx.load(path), file)."
            )
        body = onnx2torch.convert(_without_aliases(model)).eval()
    except InvalidInput:
        raise
    except Exception as error:  # a layer that the converter does not know, a file that is none
        raise InvalidInput(f"{source} cannot be read as ONNX, or not be converted: {_first(error)}") from error
    return body


def _without_aliases(model: Any) -> Any:
    """Weights that are named twice (torch's exporter does so with equal ones) under both names, as onnx2torch needs."""
    graph = model.graph
    known = {tensor.name: tensor for tensor in graph.initializer}
    for node in list(graph.node):
        if node.op_type == "Identity" and node.input[0] in known:
            copy = graph.initializer.add()
            copy.CopyFrom(known[node.input[0]])
            copy.name = node.output[0]
            known[copy.name] = copy
            graph.node.remove(node)
    return model


def check_onnx(network: Network, data: bytes, image: Tensor, source: str) -> None:
    """InvalidInput if the converted network answers otherwise than ONNX's own reference does; image (1, 3, h, w)."""
    import onnx
    from onnx.reference import ReferenceEvaluator

    with torch.inference_mode():
        seen = image
        if network.shrink > 1:
            seen = nn.functional.avg_pool2d(seen, network.shrink)
        if size := network.reading.input_size:
            seen = nn.functional.interpolate(seen, size=(size, size), mode="bilinear", antialias=True)
        seen = (seen - network.mean) / network.std
        given = network.body(seen)
    model = onnx.load_model_from_string(data)
    try:
        answers: Any = ReferenceEvaluator(model).run(None, {model.graph.input[0].name: seen.numpy()})
    except Exception as error:
        raise InvalidInput(f"{source} cannot be run by ONNX's own reference: {_first(error)}") from error
    off = float((given - torch.from_numpy(answers[0]).reshape(given.shape)).abs().max())
    if off > 1e-3 * max(1.0, float(given.abs().max())):
        raise InvalidInput(f"{source} was not converted faithfully: answers differ by {off:.3g}.")


def _python(entry: str, data: bytes, source: str, allowed: bool) -> nn.Module:
    """What ``package.module:function`` returns, with the stored weights in it."""
    if not allowed:
        raise InvalidInput(
            f"{entry} is Python code, and this installation runs none for networks. Its admin can set "
            "PYTHON_NETWORKS=on; that code can then do anything that the server can."
        )
    if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", entry):
        raise InvalidInput(f"{entry!r} is not package.module:function.", field="entry")
    module, _, function = entry.partition(":")
    try:
        body = getattr(importlib.import_module(module), function)()
    except Exception as error:  # whatever that code comes up with
        raise InvalidInput(f"{entry}: {_first(error)}", field="entry") from error
    if not isinstance(body, nn.Module):
        raise InvalidInput(f"{entry} returns {type(body).__name__}, not a torch module.", field="entry")
    if data:
        state = fitting_names(state_of(data, source), body, "")
        try:
            body.load_state_dict(state)
        except Exception as error:
            raise InvalidInput(f"{source} does not fit {entry}: {misfit(body, state, error)}") from error
    return body.eval()


# --- A head on a frozen encoder ---------------------------------------------------------------------------------------


def packed(encoder: bytes, head: bytes) -> bytes:
    """Both as one file; equal parts give equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in ((ENCODER, encoder), (HEAD, head)):
            archive.writestr(zipfile.ZipInfo(name), data)
    return buffer.getvalue()


def encoder_body(arch: str, data: bytes, source: str, *, image_size: int) -> nn.Module:
    """What turns images into features: TorchScript, ONNX, or an architecture without its head."""
    if not arch:
        return _torchscript(data, source) if data[:2] == b"PK" else _onnx(data, source)
    if arch.startswith("timm/"):
        body = timm_body(arch, outputs=0)
    else:
        options = {"image_size": image_size} if arch.startswith("vit_") else {}
        try:
            body = zoo.get_model(arch, weights=None, **options)
        except (ValueError, TypeError) as error:
            raise InvalidInput(f"torchvision has no classifier called {arch!r}.", field="arch") from error
        name, _ = last_linear(body, arch)
        parent, _, child = name.rpartition(".")
        setattr(body.get_submodule(parent), child, nn.Identity())
    state = fitting_names(state_of(data, source), body, arch)
    state = {key: value for key, value in state.items() if key in body.state_dict()}  # a head of its own is left out
    try:
        body.load_state_dict(resized(state, image_size) if arch.startswith("vit_") else state)
    except Exception as error:
        raise InvalidInput(f"{source} does not fit {arch}: {misfit(body, state, error)}") from error
    return body.eval()


def head_body(data: bytes, activation: str, source: str) -> nn.Sequential:
    """Linear layers, an activation between them; LayerNorm where a layer has one dimension.

    In the order of the file, or where that makes no chain (safetensors sorts by size) of their numbered names.
    """
    if activation not in ACTIVATIONS:
        raise InvalidInput(f"{activation!r} is not one of {', '.join(ACTIVATIONS)}.", field="activation")
    state = state_of(data, source)
    for keys in (list(state), sorted(state, key=_numbered)):
        layers = _layers({key: state[key] for key in keys}, activation)
        widths = [layer for layer in layers if isinstance(layer, nn.Linear)]
        if widths and all(one.out_features == two.in_features for one, two in pairwise(widths)):
            return nn.Sequential(*layers).eval()
    shapes = ", ".join(f"{key} {tuple(value.shape)}" for key, value in list(state.items())[:6])
    raise InvalidInput(f"{source} holds no chain of linear layers; it holds {shapes}.")


def _numbered(name: str) -> list[tuple[int, str]]:
    """By the numbers in a name: layer 10 comes after layer 2."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def _layers(state: Mapping[str, Tensor], activation: str) -> list[nn.Module]:
    layers: list[nn.Module] = []
    linear = 0
    for key, weight in state.items():
        if not key.endswith("weight") or weight.ndim not in (1, 2):
            continue
        bias = state.get(f"{key.removesuffix('weight')}bias")
        layer: nn.Module
        if weight.ndim == 1:
            layer = nn.LayerNorm(len(weight), bias=bias is not None)
        else:
            if linear:
                layers.append(ACTIVATIONS[activation]())
            layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
            linear += 1
        layer.load_state_dict({"weight": weight} | ({} if bias is None else {"bias": bias}))
        layers.append(layer)
    return layers


# --- Gradients --------------------------------------------------------------------------------------------------------


def check_gradient(network: Network, images: Tensor, source: str, *, tries: int = 4) -> float:
    """The largest relative error of the gradient beside finite differences in float64, over random directions.

    ``images`` (n, 3, h, w) in [0, 1]. Raises InvalidInput where most directions disagree: what an attack would follow
    is then not the slope of the answers. Single ones may, at the kinks of a network.
    """
    import copy

    try:
        net, x = copy.deepcopy(network).double(), images.double()
        with torch.no_grad():
            net(x[:1])
        width = 1e-5
    except Exception:  # float32 is written into some converted networks
        net, x, width = network, images, 3e-3
    pixels = x.clone().requires_grad_(True)

    def gap(seen: Tensor) -> Tensor:
        answers = net(seen)
        return answers[:, 1] - answers[:, 0]

    try:
        (gradient,) = torch.autograd.grad(gap(pixels).sum(), pixels)
    except RuntimeError as error:
        raise InvalidInput(f"{source} gives no gradient ({_first(error)}): it cannot be attacked.") from error
    draw = torch.Generator().manual_seed(0)
    errors = []
    for _ in range(tries):
        way = torch.randn(x.shape, generator=draw, dtype=x.dtype)
        way = way / way.flatten(1).norm(dim=1).reshape(-1, 1, 1, 1)
        with torch.no_grad():
            slope = (gap(x + width * way) - gap(x - width * way)) / (2 * width)
        promised = (gradient * way).flatten(1).sum(1)
        scale = torch.maximum(slope.abs(), promised.abs()).clamp_min(1e-9)
        errors += ((slope - promised).abs() / scale).tolist()
    middle = sorted(errors)[len(errors) // 2]
    if middle > (0.01 if x.dtype == torch.float64 else 0.3):
        raise InvalidInput(
            f"The gradients of {source} do not fit its answers (they are off by {100 * middle:.0f} % beside finite "
            "differences): attacks would say little about it. Export it anew, without quantising."
        )
    return middle


def _first(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return (text[0] if text else type(error).__name__)[:300]
