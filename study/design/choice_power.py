"""How many pairs does a forced choice need? Power by simulation, with the test that the study will be judged by.

Readers have preferences of their own within a pair (they like one image for a reason that has nothing to do with the
alteration) and keep them from set to set: logits with the standard deviation ``preference_sd``, half of the variance
shared by all readers. ``share`` is how often the altered image (or the twin pushed toward tumour) is chosen on average.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import optimize
from scipy.special import expit

from study.statistics.detection import repeated_choice
from study.statistics.two_way import means, over_readers

ALPHA = 0.05


@dataclass(frozen=True)
class ChoiceDesign:
    pairs: int
    readers: int
    sets: int
    preference_sd: float = 1.5


def simulate(rng: np.random.Generator, design: ChoiceDesign, share: float = 0.5) -> np.ndarray:
    """Whether the altered one was chosen: 0/1 (readers, sets, pairs)."""
    sd = design.preference_sd * sqrt(0.5)
    shared = sd * rng.standard_normal(design.pairs)
    own = sd * rng.standard_normal((design.readers, 1, design.pairs))
    toward = _shift(share, design.preference_sd)
    chance = expit(toward + shared + own)
    return (rng.random((design.readers, design.sets, design.pairs)) < chance).astype(int)


def found(right: np.ndarray) -> bool:
    """Whether the study would say that the altered one is chosen more often than guessing.

    One reader: one-sided. Several: the 95 % interval over readers and pairs lies above one half.
    """
    readers, sets, pairs = right.shape
    pair = np.tile(np.arange(pairs), readers * sets)
    if readers == 1:
        return repeated_choice(right.ravel(), pair).exact_p <= ALPHA
    reader = np.repeat(np.arange(readers), sets * pairs)
    overall = over_readers(means(right.ravel(), reader, pair), null=0.5, bounds=(0, 1))
    return overall.ci95 is not None and overall.ci95[0] > 0.5


def power(design: ChoiceDesign, share: float, *, replications: int = 400, seed: int = 0) -> float:
    """How often ``share`` is found."""
    rng = np.random.default_rng(seed)
    return float(np.mean([found(simulate(rng, design, share)) for _ in range(replications)]))


def pairs_needed(share: float, readers: int, sets: int, preference_sd: float = 1.5, wanted: float = 0.8) -> int | None:
    """The fewest pairs (in steps of a fifth) whose power reaches ``wanted``; None for more than 2,000."""
    pairs = 10
    while pairs <= 2000:
        if power(ChoiceDesign(pairs, readers, sets, preference_sd), share, replications=200) >= wanted:
            return pairs
        pairs = int(pairs * 1.2) + 1
    return None


def _shift(share: float, sd: float) -> float:
    """The logit that gives ``share`` on average over preferences."""
    if share == 0.5:
        return 0.0
    node, weight = np.polynomial.hermite_e.hermegauss(41)
    weight = weight / weight.sum()
    return float(optimize.brentq(lambda x: expit(x + sd * node) @ weight - share, -20, 20))
