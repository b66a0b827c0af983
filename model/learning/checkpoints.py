"""State dicts from files: read safely, found among what a checkpoint holds, under the names that a network expects."""

import hashlib
import io
import re
import socket
import warnings
from collections import Counter, OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from torch import Tensor, nn
from torchvision import models as zoo

from core.errors import InvalidInput

OFFLINE_AFTER = 5.0
"""Seconds without an answer from the weights' server after which a machine counts as offline."""


def read_state(path: str | Path) -> tuple[dict[str, Tensor], str]:
    """A state dict from a file (``weights_only=True``: no code is run) and the file's SHA-256.

    Takes a bare state dict or a checkpoint that holds one, under whatever name. Raises InvalidInput for anything else,
    naming what was found, and for values that are not finite.
    """
    data = bytes_of(path)
    return state_of(data, str(path)), hashlib.sha256(data).hexdigest()


def bytes_of(path: str | Path) -> bytes:
    """A file's bytes; InvalidInput where it cannot be read."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror or error}.") from error


def state_of(data: bytes, path: str) -> dict[str, Tensor]:
    """The state dict in a file's bytes: safetensors, or what torch saved."""
    try:
        if data[8:9] == b"{":  # safetensors: the header's length, then its JSON
            from safetensors.torch import load

            return _checked(load(data), path)
    except Exception as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(f"{path} is not whole: {type(error).__name__}: {error}"[:300]) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of file formats; none of them is a reader's to mend
            found = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a file that is not its own
        raise InvalidInput(
            f"{path} is not a PyTorch state dict that can be read safely ({type(error).__name__}). "
            "Save it with torch.save(model.state_dict(), file)."
        ) from error
    return _checked(_tensors(found, path), path)


def _checked(found: Mapping[Any, Tensor], path: str) -> dict[str, Tensor]:
    """By name; InvalidInput for tensors of odd kinds and values that are not finite."""
    state = {str(key): value for key, value in found.items()}
    for name, value in state.items():
        if value.is_meta:
            raise InvalidInput(f"{path}: {name} has a shape and no values (PyTorch's meta device). Save real weights.")
        if value.layout != torch.strided or value.is_quantized:
            raise InvalidInput(f"{path}: {name} is sparse or quantised. Save the network with plain (dense) tensors.")
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise InvalidInput(f"{path}: {name} holds values that are not finite (NaN or infinite). Use sound weights.")
    return state


_USUAL = ("", "state_dict", "model_state_dict", "model", "net", "network", "weights")


def _tables(found: Mapping[Any, Any], name: str = "", depth: int = 0) -> list[tuple[str, dict[Any, Tensor]]]:
    """Every table of tensors in a checkpoint, by its name there; epochs, losses and the like between them left out."""
    own = {key: value for key, value in found.items() if isinstance(value, Tensor)}
    tables = [(name, own)] if own else []
    for key, value in found.items():
        if isinstance(value, Mapping) and depth < 4 and key not in ("optimizer", "optimizer_states", "lr_schedulers"):
            tables += _tables(value, str(key), depth + 1)
    return tables


def _tensors(found: Any, source: str) -> Mapping[Any, Tensor]:
    """The state dict in what a file holds: of all its tables, the one with most tensors; of equals the usual one."""
    tables = _tables(found) if isinstance(found, Mapping) else []
    if tables:
        return max(tables, key=lambda table: (len(table[1]), table[0] in _USUAL))[1]
    held = ", ".join(map(str, list(found)[:8])) if isinstance(found, Mapping) else type(found).__name__
    raise InvalidInput(
        f"{source} holds no state dict (names of layers with their tensors); it holds: {held or 'nothing'}. Save it "
        "with torch.save(model.state_dict(), file)."
    )


def fitting_names(state: dict[str, Tensor], body: nn.Module, arch: str) -> dict[str, Tensor]:
    """``state`` under torchvision's names: without the prefix that a wrapper put before them (DataParallel's "module.",
    torch.compile's "_orig_mod.", Lightning's "model." ...), and without what else the wrapper holds."""
    if arch.startswith("densenet"):  # torchvision's own files have the names of 2017
        state = {re.sub(r"(denselayer\d+\.(?:norm|relu|conv))\.([12])\.", r"\1\2.", key): v for key, v in state.items()}
    wanted = body.state_dict().keys()
    prefixes: Counter[str] = Counter()
    for key in state:
        parts = key.split(".")
        prefixes.update(".".join(parts[:cut]) for cut in range(len(parts)) if ".".join(parts[cut:]) in wanted)
    prefix = max(prefixes, key=lambda one: (prefixes[one], -len(one)), default="")
    if not prefix:
        return state
    return {key.removeprefix(f"{prefix}."): value for key, value in state.items() if key.startswith(f"{prefix}.")}


def misfit(body: nn.Module, state: dict[str, Tensor], error: Exception) -> str:
    """Which layers are missing, which are not known, which have another shape."""
    wanted = body.state_dict()
    shapes = [
        f"{key} is {tuple(state[key].shape)}, not {tuple(value.shape)}"
        for key, value in wanted.items()
        if key in state and state[key].shape != value.shape
    ]
    parts = {
        "missing": [key for key in wanted if key not in state and not key.endswith("num_batches_tracked")],
        "not known there": [key for key in state if key not in wanted],
        "of another shape": shapes,
    }
    told = [
        f"{len(names)} {what} ({', '.join(names[:4])}{', …' * (len(names) > 4)})"
        for what, names in parts.items()
        if names
    ]
    return "; ".join(told) + "." if told else (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def resized(state: dict[str, Tensor], image_size: int) -> dict[str, Tensor]:
    """A vision transformer's position embeddings, interpolated to this image size where they are for another."""
    positions, patches = state.get("encoder.pos_embedding"), state.get("conv_proj.weight")
    if positions is None or patches is None:
        return state
    patch_size = patches.shape[-1]
    if positions.shape[1] == (image_size // patch_size) ** 2 + 1:
        return state
    from torchvision.models.vision_transformer import interpolate_embeddings

    try:
        return dict(interpolate_embeddings(image_size, patch_size, OrderedDict(state)))
    except ValueError:
        return state  # load_state_dict then says what does not fit


def imagenet_state(arch: str) -> tuple[dict[str, Tensor], str, str]:
    """torchvision's default weights from its cache or by download: state dict, address, SHA-256 of the file."""
    try:
        weights = zoo.get_model_weights(arch).DEFAULT
    except (ValueError, AttributeError) as error:
        raise InvalidInput(f"torchvision has no ImageNet weights for {arch}.") from error
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(weights.url).path).name
    if not file.exists():
        _download(weights.url, file)
    state, sha256 = read_state(file)
    return state, weights.url, sha256


def _download(url: str, file: Path) -> None:
    """Fetch to torchvision's cache, giving up soon where nobody answers: an offline machine must not wait."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(OFFLINE_AFTER)
    try:
        socket.create_connection((urlparse(url).hostname or "", 443), timeout=OFFLINE_AFTER).close()
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(file), hash_prefix=file.stem.rpartition("-")[2], progress=False)
    except (OSError, RuntimeError) as error:
        raise InvalidInput(f"{file.name} is not in torchvision's cache and could not be downloaded.") from error
    finally:
        socket.setdefaulttimeout(before)
