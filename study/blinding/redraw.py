"""The labels that a reader's presentations would have under other seeds of the same schedule."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from study.design.schedule import StimulusKey, build_schedule


@dataclass(frozen=True, slots=True)
class Drawn:
    """Labels per presentation (ordered by reader, set, position) and draw, both (n, 1 + B); column 0 is the truth."""

    arm: NDArray[np.str_]
    patch: NDArray[np.str_]


def redraw(
    true: Sequence[tuple[StimulusKey, bool]],
    keys: Sequence[StimulusKey],
    *,
    copies: int,
    min_gap: int,
    draws: int,
    seed: int,
    pair: bool,
    adjacent_sets: bool = True,
) -> Drawn:
    """One reader's true labels, and those of ``draws`` further schedules.

    Args:
        true: the presentations in order: the stimulus, and in a pair whether the altered one stood first.
        keys: what the schedule puts in order.
        adjacent_sets: whether the gap holds from one set to the next.
    """
    rng = np.random.default_rng(seed)
    orders = [[keys.index(key) for key, _ in true]]
    sides = [[first for _, first in true]]
    size = len(keys)
    for _ in range(draws):
        drawn = int(rng.integers(2**62))
        schedule = build_schedule(keys, copies=copies, min_gap=min_gap, seed=drawn, adjacent_sets=adjacent_sets)
        orders.append([index for order in schedule.sets for index in order])
        sides.append([bool(side) for _ in range(copies) for side in rng.permutation(np.arange(size) % 2 == 0)])
    order = np.array(orders).T
    arms = np.array([key.arm for key in keys])[order]
    if pair:
        arms = np.where(np.array(sides).T, "altered first", "altered second")
    return Drawn(arm=arms, patch=np.array([str(key.case_id) for key in keys])[order])
