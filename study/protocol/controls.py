"""The control arms of a study, made from its cases: energy-matched noise, and visible catches."""

from functools import cached_property
from typing import Any

import numpy as np

from attacks.engine.controls import mirrored, shuffled_noise, visible_catch
from attacks.engine.pairs import norms_of
from core.errors import InvalidInput
from model.models import Classifier
from study.design.draws import derived_seed
from study.design.ladders import AWAY, TOWARD
from study.models import Study
from study.protocol.case_sources import Shown
from study.protocol.chosen import StudySettings


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

    def twins(self, arms: list[Shown], patch: str) -> list[Shown]:
        """The original, and of its change and the opposite of it first the one that is more of a tumour to the model.

        Raises:
            InvalidInput: no classifier says which, or both are the same to it; names the patch.
        """
        original, provenance = arms[0].pixels, arms[1].provenance
        kept = {name: provenance.get(name) for name in ("attack", "norm", "budget") if provenance.get(name)}
        pair = [(pixels, self.answer(pixels)) for pixels in mirrored(original, arms[1].pixels)]
        if any(probability is None for _, probability in pair):
            text = "which twin is pushed toward tumour is for the classifier to say, and none is known."
            raise InvalidInput(text, field="task")
        away, toward = sorted(pair, key=lambda one: one[1] or 0)
        if away[1] == toward[1]:
            raise InvalidInput(
                f"patch {patch}: its two twins are the same to the classifier (P(tumour) {away[1]:.3g}); choose a "
                "stronger attack.",
                field="attack",
            )
        return [
            arms[0],
            *(
                Shown(arm, pixels, probability, kept | norms_of(original, pixels))
                for arm, (pixels, probability) in ((TOWARD, toward), (AWAY, away))
            ),
        ]

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
