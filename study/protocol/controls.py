"""The control arms of a study, made from its cases: energy-matched noise, and visible catches."""

from functools import cached_property
from typing import Any

import numpy as np

from attacks.engine.controls import shuffled_noise, visible_catch
from attacks.engine.pairs import norms_of
from model.models import Classifier
from study.design.draws import derived_seed
from study.models import Study
from study.protocol.case_sources import Shown
from study.protocol.settings import StudySettings


class Controls:
    """Makes the controls of each case by the study's seed; the classifier judges their bytes."""

    def __init__(self, *, settings: StudySettings, seed: int, classifier: Classifier | None) -> None:
        self.settings = settings
        self.seed = seed
        self.classifier = classifier
        cases = settings.positives + (settings.negatives or 0)
        shuffled = np.random.default_rng(derived_seed(seed, 1_000_002)).permutation(cases)
        # Where twins lie in different sets, catch images are further patches: a set shows no patch twice.
        in_cases = 0 if settings.arm_order == Study.ArmOrder.TWIN_SPLIT else settings.catch
        self.with_catch = {int(number) + 1 for number in shuffled[:in_cases]}

    def of(self, number: int, arms: list[Shown]) -> list[Shown]:
        """The control arms of case ``number`` (from 1); ``arms`` are its other arms, the original first."""
        original, altered = arms[0].pixels, arms[1].pixels
        controls = []
        if self.settings.noise:
            noise = shuffled_noise(original, altered, seed=derived_seed(self.seed, 1_000_003, number))
            controls.append(self._shown("noise", original, noise))
        if number in self.with_catch:
            controls.append(self.catch(number, original))
        return controls

    def catch(self, number: int, original: np.ndarray) -> Shown:
        """Case ``number`` altered for anybody to see."""
        return self._shown("catch", original, visible_catch(original, seed=derived_seed(self.seed, 1_000_004, number)))

    def _shown(self, arm: str, original: np.ndarray, pixels: np.ndarray) -> Shown:
        return Shown(arm, pixels, self.answer(pixels), norms_of(original, pixels))

    def answer(self, pixels: np.ndarray) -> float | None:
        """The classifier's P(tumour) of displayed pixels; None where there is no classifier."""
        from model.learning.prediction import predict

        return None if self._network is None else float(predict(self._network, np.array(pixels[None]))[0])

    @cached_property
    def _network(self) -> Any:
        from model.stored_network import stored_network

        return stored_network(self.classifier) if self.classifier else None
