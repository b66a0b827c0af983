"""Several attacks of different kinds on the same images: what stands against all of them is the robust accuracy.

An attack that fails alone proves little; these fail in different ways (Croce and Hein 2020, "Reliable evaluation").
All are judged on displayed bytes.

pgd        descent on the margin, from the original and from random starts
ce, margin steps of adaptive length (L0, L1: few components) on the cross-entropy and on the margin. The DLR loss needs
           three classes; with two it would be the margin divided by itself
minimal    the smallest perturbation, if it is within the budget
transfer   perturbations made on other classifiers, if there are any (``transfer``)
square     a black-box search
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from attacks.engine.minimal import search
from attacks.engine.norms import Norm, check_budget, check_norm
from attacks.engine.passes import Passes
from attacks.engine.pgd import pgd
from attacks.engine.recipe import OWN_LENGTH, Recipe, minimal_recipe, recipe
from attacks.engine.results import PerturbationSet
from attacks.engine.square import square
from attacks.engine.transfer import carried_over
from core.errors import InvalidInput, Progress, no_progress

Work = Callable[[Passes, Tensor, Tensor, int, Progress], PerturbationSet]


@dataclass(frozen=True)
class BatteryRecipe:
    """Settings of a battery.

    restarts  random starts of the descent on the margin, after the one from the original
    steps     of each walk (the minimal search has its own number)
    queries   answers that the black-box search may ask for, per image
    """

    norm: Norm
    budget: float
    restarts: int
    steps: int
    queries: int
    seed: int

    def as_dict(self) -> dict[str, Any]:
        """For storing: plain JSON."""
        return asdict(self)


def battery_recipe(
    *, norm: str, budget: float | None, restarts: int = 1, steps: int = 100, queries: int = 1000, seed: int = 0
) -> BatteryRecipe:
    """A checked ``BatteryRecipe``; InvalidInput names what is out of range."""
    limit = check_budget(norm, budget)
    if norm == "none":
        raise InvalidInput("A battery asks what stands within a budget: choose a norm.", field="norm")
    if restarts < 0 or steps < 2 or queries < 0:
        raise InvalidInput("Restarts and queries are 0 or more, and steps 2 or more.")
    return BatteryRecipe(check_norm(norm), limit, restarts, steps, queries, seed)


@dataclass(frozen=True)
class Member:
    """One attack of a battery: ``work`` makes the perturbations of a chunk. ``kind`` is "white", "transfer" or "black":
    what it knows of the network."""

    name: str
    title: str
    kind: str
    work: Work


WALKS = {"l0": "sigma-zero", "l1": "APGD-L1", "l2": "APGD", "linf": "APGD"}


def members(asked: BatteryRecipe, others: Sequence[Passes] = ()) -> list[Member]:
    """The attacks of a battery, in the order in which they are run: the cheap and strong ones first."""
    norm, walk = asked.norm, WALKS[asked.norm]
    rule = next(rule for rule, norms in OWN_LENGTH.items() if norm in norms)

    def walked(loss: str, seed: int) -> Recipe:
        return recipe(
            norm=norm, budget=asked.budget, step_rule=rule, loss=loss, steps=asked.steps, random_start=True, seed=seed
        )

    found = [
        Member("pgd", f"PGD on the margin, {asked.restarts + 1} starts", "white", _restarted(asked)),
        Member("ce", f"{walk} on the cross-entropy", "white", _walk(walked("ce", asked.seed + 1))),
        Member("margin", f"{walk} on the margin", "white", _walk(walked("margin", asked.seed + 2))),
        Member("minimal", "Smallest perturbation, if within the budget", "white", _smallest(asked)),
    ]
    if others:
        one = "another classifier" if len(others) == 1 else f"{len(others)} other classifiers"
        found.append(Member("transfer", f"Made on {one}", "transfer", _carried(asked, others)))
    if asked.queries:
        found.append(Member("square", f"Square, {asked.queries} answers", "black", _black_box(asked)))
    return found


def first_descent(asked: BatteryRecipe) -> Recipe:
    """Descent on the margin from the original: the first attack of a battery, by which its flags are looked for."""
    spread = {"l0": "sign", "l1": "l2"}.get(asked.norm)
    return recipe(norm=asked.norm, budget=asked.budget, steps=min(asked.steps, 50), step_rule=spread, seed=asked.seed)


def _restarted(asked: BatteryRecipe) -> Work:
    def work(passes: Passes, images: Tensor, labels: Tensor, first: int, progress: Progress) -> PerturbationSet:
        plain = first_descent(asked)
        found = pgd(passes, images, labels, plain, first=first, progress=progress)
        for number in range(asked.restarts):
            again = replace(plain, random_start=True, seed=asked.seed + 101 + number)
            stand = np.flatnonzero(~(found.flipped | found.already_wrong))
            if not len(stand):
                break
            found = _with(found, stand, pgd(passes, images[stand], labels[stand], again, first=first), passes)
        return found

    return work


def _with(found: PerturbationSet, rows: Any, more: PerturbationSet, passes: Passes) -> PerturbationSet:
    """``found`` with what flipped of ``rows`` in a further run in place of what had not."""
    better = np.flatnonzero(more.flipped)
    at = rows[better]
    for name in ("displayed", "flipped_float", "flipped", "reached", "after", "steps"):
        getattr(found, name)[at] = getattr(more, name)[better]
    for norm, values in found.norms.items():
        values[at] = more.norms[norm][better]
    return replace(found, passes=dict(passes.count), seconds=found.seconds + more.seconds)


def _walk(chosen: Recipe) -> Work:
    def work(passes: Passes, images: Tensor, labels: Tensor, first: int, progress: Progress) -> PerturbationSet:
        return pgd(passes, images, labels, chosen, first=first, progress=progress)

    return work


def _smallest(asked: BatteryRecipe) -> Work:
    def work(passes: Passes, images: Tensor, labels: Tensor, first: int, progress: Progress) -> PerturbationSet:
        chosen = minimal_recipe(norm=asked.norm, seed=asked.seed)
        return search(passes, images, labels, chosen, budget=asked.budget, progress=progress)

    return work


def _carried(asked: BatteryRecipe, others: Sequence[Passes]) -> Work:
    def work(passes: Passes, images: Tensor, labels: Tensor, first: int, progress: Progress) -> PerturbationSet:
        return carried_over(passes, others, images, labels, norm=asked.norm, budget=asked.budget, seed=asked.seed)

    return work


def _black_box(asked: BatteryRecipe) -> Work:
    def work(passes: Passes, images: Tensor, labels: Tensor, first: int, progress: Progress) -> PerturbationSet:
        return square(
            passes, images, labels, norm=asked.norm, budget=asked.budget, queries=asked.queries, seed=asked.seed,
            first=first, progress=progress,
        )  # fmt: skip

    return work


def run(
    passes: Passes,
    images: Tensor,
    labels: Tensor,
    asked: BatteryRecipe,
    *,
    others: Sequence[Passes] = (),
    every: bool = False,
    progress: Progress = no_progress,
) -> tuple[list[dict[str, Any]], NDArray[np.bool_]]:
    """A battery on uint8 images (n, 3, h, w) with classes int64 (n,), without a database: one row per attack, and which
    images stand against all of them, (n,).

    A row says how many images the attack was ``asked`` about (all that are right, or those that stood against the
    attacks before it unless ``every``), how many it ``flipped``, how many of these none before it had (``first``), how
    many ``stand`` after it, the passes and the processor seconds.
    """
    passes.check(images)
    stands = (passes.judge(images).argmax(1) == labels).numpy()
    right, rows = stands.copy(), []
    for place, member in enumerate(chosen := members(asked, others)):
        rows_asked = np.flatnonzero(right if every else stands)
        before, began = dict(passes.count), time.process_time()
        flipped = np.zeros(len(images), dtype=bool)
        if len(rows_asked):
            found = member.work(passes, images[rows_asked], labels[rows_asked], 0, no_progress)
            flipped[rows_asked] = found.flipped
        rows.append(
            {
                "attack": member.name,
                "asked": len(rows_asked),
                "flipped": int(flipped.sum()),
                "first": int((flipped & stands).sum()),
                "stand": int((stands & ~flipped).sum()),
                "passes": {kind: count - before[kind] for kind, count in passes.count.items()},
                "cpu_seconds": time.process_time() - began,
            }
        )
        stands &= ~flipped
        progress(place + 1, len(chosen))
    return rows, stands
