"""Training: patches stay in memory as bytes, on the device where they fit, and one gather augments them.

The paper's recipe (section 2.1: AdaDelta, learning rate 0.01, 25 epochs) is the ``paper`` preset; ``quick`` is meant
for CPUs. Everything that is drawn comes from one seed: on one machine, equal settings give equal weights.
"""

import contextlib
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.errors import InvalidInput, Progress, no_progress
from model.learning.defence import RAMP, Defence, defended_loss, free_step
from model.learning.network import Network
from model.learning.resume import Checkpoint

ROOM = 0.5
"""Share of the device's free memory that patches may take; beyond it they stay on the host."""


@dataclass(frozen=True)
class TrainSettings:
    """What determines a training, beside the patches and the seed.

    ``shrink`` > 1 builds a network that averages squares of that many pixels first (see ``Network``): a classifier of
    coarser sight at a fraction of the cost. ``crop`` > 0 trains on random windows of that many pixels at the patch's
    own scale, except in the last ``whole_epochs``, which see whole patches; the finished network is always used on
    whole patches. ``settle`` ends by measuring BatchNorm's means and variances anew on whole training patches: the
    running ones lag behind in a short training and are those of windows. ``defence``: see ``model.learning.defence``.
    """

    preset: str = "paper"
    optimiser: Literal["adadelta", "adamw"] = "adadelta"
    learning_rate: float = 0.01
    schedule: Literal["constant", "one-cycle"] = "constant"
    weight_decay: float = 0.0
    epochs: int = 25
    batch_size: int = 32
    shrink: int = 1
    crop: int = 0
    whole_epochs: int = 0
    settle: bool = False
    augment: bool = True
    bf16: bool = True
    compile: bool = False
    defence: Defence | None = None

    def __post_init__(self) -> None:
        for name, low in (("epochs", 1), ("shrink", 1), ("batch_size", 2), ("crop", 0), ("whole_epochs", 0)):
            if getattr(self, name) < low:
                raise InvalidInput(f"{getattr(self, name)} is too small; it must be at least {low}.", field=name)
        if not 0 < self.learning_rate < 1000:
            raise InvalidInput(f"{self.learning_rate} is not a positive number.", field="learning_rate")

    def as_dict(self) -> dict[str, Any]:
        """For storing; without a defence where there is none."""
        return {name: value for name, value in asdict(self).items() if name != "defence" or value is not None}


PRESETS = {
    "paper": TrainSettings(),
    "quick": TrainSettings(
        preset="quick",
        optimiser="adamw",
        learning_rate=1e-3,
        schedule="one-cycle",
        weight_decay=0.05,
        epochs=12,
        batch_size=16,
        shrink=2,
        settle=True,
    ),
}


def preset(name: str, **changes: Any) -> TrainSettings:
    """A preset by name, with the fields of ``changes`` that are not None put in place of its own."""
    if name not in PRESETS:
        raise InvalidInput(f"{name!r} is not one of {', '.join(PRESETS)}.", field="preset")
    return replace(PRESETS[name], **{key: value for key, value in changes.items() if value is not None})


@dataclass(frozen=True)
class Trained:
    """A finished training: the network (evaluation mode, on ``device``), one row per epoch, and the speed.

    ``images_per_second`` counts training images over the time in the training loop, without loading.
    ``weights`` is the trajectory (see ``keep_weights``), empty unless asked for.
    """

    network: Network
    history: list[dict[str, float]]
    seconds: float
    images_per_second: float
    device: str
    weights: list[dict[str, Tensor]] = field(default_factory=list)


def train(
    network: Network,
    images: NDArray[np.uint8],
    labels: NDArray[Any],
    settings: TrainSettings,
    *,
    seed: int,
    device: str | torch.device | None = None,
    keep_weights: bool = False,
    checkpoint: Checkpoint | None = None,
    watch: Callable[[Network], dict[str, float]] | None = None,
    progress: Progress = no_progress,
) -> Trained:
    """Train ``network`` in place on uint8 ``images`` (n, h, w, 3) with ``labels`` (n,) of 0 and 1.

    An epoch is a random order cut into batches whose sizes differ by at most one, so that no image is left out and no
    batch is too small to normalise. ``keep_weights`` copies the state dict before the first and after each epoch (for
    the loss landscape). With a ``checkpoint`` the state is kept after each epoch, and a training that was killed goes
    on from there to the same weights; ``seconds`` are then those of the last run. ``watch`` is asked after each epoch,
    and its answer joins the epoch's row; it may measure BatchNorm anew. ``progress`` counts batches. Raises
    InvalidInput for unusable images or labels and for a loss that is no longer finite.
    """
    check_patches(images, labels)
    place = torch.device(device) if device else best_device()
    pixels = _as_near_as_fits(torch.from_numpy(np.ascontiguousarray(images)), place)
    truth = torch.from_numpy(np.asarray(labels).astype(np.int64)).to(place)
    # weights in channels_last pay on CUDA's tensor cores and, a little, on CPUs
    network.to(place).to(memory_format=torch.channels_last)
    network.train()
    batches = -(-len(images) // settings.batch_size)
    total = settings.epochs * batches
    optimiser = _optimiser(network, settings)
    schedule = _schedule(optimiser, settings, total)
    strength = torch.ones((), device=place)
    step = _step(network, optimiser, settings, place, strength)
    draw = torch.Generator().manual_seed(seed)
    history: list[dict[str, float]] = []
    trajectory = [_copy(network)] if keep_weights else []
    started = time.perf_counter()
    with _reproducible(seed, place):
        begun = 0
        if checkpoint and (kept := checkpoint.load(network, optimiser, draw, place)):
            history, trajectory, begun = kept["history"], kept["trajectory"], len(kept["history"])
            _wind(schedule, begun * batches, optimiser)
        for epoch in range(begun, settings.epochs):
            crop = settings.crop if epoch < settings.epochs - settings.whole_epochs else 0
            loss_sum, right = torch.zeros(2, device=place)
            for batch, rows in enumerate(torch.randperm(len(images), generator=draw).tensor_split(batches)):
                seen = window(pixels, rows, draw, crop=crop, augment=settings.augment, device=place)
                answers = truth[rows.to(place)]
                if settings.defence:
                    strength.fill_(min(1.0, (epoch * batches + batch + 1) / max(1, RAMP * total)))
                loss, logits = step(seen, answers)
                schedule()
                loss_sum += loss * len(rows)
                right += (logits.argmax(1) == answers).sum()
                progress(epoch * batches + batch + 1, total)
            mean_loss = float(loss_sum) / len(images)
            if not np.isfinite(mean_loss):
                raise InvalidInput(f"The loss is {mean_loss} in epoch {epoch + 1}. Lower the learning rate.")
            row = {"epoch": epoch + 1, "loss": mean_loss, "accuracy": float(right) / len(images)}
            history.append(row | (watch(network) if watch else {}))
            network.train()
            if keep_weights:
                trajectory.append(_copy(network))
            if checkpoint:
                checkpoint.save(network, optimiser, draw, history=history, trajectory=trajectory)
        if settings.settle:
            settle(network, pixels, place)
    network.zero_grad(set_to_none=True)
    seconds = time.perf_counter() - started
    network.eval()
    seen_images = (settings.epochs - begun) * len(images)
    return Trained(network, history, seconds, seen_images / seconds, str(place), trajectory)


def window(
    pixels: Tensor,
    rows: Tensor,
    draw: torch.Generator,
    *,
    crop: int,
    augment: bool,
    device: torch.device,
) -> Tensor:
    """A batch, float (b, 3, s, s) in [0, 1], channels last, out of uint8 ``pixels`` (n, h, w, 3).

    With ``augment`` each image is turned by one of the eight symmetries of the square (flips and quarter turns), with
    ``crop`` > 0 cut to a random window; both by one gather, on the device that holds the pixels.
    """
    count, height, width = len(rows), pixels.shape[1], pixels.shape[2]
    tall, wide = (min(crop, height), min(crop, width)) if crop else (height, width)
    top = torch.randint(height - tall + 1, (count, 1), generator=draw)
    left = torch.randint(width - wide + 1, (count, 1), generator=draw)
    y, x = top + torch.arange(tall), left + torch.arange(wide)  # (b, tall), (b, wide)
    if augment:
        flips = torch.rand(3, count, 1, generator=draw) < 0.5
        y, x = torch.where(flips[0], y.flip(1), y), torch.where(flips[1], x.flip(1), x)
    y, x, rows = (part.to(pixels.device, non_blocking=True) for part in (y, x, rows))
    y, x = y[:, :, None], x[:, None, :]
    if augment and tall == wide:  # transposing: row i of the output runs down column i of the source
        turned = flips[2].to(pixels.device)[:, :, None]
        y, x = torch.where(turned, y.mT, y), torch.where(turned, x.mT, x)
    batch = pixels[rows[:, None, None], y, x]  # (b, s, s, 3): already channels last
    return batch.to(device, non_blocking=True).permute(0, 3, 1, 2).float().div_(255)


def settle(network: nn.Module, pixels: Tensor, device: torch.device, *, at_most: int = 512) -> None:
    """Set BatchNorm's running means and variances to the averages over (up to ``at_most``) whole patches.

    ``pixels`` uint8 (n, h, w, 3). The weights stay; networks without BatchNorm are left alone.
    """
    norms = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average over the batches
    rows = torch.linspace(0, len(pixels) - 1, min(at_most, len(pixels))).round().long()
    network.train()
    with torch.no_grad():
        for part in rows.tensor_split(-(-len(rows) // 32)):
            network(window(pixels, part, torch.Generator(), crop=0, augment=False, device=device))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def best_device() -> torch.device:
    """CUDA where there is a GPU, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def check_patches(images: NDArray[Any], labels: NDArray[Any]) -> None:
    """Raise InvalidInput unless ``images`` are uint8 (n, h, w, 3) and ``labels`` (n,) hold 0 and 1, both and only."""
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
        raise InvalidInput(f"uint8 (n, h, w, 3) expected, got {images.dtype} {images.shape}.", field="images")
    if len(images) != len(labels):
        raise InvalidInput(f"{len(images)} images but {len(labels)} labels.")
    found = set(np.unique(np.asarray(labels)).tolist())
    if not found <= {0, 1}:
        raise InvalidInput(f"0 (no tumour) and 1 (tumour) expected, got {sorted(found)[:5]}.", field="labels")
    if found != {0, 1}:
        raise InvalidInput(
            f"{'all' if len(labels) else 'none'} of one class; training needs both classes.", field="labels"
        )


# --- Parts of the loop ----------------------------------------------------------------------------------------------


def _optimiser(network: nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
    rate, decay = settings.learning_rate, settings.weight_decay
    if settings.optimiser == "adadelta":
        return torch.optim.Adadelta(network.parameters(), lr=rate, weight_decay=decay)
    return torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=decay, fused=True)


def _schedule(optimiser: torch.optim.Optimizer, settings: TrainSettings, total: int) -> Callable[[], None]:
    if settings.schedule == "constant" or total < 4:
        return lambda: None
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.learning_rate, total_steps=total + 1)
    return scheduler.step


def _wind(schedule: Callable[[], None], steps: int, optimiser: torch.optim.Optimizer) -> None:
    """Bring a fresh schedule to where it stood after so many steps; the optimiser stays as it was loaded."""
    groups = [dict(group) for group in optimiser.param_groups]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a schedule expects the optimiser to have stepped, too
        for _ in range(steps):
            schedule()
    for group, kept in zip(optimiser.param_groups, groups, strict=True):
        group.update(kept)


def _step(
    network: Network,
    optimiser: torch.optim.Optimizer,
    settings: TrainSettings,
    device: torch.device,
    strength: Tensor,
) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """One optimisation step: (images, labels) -> (mean loss, logits), both detached."""
    forward: Callable[[Tensor], Tensor] = torch.compile(network) if settings.compile else network
    bf16 = settings.bf16 and device.type == "cuda"  # on CPUs without matrix units bfloat16 is ten times slower

    def answered(images: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, cache_enabled=False) if bf16 else contextlib.nullcontext():
            return forward(images)

    def both_ways(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        if settings.defence:
            loss, logits = defended_loss(answered, network, images, labels, settings.defence, strength)
        else:
            logits = answered(images)
            loss = nn.functional.cross_entropy(logits.float(), labels)
        network.zero_grad(set_to_none=True)
        loss.backward()
        return loss.detach(), logits.detach()

    passes = both_ways if device.type != "cuda" or settings.compile else recorded(both_ways, network)

    def step(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        if settings.defence and settings.defence.kind == "free":
            return free_step(answered, network, optimiser, images, labels, settings.defence, strength)
        answer = passes(images, labels)
        optimiser.step()
        return answer

    return step


BothWays = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def recorded(passes: BothWays, network: nn.Module) -> BothWays:
    """The same forward and backward passes as a CUDA graph, one for each size of batch.

    Launched one by one, the several hundred kernels of a small batch take longer to launch than to run.
    """
    graphs: dict[torch.Size, BothWays] = {}

    def replay(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        if images.shape not in graphs:
            with torch.cuda.device(images.device):
                graphs[images.shape] = _record(passes, network, images, labels)
        return graphs[images.shape](images, labels)

    return replay


def _record(passes: BothWays, network: nn.Module, images: Tensor, labels: Tensor) -> BothWays:
    """A graph of ``passes`` on batches of this shape.

    Recording leaves weights, buffers and the random state alone, so that a training that goes on draws as a whole one.
    """
    random = torch.cuda.get_rng_state(images.device)
    images, labels = images.clone(), labels.clone()  # where the graph reads
    buffers = [(buffer, buffer.clone()) for buffer in network.buffers()]
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # what libraries allocate at their first call must not be recorded
        for _ in range(3):
            passes(images, labels)
    torch.cuda.current_stream().wait_stream(side)
    network.zero_grad(set_to_none=True)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        answer = passes(images, labels)
    gradients = [(weight, weight.grad) for weight in network.parameters()]
    for buffer, value in buffers:
        buffer.copy_(value)
    torch.cuda.set_rng_state(random, images.device)

    def replay(seen: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
        images.copy_(seen)
        labels.copy_(truth)
        graph.replay()
        for weight, gradient in gradients:  # a graph of another size writes elsewhere
            weight.grad = gradient
        return answer

    return replay


def _as_near_as_fits(pixels: Tensor, device: torch.device) -> Tensor:
    """On the device if they take no more than ``ROOM`` of its free memory, else pinned on the host."""
    if device.type != "cuda":
        return pixels
    free, _ = torch.cuda.mem_get_info(device)
    return pixels.to(device) if pixels.nbytes <= ROOM * free else pixels.pin_memory()


@contextlib.contextmanager
def _reproducible(seed: int, device: torch.device) -> Iterator[None]:
    """Dropout from the seed and deterministic convolutions, leaving the caller's random state as it was."""
    devices = [device] if device.type == "cuda" else []
    with (
        torch.random.fork_rng(devices=devices),
        torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=True),
    ):
        torch.manual_seed(seed)
        yield


def _copy(network: Network) -> dict[str, Tensor]:
    return {key: value.detach().cpu().clone() for key, value in network.body.state_dict().items()}
