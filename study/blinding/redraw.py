"""The labels that a reader's presentations would have under other seeds of the same schedule."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from study.design.ladders import ladder_of
from study.design.schedule import Schedule, StimulusKey


@dataclass(frozen=True, slots=True)
class Drawn:
    """Labels per presentation (ordered by reader, set, position) and draw, all (n, 1 + B); column 0 is the truth.

    ``further``: of pairs, what must not be told either, true or false: whether the answer was right, or the one before
    it; whether most answers so far were right (an adaptive set then shows weak levels); the ladder, and whether the
    level is a strong one.
    """

    arm: NDArray[np.str_]
    patch: NDArray[np.str_]
    further: dict[str, NDArray[np.bool_]] = field(default_factory=dict)


def redraw(
    true: Sequence[tuple[StimulusKey, bool]],
    keys: Sequence[StimulusKey],
    *,
    draw: Callable[[int, int], Schedule],
    draws: int,
    seed: int,
    pair: bool,
    chose_first: Sequence[bool] = (),
) -> Drawn:
    """One reader's true labels, and those of ``draws`` further schedules.

    Args:
        true: the presentations in order: the stimulus, and in a pair whether the altered one stood first.
        keys: what the schedule puts in order.
        draw: a further schedule of this reader's by the number of the draw and a seed. Readers who share a plan must
            share it in each draw, too: the number tells them which.
        chose_first: of pairs, what was answered. The audit's answers have nothing to do with what was shown.
    """
    rng = np.random.default_rng(seed)
    orders = [[keys.index(key) for key, _ in true]]
    sides = [[first for _, first in true]]
    for number in range(draws):
        schedule = draw(number, int(rng.integers(2**62)))
        orders.append([index for order in schedule.sets for index in order])
        sides.append(
            [bool(side) for order in schedule.sets for side in rng.permutation(np.arange(len(order)) % 2 == 0)]
        )
    order = np.array(orders).T
    arms = np.array([key.arm for key in keys])[order]
    further = {}
    if pair:
        altered_first = np.array(sides).T
        if len(chose_first):
            further = _further(arms, altered_first == np.array(chose_first)[:, None])
        arms = np.where(altered_first, "altered first", "altered second")
    return Drawn(arm=arms, patch=np.array([str(key.case_id) for key in keys])[order], further=further)


def _further(arms: NDArray[np.str_], right: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
    """Labels of one reader's pairs from the schedule's arms and from which answers were right, both (n, 1 + B)."""
    names, index = np.unique(arms, return_inverse=True)
    index = index.reshape(arms.shape)
    ladders = [ladder_of(name) or name.split("#")[0] for name in names]
    labels = {"right": right, "right before": np.vstack([np.zeros_like(right[:1]), right[:-1]])}
    kinds = sorted(set(ladders))
    mostly = np.zeros_like(right)
    for kind in kinds:
        here = np.isin(index, [at for at, ladder in enumerate(ladders) if ladder == kind])
        if len(kinds) > 1:
            labels[f"ladder {kind}"] = here
        steps = np.where(here, np.where(right, 1, -1), 0)
        mostly |= here & (steps.cumsum(axis=0) - steps > 0)
    labels["mostly right"] = mostly
    steps_up = [int(name[-2:]) for name in names if ladder_of(name)]
    if steps_up:
        middle = (1 + max(steps_up)) / 2
        strong = [at for at, name in enumerate(names) if ladder_of(name) and int(name[-2:]) > middle]
        labels["strong"] = np.isin(index, strong)
    return labels
