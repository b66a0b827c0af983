"""The labels that a reader's presentations would have under other seeds of the same schedule."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from study.design.schedule import Schedule, StimulusKey


@dataclass(frozen=True, slots=True)
class Drawn:
    """Labels per presentation (ordered by reader, set, position) and draw, both (n, 1 + B); column 0 is the truth."""

    arm: NDArray[np.str_]
    patch: NDArray[np.str_]


def redraw(
    true: Sequence[tuple[StimulusKey, bool]],
    keys: Sequence[StimulusKey],
    *,
    draw: Callable[[int, int], Schedule],
    draws: int,
    seed: int,
    pair: bool,
) -> Drawn:
    """One reader's true labels, and those of ``draws`` further schedules.

    Args:
        true: the presentations in order: the stimulus, and in a pair whether the altered one stood first.
        keys: what the schedule puts in order.
        draw: a further schedule of this reader's by the number of the draw and a seed. Readers who share a plan must
            share it in each draw, too: the number tells them which.
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
    if pair:
        arms = np.where(np.array(sides).T, "altered first", "altered second")
    return Drawn(arm=arms, patch=np.array([str(key.case_id) for key in keys])[order])
