"""The control arms of a study, made from its cases: energy-matched noise, and visible catches."""

from functools import cached_property
from typing import Any

import numpy as np

from attacks.engine.controls import shuffled_noise, visible_catch
from attacks.engine.pairs import norms_of
from model.models import Classifier
from study.protocol.case_sources import Shown
from study.protocol.life import derived_seed
from study.protocol.settings import StudySettings


class Controls:
    """Makes the controls of each case by the study's seed; the classifier judges their bytes."""

    def __init__(self, *, settings: StudySettings, seed: int, classifier: Classifier | None) -> None:
        self.settings = settings
        self.seed = seed
        self.classifier = classifier
        cases = settings.positives + settings.negatives
        shuffled = np.random.default_rng(derived_seed(seed, 1_000_002)).permutation(cases)
        self.with_catch = {int(number) + 1 for number in shuffled[: settings.catch]}

    def of(self, number: int, arms: list[Shown]) -> list[Shown]:
        """The control arms of case ``number`` (from 1); ``arms`` are its other arms, the original first."""
        original, altered = arms[0].pixels, arms[1].pixels
        controls = []
        if self.settings.noise:
            noise = shuffled_noise(original, altered, seed=derived_seed(self.seed, 1_000_003, number))
            controls.append(("noise", noise))
        if number in self.with_catch:
            controls.append(("catch", visible_catch(original, seed=derived_seed(self.seed, 1_000_004, number))))
        return [Shown(arm, pixels, self._answer(pixels), norms_of(original, pixels)) for arm, pixels in controls]

    def _answer(self, pixels: np.ndarray) -> float | None:
        from model.learning.prediction import predict

        return None if self._network is None else float(predict(self._network, np.array(pixels[None]))[0])

    @cached_property
    def _network(self) -> Any:
        from model.stored_network import stored_network

        return stored_network(self.classifier) if self.classifier else None
