"""Perturbations made on one network and shown to another.

Made on several at once (the mean of their margins, each in its own scale), they carry over best. A perturbation does
not stop at its first flip: one that hardly flips the network that it was made on flips no other.
"""

import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from attacks.engine.norms import Norm
from attacks.engine.passes import Passes, lost
from attacks.engine.pgd import pgd
from attacks.engine.recipe import Recipe, recipe
from attacks.engine.results import PerturbationSet
from core.errors import Progress, no_progress

STEPS = 50
OTHERS = "all others"
"""The source of perturbations that are made on every network but the target."""
_SURE = 0.999999
"""A probability that ends no descent before its last step."""


class MeanOf(nn.Module):
    """The mean of several networks' logits, each divided by its usual lead, so that all have an equal say."""

    def __init__(self, networks: Sequence[nn.Module], leads: Sequence[float]):
        super().__init__()
        self.networks, self.leads = nn.ModuleList(networks), list(leads)

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([net(x) / lead for net, lead in zip(self.networks, self.leads)]).mean(0)


def together(others: Sequence[Passes], images: Tensor) -> Passes:
    """Passes of the mean of the networks; ``images`` uint8 (n, 3, h, w) say how far each one's logits lie apart."""
    leads = []
    for one in others:
        top = one.judge(images[:64]).topk(2, 1).values
        leads.append(max(float((top[:, 0] - top[:, 1]).median()), 1e-12))
    joined = Passes(MeanOf([one.network for one in others], leads).eval(), device=others[0].device)
    joined.batch = others[0].batch
    return joined


def transfer_recipe(*, norm: Norm, budget: float, seed: int = 0) -> Recipe:
    """Descent on the margin that goes on to the last step."""
    spread = {"l0": "sign", "l1": "l2"}.get(norm)
    return recipe(norm=norm, budget=budget, steps=STEPS, step_rule=spread, confidence=_SURE, seed=seed)


def made_on(source: Passes, images: Tensor, labels: Tensor, *, norm: Norm, budget: float, seed: int = 0) -> Tensor:
    """Displayed perturbations, uint8 (n, 3, h, w), of ``source``'s network; originals where it errs already."""
    return pgd(source, images, labels, transfer_recipe(norm=norm, budget=budget, seed=seed)).displayed


def shown_to(
    target: Passes, images: Tensor, displayed: Tensor, labels: Tensor, *, started: float, recipe: Recipe
) -> PerturbationSet:
    """What the perturbations do to another network."""
    before = target.judge(images)
    return PerturbationSet.of_whole_numbers(
        target,
        images,
        displayed,
        labels,
        before=before,
        started=started,
        steps=torch.full((len(images),), recipe.steps).numpy(),
        settings=recipe.as_dict(),
    )


def carried_over(
    target: Passes,
    others: Sequence[Passes],
    images: Tensor,
    labels: Tensor,
    *,
    norm: Norm,
    budget: float,
    seed: int = 0,
) -> PerturbationSet:
    """Made on all the others together, shown to ``target``. Their passes are counted as the target's."""
    started = time.perf_counter()
    joined = together(others, images)
    joined.check(images)
    displayed = made_on(joined, images, labels, norm=norm, budget=budget, seed=seed)
    for kind, count in joined.count.items():
        target.count[kind] += len(others) * count
    chosen = transfer_recipe(norm=norm, budget=budget, seed=seed)
    return shown_to(target, images, displayed, labels, started=started, recipe=chosen)


def table(
    networks: dict[str, Passes],
    asked: dict[str, tuple[Tensor, Tensor]],
    *,
    norm: Norm,
    budget: float,
    seed: int = 0,
    progress: Progress = no_progress,
) -> list[dict[str, Any]]:
    """How many of each network's images perturbations made on each network flip, and such made on all the others.

    ``asked``: uint8 images and classes int64 for each target, by name. Rows {"source", "target", "flipped", "of"}:
    counted are images that target and source get right (all the others together, for ``OTHERS``). Where source and
    target are one, the attack sees what it attacks.
    """
    rows: list[dict[str, Any]] = []
    together_too = len(networks) > 2
    whole = len(networks) * (len(networks) + together_too)
    for name, target in networks.items():
        images, labels = asked[name]
        right = target.judge(images).argmax(1) == labels
        others = [one for other, one in networks.items() if other != name]
        sources = networks | ({OTHERS: together(others, images)} if together_too else {})
        for source_name, source in sources.items():
            both = right & (source.judge(images).argmax(1) == labels)
            flipped = 0
            if both.any():
                displayed = made_on(source, images[both], labels[both], norm=norm, budget=budget, seed=seed)
                flipped = int(lost(target.judge(displayed), labels[both], target.margin).sum())
            rows.append({"source": source_name, "target": name, "flipped": flipped, "of": int(both.sum())})
            progress(len(rows), whole)
    return rows
