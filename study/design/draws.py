"""Random draws that are the same on every machine, for everything that a protocol fixes by a seed.

From a whole number the source is ``random.Random(seed).random()`` (Mersenne Twister), the one method whose sequence
Python promises to keep for a given seed. ``shuffle``, ``choice`` and the methods of numpy's ``Generator`` may change
between versions, so they are built here from it. A stored-hash test guards the sequence.

From bytes, a secret key, the source is SHA-256 of the key and a counter. A Mersenne Twister can be continued by one who
has seen enough of it; of these draws no number tells any other.
"""

import hashlib
import random
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import TypeAlias, TypeVar

import numpy as np

T = TypeVar("T")
Seed: TypeAlias = int | bytes
"""A recorded whole number, or a secret key."""


def derived_seed(*parts: int) -> int:
    """A seed computed from recorded numbers; fits a signed 64-bit column."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _keyed(key: bytes) -> Callable[[], float]:
    """Numbers in [0, 1) with 53 bits each."""
    numbers = count()

    def draw() -> float:
        digest = hashlib.sha256(key + next(numbers).to_bytes(8, "big")).digest()
        return (int.from_bytes(digest[:8], "big") >> 11) / 2**53

    return draw


class Draws:
    """A stream of draws from a seed."""

    def __init__(self, seed: Seed) -> None:
        self._random = _keyed(seed) if isinstance(seed, bytes) else random.Random(int(seed)).random

    def below(self, n: int) -> int:
        """A whole number from 0 to n - 1, each equally likely (to within n / 2**53)."""
        return int(self._random() * n)

    def choice(self, items: Sequence[T]) -> T:
        """One item, each equally likely."""
        return items[self.below(len(items))]

    def take(self, urn: list[T]) -> T:
        """Draw one item evenly and remove it; the order of the rest changes."""
        at = self.below(len(urn))
        urn[at], urn[-1] = urn[-1], urn[at]
        return urn.pop()

    def shuffled(self, items: Iterable[T]) -> list[T]:
        """A new list in random order, each order equally likely (Fisher-Yates)."""
        result = list(items)
        for last in range(len(result) - 1, 0, -1):
            at = self.below(last + 1)
            result[at], result[last] = result[last], result[at]
        return result
