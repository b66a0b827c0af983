"""Random draws that are the same on every machine, for everything that a protocol fixes by a seed.

The source is ``random.Random(seed).random()`` (Mersenne Twister), the one method whose sequence Python promises to
keep for a given seed. ``shuffle``, ``choice`` and the methods of numpy's ``Generator`` may change between versions, so
they are built here from it. A stored-hash test guards the sequence.
"""

import random
from collections.abc import Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")


class Draws:
    """A stream of draws from a whole number as seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(int(seed)).random

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
