"""Could the schedule be guessed? Schedules drawn from what anybody may try, compared with those that readers have.

Who guesses a study's seed knows its design, which is published, and the reader's number, which stands on every page.
Every guess predicts the arm and the patch at every position. The best guess of many agrees well by chance. So the test
is that of the other channels: the best agreement with the true labels is compared with the best agreement that the same
guesses have with each redrawn schedule, and p = (1 + number of redraws that are met at least as well) / (1 + redraws).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from core.proportions import wilson
from study.blinding.predict import Prediction
from study.blinding.redraw import Drawn

SMALL_SEEDS = 1000
DAYS_BEFORE, DAYS_AFTER = 366, 31
CHANNEL = "guessed schedule"


@dataclass(frozen=True, slots=True)
class Guessed:
    """Labels by guess, both (n, G), of the presentations that ``drawn`` holds, and what each guess was."""

    names: Sequence[str]
    arm: NDArray[np.str_]
    patch: NDArray[np.str_]


def guesses(recorded: int, made: date, public: Sequence[int] = ()) -> dict[int, str]:
    """Seeds that somebody may try, with their names: the recorded one, small ones, dates, and further public numbers.

    Dates are written as people do who type a seed, from a year before the study was made to a month after.
    """
    tried = {recorded: "the recorded seed"}
    for seed in range(SMALL_SEEDS):
        tried.setdefault(seed, f"seed {seed}")
    for seed, name in _dates(made):
        tried.setdefault(seed, name)
    for seed in public:
        tried.setdefault(seed, f"seed {seed}")
    return tried


def _dates(made: date) -> Iterator[tuple[int, str]]:
    for days in range(-DAYS_BEFORE, DAYS_AFTER + 1):
        day = made + timedelta(days=days)
        for form in ("%Y%m%d", "%d%m%Y", "%m%d%Y"):
            yield int(day.strftime(form)), f"the date {day:%d %B %Y} as {int(day.strftime(form))}"


def _best(guessed: NDArray[np.str_], drawn: NDArray[np.str_]) -> tuple[Prediction, int]:
    """The share of positions at which the best guess is right, with its p-value; and which guess it is."""
    n, codes = len(drawn), np.unique(np.concatenate([guessed, drawn], axis=1), return_inverse=True)[1]
    codes = codes.reshape(n, -1).astype(np.int32)
    right = np.zeros((guessed.shape[1], drawn.shape[1]), dtype=np.int32)
    for position in codes:  # one by one: all comparisons at once would fill the memory
        tried, there = np.split(position, [guessed.shape[1]])
        right += tried[:, None] == there[None, :]
    best = right.max(axis=0)
    low, high = wilson(int(best[0]), n)
    p = np.count_nonzero(best >= best[0]) / len(best)
    return Prediction(float(best[0] / n), low, high, float(p)), int(right[:, 0].argmax())


def try_guesses(guessed: Guessed, drawn: Drawn) -> tuple[Prediction, Prediction, str]:
    """How well the best guess tells arms, and patches; and a sentence that says which it was."""
    arm, by_arm = _best(guessed.arm, drawn.arm)
    patch, by_patch = _best(guessed.patch, drawn.patch)
    n = len(drawn.arm)
    return (
        arm,
        patch,
        (
            f"of {len(guessed.names)} seeds tried without the secret, {guessed.names[by_arm]} puts most arms right, "
            f"{round(arm.auc * n)} of {n}, and {guessed.names[by_patch]} most patches, {round(patch.auc * n)} of {n}"
        ),
    )
