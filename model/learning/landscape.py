"""The loss around a training's path (Fig. 2b): its weights' principal plane, and the loss over it.

Only parameters (weights, biases, and the scale and shift of normalisation layers) are coordinates. The running means
and variances of BatchNorm are not: they belong to the weights they were measured with, and anywhere else on the plane
they are wrong. By default they are therefore replaced, at every point, by the statistics of the evaluated batch, so
that the loss is a function of the weights alone; ``buffers="final"`` keeps those of the finished network instead.
"""

import contextlib
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.errors import InvalidInput, Progress, no_progress
from model.learning.prediction import full_precision

Buffers = Literal["batch", "final"]


@dataclass(frozen=True)
class Plane:
    """The plane through the final weights along the path's first two principal components.

    ``start``, ``final`` (p,) float32: the path's ends. ``directions`` (2, p), orthonormal. ``coordinates`` (t, 2):
    each step's projection, (0, 0) for the last. ``explained`` (2,): share of the path's variance along each.
    """

    start: Tensor
    final: Tensor
    directions: Tensor
    coordinates: Tensor
    explained: Tensor

    def weights(self, x: float, y: float) -> Tensor:
        """The weights (p,) at a point of the plane."""
        return self.final + x * self.directions[0] + y * self.directions[1]


@dataclass(frozen=True)
class Landscape:
    """Mean cross-entropy ``loss`` (len(y), len(x)) over a grid; ``path_loss`` (t,) along the projected path.

    ``line_loss`` is along the straight line from the first weights (``line`` = 0) to the last (1).
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    loss: NDArray[np.float64]
    path_loss: NDArray[np.float64]
    line: NDArray[np.float64]
    line_loss: NDArray[np.float64]


def flat_size(body: nn.Module) -> int:
    """How many parameters the network has."""
    return sum(value.numel() for value in body.parameters())


def flatten(body: nn.Module, state: Mapping[str, Tensor]) -> Tensor:
    """The parameters of a state dict as one float32 vector (p,), in the order of ``body.named_parameters()``."""
    return torch.cat([state[name].detach().reshape(-1).float().cpu() for name, _ in body.named_parameters()])


def flatten_all(body: nn.Module, states: Sequence[Mapping[str, Tensor]]) -> Tensor:
    """A path of state dicts as (t, p)."""
    path = torch.empty(len(states), flat_size(body))
    for row, state in zip(path, states, strict=True):
        row.copy_(flatten(body, state))
    return path


def plane_of(path: Tensor) -> Plane:
    """Principal components of a path of weights, float32 (t, p) with t >= 3, by its t x t Gram matrix.

    The components are those of the centred path; the plane is laid through the last weights, where the loss is then
    the finished network's own. Raises InvalidInput if the path does not span a plane.
    """
    if len(path) < 3:
        raise InvalidInput(f"The path has {len(path)} points; a plane needs three (two epochs). Train longer.")
    centred = path - path.mean(0)
    values, vectors = torch.linalg.eigh(_gram(centred))
    values, vectors = values.flip(0).clamp(min=0), vectors.flip(1)
    if values[1] <= 1e-12 * values[0]:
        raise InvalidInput("The path of the weights is a straight line: it does not span a plane.")
    directions = (vectors[:, :2].float().T @ centred) / values[:2].sqrt().float()[:, None]
    coordinates = (path - path[-1]) @ directions.T
    sign = torch.where(coordinates[0] < 0, -1.0, 1.0)  # the path begins on the positive side: eigenvectors have no sign
    return Plane(
        start=path[0].clone(),
        final=path[-1].clone(),
        directions=directions * sign[:, None],
        coordinates=coordinates * sign,
        explained=(values[:2] / values.sum()).float(),
    )


def plane_bytes(plane: Plane) -> bytes:
    """The plane as a file's bytes (``plane_from_bytes`` reads them)."""
    buffer = io.BytesIO()
    torch.save(asdict(plane), buffer)
    return buffer.getvalue()


def plane_from_bytes(data: bytes, sha256: str = "") -> Plane:
    """A plane from its file; InvalidInput if the file is not the one whose SHA-256 was recorded."""
    if sha256 and hashlib.sha256(data).hexdigest() != sha256:
        raise InvalidInput("The file of the weights' path has changed since it was stored. Restore it from a backup.")
    return Plane(**torch.load(io.BytesIO(data), map_location="cpu", weights_only=True))


def landscape(
    network: nn.Module,
    body: nn.Module,
    plane: Plane,
    images: NDArray[np.uint8],
    labels: NDArray[Any],
    *,
    steps: int = 25,
    margin: float = 0.25,
    line_steps: int = 25,
    edge: int = 0,
    batch_size: int = 128,
    buffers: Buffers = "batch",
    device: str | torch.device | None = None,
    progress: Progress = no_progress,
) -> Landscape:
    """The loss on uint8 ``images`` (n, h, w, 3) over a ``steps`` x ``steps`` grid that holds the whole projected path.

    ``body`` is the part of ``network`` whose parameters the plane describes. ``margin`` widens the grid on each side
    by that share of the path's extent. ``edge`` > 0 evaluates on the central ``edge`` x ``edge`` pixels, at the patch's
    own scale: a cost of 1/12 for 64 of 224 pixels, and another loss, to be named beside the picture. The network's
    weights and buffers are as before when this returns.
    """
    if steps < 2:
        raise InvalidInput(f"{steps} is too few for a surface; at least 2.", field="steps")
    where = torch.device(device) if device else next(network.parameters()).device
    batches = _batches(images, labels, edge, batch_size, where)
    x, y = (_axis(plane.coordinates[:, axis].numpy(), steps, margin) for axis in (0, 1))
    line = np.linspace(0, 1, line_steps)
    points = [plane.weights(a, b) for a, b in plane.coordinates.tolist()]
    total = steps * steps + len(points) + line_steps
    done = 0

    def value(weights: Tensor) -> float:
        nonlocal done
        put(body, weights)
        done += 1
        progress(done, total)
        return mean_loss(network, batches)

    with _borrowed(network, body, where, buffers), torch.inference_mode(), full_precision():
        surface = np.array([[value(plane.weights(a, b)) for a in x.tolist()] for b in y.tolist()])
        path_loss = np.array([value(weights) for weights in points])
        line_loss = np.array([value(torch.lerp(plane.start, plane.final, float(share))) for share in line])
    return Landscape(x, y, surface, path_loss, line, line_loss)


def put(body: nn.Module, weights: Tensor) -> None:
    """Write a vector (p,) into the parameters, in place."""
    offset = 0
    for value in body.parameters():
        value.data.copy_(weights[offset : offset + value.numel()].view_as(value))
        offset += value.numel()


def mean_loss(network: nn.Module, batches: Sequence[tuple[Tensor, Tensor]]) -> float:
    """Mean cross-entropy over all images of the batches."""
    total = sum(
        nn.functional.cross_entropy(network(images).float(), labels, reduction="sum") for images, labels in batches
    )
    return float(total) / sum(len(labels) for _, labels in batches)


def _gram(rows: Tensor, chunk: int = 1_000_000) -> Tensor:
    """rows @ rows.T in float64, part by part."""
    gram = torch.zeros(len(rows), len(rows), dtype=torch.float64)
    for part in rows.split(chunk, dim=1):
        gram += part.double() @ part.double().T
    return gram


def _axis(values: NDArray[Any], steps: int, margin: float) -> NDArray[np.float64]:
    low, high = float(values.min()), float(values.max())
    pad = margin * max(high - low, 1e-6)
    return np.linspace(low - pad, high + pad, steps)


def _batches(
    images: NDArray[np.uint8], labels: NDArray[Any], edge: int, size: int, device: torch.device
) -> list[tuple[Tensor, Tensor]]:
    """Equal parts of the images as float batches, channels last, on the device.

    The classes are dealt evenly: a batch of one class, as a data set's own order gives it, would be centred on that
    class by BatchNorm's batch statistics, and its loss would say nothing of the network.
    """
    labels = np.asarray(labels)
    place = np.empty(len(labels))
    for one in np.unique(labels):
        count = int((labels == one).sum())
        place[labels == one] = (np.arange(count) + 0.5) / count
    dealt = np.argsort(place, kind="stable")
    images, labels = images[dealt], labels[dealt]
    height, width = images.shape[1:3]
    if edge:
        top, left = max(0, (height - edge) // 2), max(0, (width - edge) // 2)
        images = images[:, top : top + edge, left : left + edge]
    pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
    truth = torch.from_numpy(labels.astype(np.int64))
    parts = -(-len(images) // size)
    return [
        ((part.to(device).float() / 255).contiguous(memory_format=torch.channels_last), answer.to(device))
        for part, answer in zip(pixels.tensor_split(parts), truth.tensor_split(parts), strict=True)
    ]


@contextlib.contextmanager
def _borrowed(network: nn.Module, body: nn.Module, device: torch.device, buffers: Buffers) -> Iterator[None]:
    """The network in evaluation mode with BatchNorm as asked for; everything as it was at the end."""
    before = {key: value.detach().clone() for key, value in network.state_dict().items()}
    modes = {module: module.training for module in network.modules()}
    momenta = {
        module: module.momentum for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)
    }
    network.to(device).eval()
    if buffers == "batch":
        for norm in momenta:
            norm.train()
            norm.momentum = 0.0  # the batch's statistics, without remembering them
    try:
        yield
    finally:
        for norm, momentum in momenta.items():
            norm.momentum = momentum
        for module, mode in modes.items():
            module.training = mode
        network.load_state_dict(before)
