"""Judging a study's stimuli again: does the classifier still give the stored verdicts for the stored bytes?

This needs torch, so jobs and commands do it, and pages do not. It takes long, so it is done before a transaction opens:
on stored cases where a draft is frozen, on cases that are not stored yet where a study is built.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from core.errors import InvalidInput, Progress, no_progress
from core.images import read_pixels
from model.learning.prediction import predict
from model.models import Classifier
from model.stored_network import stored_network
from study.models import Case, Stimulus

BATCH = 64
TOLERANCE = 1e-3
"""Another machine's arithmetic may change P(tumour) by this much; a label that changes by more is another verdict."""


def judge_again(
    source: dict[str, Any], cases: Sequence[tuple[Case, Sequence[Stimulus]]], *, progress: Progress = no_progress
) -> str:
    """Judge every stimulus again. Returns one sentence: how many verdicts hold, or why none could be judged.

    Args:
        source: of the study: which classifier gave the verdicts, and where the cases come from.
        cases: each with its stimuli, stored or not.

    Raises:
        InvalidInput: naming the case whose stored verdict does not hold, or whose perturbed stimulus does not fool
            the classifier although it was drawn from a pool of flipped patches.
    """
    judged = source.get("classifier") or {}
    same_weights = Classifier.objects.filter(weights_sha256=judged.get("weights_sha256", ""))
    classifier = same_weights.select_related("dataset").first()
    if classifier is None:
        name = f"classifier '{judged['name']}' is not on this installation" if judged else "the study records none"
        return f"Stored verdicts could not be judged again: {name}."
    try:
        network = stored_network(classifier)
    except InvalidInput as error:
        return f"Stored verdicts could not be judged again: {error}"
    flipped_pool = (source.get("attack") or {}).get("kind") != "pairs"
    stimuli = [(case, row) for case, rows in cases for row in rows if row.model_label is not None]
    for start in range(0, len(stimuli), BATCH):
        batch = stimuli[start : start + BATCH]
        pixels = np.stack([read_pixels(stimulus.image.name, sha256=stimulus.sha256) for _, stimulus in batch])
        for (case, stimulus), probability in zip(batch, predict(network, pixels)):
            _demand_verdict(case, stimulus, float(probability), flipped_pool)
        progress(start + len(batch), len(stimuli))
    return f"{len(stimuli)} stored verdicts were judged again by classifier '{classifier.name}' and hold."


def _demand_verdict(case: Case, stimulus: Stimulus, probability: float, flipped_pool: bool) -> None:
    where = f"case {case.number} ({case.patch_id}), arm {stimulus.arm}"
    stored = stimulus.model_prob
    moved = stored is None or abs(probability - stored) > TOLERANCE
    if (probability >= 0.5) != stimulus.model_label and moved:
        raise InvalidInput(
            f"{where}: the classifier's P(tumour) of these bytes is {probability:.3f}, but {stored} is stored. "
            "Build the study again from an attack on this very classifier."
        )
    if flipped_pool and stimulus.arm == "perturbed" and stimulus.model_label == case.truth:
        raise InvalidInput(
            f"{where}: the classifier is right about it, so it does not belong to a pool of flipped patches."
        )
