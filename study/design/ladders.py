"""How ladders, levels and the places of an adaptive set are named. Pure text; nothing here reads a picture."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from study.design.adaptive import Prior
from study.design.draws import Draws, Seed
from study.design.schedule import StimulusKey

ORIGINAL = "original"
TOWARD, AWAY = "toward", "away"
"""The twins of a bias pair: of equal energy, one pushed toward "tumour" and one away from it."""
BESIDE = (ORIGINAL, AWAY)
"""What stands beside the image that a pair is about: the altered one, or the one pushed toward "tumour"."""
IDENTICAL = "identical"
"""In a schedule: the original beside itself. It is no arm of its own: both images are the original's bytes."""
RULE = "least expected entropy of the threshold, slope and lapse summed out (after QUEST+ and psi-marginal)"
STOP = "a fixed number of pairs: a stop that depends on the answers would tell readers how they fare"

_LEVEL = re.compile(r"^(.+):(\d\d)$")
_SLOT = re.compile(r"^(.+)#(\d+)$")


def arm_of(ladder: str, level: int) -> str:
    """``("perturbed", 3)`` -> ``perturbed:03``."""
    return f"{ladder}:{level:02d}"


def ladder_of(arm: str) -> str:
    """``perturbed:03`` -> ``perturbed``; "" for an arm that is no level of a ladder."""
    found = _LEVEL.match(arm)
    return found.group(1) if found else ""


def slot_key(case: str | int, ladder: str, turn: int) -> StimulusKey:
    """A place of an adaptive set: the ``turn``-th pair of a case on a ladder, or of identical images where it is ""."""
    return StimulusKey(case, f"{ladder or IDENTICAL}#{turn}")


def read_slot(key: StimulusKey) -> tuple[str, int]:
    """Ladder ("" for identical images) and turn."""
    found = _SLOT.match(key.arm)
    if found is None:
        raise ValueError(f"{key} is no place of an adaptive set")
    return "" if found.group(1) == IDENTICAL else found.group(1), int(found.group(2))


def is_identical(key: StimulusKey) -> bool:
    return key.arm.split("#")[0] == IDENTICAL


def identical_keys(cases: Sequence[str | int], count: int, seed: Seed) -> list[StimulusKey]:
    """The pairs of identical images of a fixed set: at most one per case, the cases drawn by ``seed``."""
    return [StimulusKey(case, IDENTICAL) for case in Draws(seed).shuffled(cases)[:count]]


def slot_keys(
    cases: Sequence[str | int], ladders: Iterable[str], *, trials: int, identical: int, seed: Seed
) -> list[StimulusKey]:
    """All places of an adaptive set: every ladder meets every case equally often, as nearly as ``trials`` allow."""
    order = Draws(seed).shuffled(cases)
    wanted = [*((ladder, trials) for ladder in ladders), ("", identical)]
    keys, at = [], 0
    for ladder, count in wanted:
        turns: dict[str | int, int] = {}
        for place in range(at, at + count):
            case = order[place % len(order)]
            turns[case] = turns.get(case, 0) + 1
            keys.append(slot_key(case, ladder, turns[case]))
        at += count  # the next ladder goes on where this one stopped, so that no case has all remainders
    return keys


def priors_of(ladders: Mapping[str, Mapping[str, Any]]) -> dict[str, Prior]:
    """The prior of each ladder, as the protocol holds it; ladders are in alphabetical order everywhere."""
    return {name: Prior.of_json(ladders[name]["prior"]) for name in sorted(ladders)}
