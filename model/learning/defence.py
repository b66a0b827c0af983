"""Training that withstands attacks: the loss on a batch as it is at its worst, and how well a network withstands.

pgd     the worst of a few sign steps within the budget takes the patch's place (Madry et al. 2018)
free    the gradient that moves the weights moves the perturbation, too; a batch is used ``steps`` times in a row
        (Shafahi et al. 2019)
trades  the loss on the patch as it is, plus ``weight`` times how far the answer moves within the budget
        (Zhang et al. 2019)
stain   as pgd, with gains and shifts of the stains' optical densities in place of pixels

Budgets are Linf in grey levels, or for ``stain`` the largest relative gain; a shift is at most a fifth of it, in
optical density. The budget grows from nothing over the first quarter of a training.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from core.errors import InvalidInput
from model.learning.prediction import full_precision
from model.learning.staining import stained

Kind = Literal["pgd", "free", "trades", "stain"]
KINDS: tuple[Kind, ...] = get_args(Kind)
DEFAULT_STEPS: dict[Kind, int] = {"pgd": 3, "free": 4, "trades": 3, "stain": 2}
DEFAULT_BUDGET: dict[Kind, float] = {"pgd": 2.0, "free": 2.0, "trades": 2.0, "stain": 0.2}
RAMP = 0.25
"""Share of a training over which the budget grows."""
SHIFT = 0.2
"""Largest shift of a stain, as a share of its largest gain."""
JUDGED_STEPS = 10
"""Steps of the attack by which a defended network is watched."""
Forward = Callable[[Tensor], Tensor]
Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Defence:
    """What a training is defended against, and how."""

    kind: Kind
    budget: float
    steps: int
    weight: float = 6.0

    @property
    def in_stain(self) -> bool:
        return self.kind == "stain"


def defence(
    kind: str, *, budget: float | None = None, steps: int | None = None, weight: float | None = None
) -> Defence:
    """A checked ``Defence`` with defaults filled in; InvalidInput names what is out of range."""
    known = next((one for one in KINDS if one == kind), None)
    if known is None:
        raise InvalidInput(f"{kind!r} is not one of {', '.join(KINDS)}.", field="defend")
    if weight is not None and known != "trades":
        raise InvalidInput("Only TRADES weighs two losses. Leave it out.", field="defend_weight")
    found = Defence(
        known,
        DEFAULT_BUDGET[known] if budget is None else float(budget),
        DEFAULT_STEPS[known] if steps is None else steps,
        6.0 if weight is None else float(weight),
    )
    most = 0.9 if found.in_stain else 64
    if not 0 < found.budget <= most:
        what = "a share of the stain, above 0 and at most 0.9" if found.in_stain else "grey levels, above 0, at most 64"
        raise InvalidInput(f"{found.budget:g} is out of range: {what}.", field="defend_budget")
    if found.steps < 1:
        raise InvalidInput(f"{found.steps} is too few; at least 1.", field="defend_steps")
    if found.weight <= 0:
        raise InvalidInput(f"{found.weight:g} must be above 0.", field="defend_weight")
    return found


# --- One batch ------------------------------------------------------------------------------------------------------


def defended_loss(
    forward: Forward, network: nn.Module, images: Tensor, labels: Tensor, chosen: Defence, strength: Tensor
) -> tuple[Tensor, Tensor]:
    """The mean loss of images (b, 3, h, w) in [0, 1] at their worst, and the logits (b, 2) there.

    ``strength`` (a tensor, so that a recorded CUDA graph can be told another) is the share of the budget in force.
    """
    if chosen.kind != "trades":
        with frozen_statistics(network):
            worst = worst_of(forward, images, lambda logits, _: _cross_entropy(logits, labels), chosen, strength)
        logits = forward(worst).float()
        return _cross_entropy(logits, labels), logits
    with frozen_statistics(network):
        calm = forward(images).float().detach().softmax(1)
        worst = worst_of(forward, images, lambda logits, _: _divergence(calm, logits), chosen, strength)
    logits, moved = forward(images).float(), forward(worst).float()
    return _cross_entropy(logits, labels) + chosen.weight * _divergence(logits.softmax(1), moved), logits


def worst_of(forward: Forward, images: Tensor, loss: Loss, chosen: Defence, strength: Tensor) -> Tensor:
    """Images in [0, 1] at the end of a few steps up the loss, from a random start within the budget; detached."""
    limits = _limits(images, chosen) * strength
    change = (2 * torch.rand_like(limits) - 1) * limits
    step = limits * min(1.25, 2.5 / chosen.steps)
    for _ in range(chosen.steps):
        change = change.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(loss(forward(_changed(images, change, chosen)).float(), images), change)
        change = torch.minimum(torch.maximum(change.detach() + step * gradient.sign(), -limits), limits)
    return _changed(images, change, chosen).detach()


def free_step(
    forward: Forward,
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    images: Tensor,
    labels: Tensor,
    chosen: Defence,
    strength: Tensor,
) -> tuple[Tensor, Tensor]:
    """``steps`` updates of the weights on one batch, each of which moves the perturbation as well."""
    limit = chosen.budget / 255 * strength
    change = (2 * torch.rand_like(images) - 1) * limit
    for _ in range(chosen.steps):
        change = change.detach().requires_grad_(True)
        logits = forward((images + change).clamp(0, 1)).float()
        loss = _cross_entropy(logits, labels)
        network.zero_grad(set_to_none=True)
        loss.backward()
        assert change.grad is not None
        change = torch.minimum(torch.maximum(change.detach() + limit * change.grad.sign(), -limit), limit)
        optimiser.step()
    return loss.detach(), logits.detach()


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return nn.functional.cross_entropy(logits.float(), labels)


def _divergence(calm: Tensor, logits: Tensor) -> Tensor:
    """Kullback-Leibler divergence of the answers to the moved images from those to the images as they are."""
    return nn.functional.kl_div(logits.float().log_softmax(1), calm, reduction="batchmean")


def _limits(images: Tensor, chosen: Defence) -> Tensor:
    """The largest change of every number that may change: pixels (b, 3, h, w), or gains and shifts (b, 6)."""
    if not chosen.in_stain:
        return torch.full_like(images, chosen.budget / 255)
    return _stain_limits(images.device).repeat(len(images), 1) * chosen.budget


@functools.cache
def _stain_limits(device: torch.device) -> Tensor:
    """Gains and shifts as shares of the budget, (6,); kept, since a CUDA graph records no copy to the device."""
    return torch.tensor([1.0] * 3 + [SHIFT] * 3, device=device)


def _changed(images: Tensor, change: Tensor, chosen: Defence) -> Tensor:
    if not chosen.in_stain:
        return (images + change).clamp(0, 1)
    return stained(images * 255, 1 + change[:, :3], change[:, 3:]) / 255


@contextlib.contextmanager
def frozen_statistics(network: nn.Module) -> Iterator[None]:
    """Passes as in training, by the batch's own means and variances, that leave BatchNorm's running ones alone."""
    norms = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum


# --- How well it withstands -----------------------------------------------------------------------------------------


def withstood(network: nn.Module, images: Tensor, labels: Tensor, chosen: Defence, *, batch: int = 16) -> Tensor:
    """Right as they are, and still right on displayed bytes under attack: bool (2, n) of uint8 images (n, 3, h, w).

    The attack climbs the margin in ``JUDGED_STEPS`` steps, in whole grey levels where pixels change. It is for
    watching a training; `attack` and `compare` are stronger.
    """
    device = next(network.parameters()).device
    was_training = network.training
    network.eval()
    parts = []
    with full_precision():
        for some, truth in zip(images.split(batch), labels.split(batch)):
            parts.append(_withstood(network, some.to(device).float() / 255, truth.to(device), chosen).cpu())
    network.train(was_training)
    return torch.cat(parts, 1)


def _withstood(network: nn.Module, images: Tensor, labels: Tensor, chosen: Defence) -> Tensor:
    limits = _limits(images, chosen)
    step = limits / 4
    if not chosen.in_stain:
        limits = torch.floor(limits * 255) / 255
        step = (limits * 255 / 4).round().clamp_min(1) / 255
    right = network(images).argmax(1) == labels
    held, change = right.clone(), torch.zeros_like(limits)
    for _ in range(JUDGED_STEPS):
        change.requires_grad_(True)
        logits = network(_changed(images, change, chosen))
        gap = logits.gather(1, 1 - labels[:, None]) - logits.gather(1, labels[:, None])
        (gradient,) = torch.autograd.grad(gap.sum(), change)
        change = torch.minimum(torch.maximum(change.detach() + step * gradient.sign(), -limits), limits)
        with torch.no_grad():
            shown = (_changed(images, change, chosen) * 255).round() / 255
            held &= network(shown).argmax(1) == labels
    return torch.stack([right, held])
