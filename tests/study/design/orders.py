"""Designs, their every draw, and measures of the orders that come of them: for both ways of making schedules."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from fractions import Fraction

from study.design.draws import Draws
from study.design.schedule import Schedule, StimulusKey

ARMS = ["original", "perturbed", "noise", "catch"]


def design(*arms_per_case):
    return [StimulusKey(f"patch-{i}", arm) for i, k in enumerate(arms_per_case) for arm in ARMS[:k]]


class EveryDraw(Draws):
    """Follows one branch of the tree of draws; ``branches`` walks through all of them with their probabilities."""

    def __init__(self, path):
        self.path, self.taken = path, []

    def below(self, n):
        at = len(self.taken)
        self.taken.append((self.path[at] if at < len(self.path) else 0, n))
        return self.taken[-1][0]


def branches(make):
    path = []
    while True:
        draws = EveryDraw(path)
        result = make(draws)
        weight = Fraction(1)
        for _, n in draws.taken:
            weight /= n
        yield result, weight
        taken = draws.taken
        while taken and taken[-1][0] == taken[-1][1] - 1:
            taken.pop()
        if not taken:
            return
        path = [value for value, _ in taken[:-1]] + [taken[-1][0] + 1]


def exact_shares(make):
    """Exact probability of each content at each (set, position)."""
    shares, total = Counter(), Fraction(0)
    for orders, weight in branches(make):
        total += weight
        for s, order in enumerate(orders):
            for p, content in enumerate(order):
                shares[s, p, content] += weight
    assert total == 1
    return shares


def chi_square(counts, expected):
    return sum((count - expected) ** 2 / expected for count in counts)


def fingerprint(schedule: Schedule) -> str:
    """SHA-256 of a schedule's canonical JSON."""
    return hashlib.sha256(json.dumps(asdict(schedule), sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def share_of_repeats(stimuli: list[StimulusKey], schedules: Iterable[Schedule]) -> float:
    """How often an arm follows itself, of two arms that never get more than half a block apart."""
    repeats: Counter[bool] = Counter()
    for schedule in schedules:
        for order in schedule.sets:
            balance, previous = 0, None
            for index in order:
                arm = stimuli[index].arm
                balance += 1 if arm == "original" else -1
                assert abs(balance) <= 6  # half a block of at most 12
                repeats[arm == previous] += 1
                previous = arm
    return repeats[True] / repeats.total()
