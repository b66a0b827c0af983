"""Simulated readers for rehearsals: what ``rehearse`` answers with. Nothing here is data about people.

A reader of skill ``sensitivity`` sees a patch through a probit model. With e ~ N(0, 1) new at every reading,
d ~ N(0, patch_sd) kept with the patch over readers and sets, and b ~ N(0, reader_sd) kept with the reader,

    correct on a positive   <=>   z(sensitivity) * s + d + b > e,    s = sqrt(1 + patch_sd^2 + reader_sd^2),

so that the sensitivity over patches and readers is the one asked for; likewise for negatives with -b. A share
``lapse`` of the answers is a coin toss. Confidence grows with |z - e|; log response times are normal.
"""

import hashlib
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from core.errors import InvalidInput

SURE = 1e-9
"""Rates of 0 and 1 have no probit; they are taken as this close to them."""


@dataclass(frozen=True, slots=True)
class SimulatedReader:
    """Skill as fractions; standard deviations on the probit scale; times in ms."""

    sensitivity: float = 0.88
    sensitivity_altered: float = 0.88
    specificity: float = 0.90
    detection: float = 0.52
    lapse: float = 0.02
    patch_sd: float = 0.6
    reader_sd: float = 0.2
    median_rt_ms: float = 3200.0
    sd_log_rt: float = 0.45

    def __post_init__(self) -> None:
        """Raises InvalidInput naming the field."""
        for name in ("sensitivity", "sensitivity_altered", "specificity", "detection", "lapse"):
            if not 0 <= getattr(self, name) <= 1:
                raise InvalidInput(f"{getattr(self, name):g} is not a fraction; choose from 0 to 1.", field=name)
        for name in ("patch_sd", "reader_sd", "sd_log_rt"):
            if not 0 <= getattr(self, name) <= 10:
                raise InvalidInput(
                    f"{getattr(self, name):g} is no standard deviation; choose from 0 to 10.", field=name
                )
        if not self.median_rt_ms > 0:
            raise InvalidInput(f"{self.median_rt_ms:g} is no time; choose more than 0 ms.", field="median_rt_ms")


@dataclass(frozen=True, slots=True)
class SimulatedAnswer:
    """``tumour``: the label. ``chose_altered``: in a pair, whether the altered image was picked."""

    tumour: bool
    confidence: int
    chose_altered: bool
    thinks_altered: bool
    tumour_cells: int
    rt_ms: float


def _rng(*parts: object) -> np.random.Generator:
    """A generator that follows from the parts alone, on any machine and in any order of calls."""
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def answer(
    reader: SimulatedReader,
    *,
    seed: int,
    reader_id: str,
    patch_id: str,
    set_number: int,
    altered: bool,
    truth: bool,
    arm: str | None = None,
) -> SimulatedAnswer:
    """One reader's answer to one presentation; the same arguments give the same answer.

    ``arm`` tells several altered arms of one patch apart: without it their e, and so their answers, are the same.
    """
    patch = _rng(seed, "patch", patch_id).normal(0.0, reader.patch_sd)
    bias = _rng(seed, "reader", reader_id).normal(0.0, reader.reader_sd)
    rng = _rng(seed, "reading", reader_id, patch_id, set_number, altered, *([arm] if arm else []))
    if truth:
        rate, shift = (reader.sensitivity_altered if altered else reader.sensitivity), bias
    else:
        rate, shift = reader.specificity, -bias
    scale = float(np.sqrt(1.0 + reader.patch_sd**2 + reader.reader_sd**2))
    evidence = NormalDist().inv_cdf(min(max(rate, SURE), 1 - SURE)) * scale + patch + shift - rng.normal()
    correct = evidence > 0
    if rng.random() < reader.lapse:
        correct = bool(rng.random() < 0.5)
    picks_altered = bool(rng.random() < reader.detection)
    return SimulatedAnswer(
        tumour=truth if correct else not truth,
        confidence=int(np.clip(1 + round(abs(evidence) * 1.6), 1, 5)),
        chose_altered=picks_altered,
        thinks_altered=picks_altered if altered else not picks_altered,
        tumour_cells=int(rng.poisson(12)) + 5 if truth == correct else 0,
        rt_ms=float(np.exp(rng.normal(np.log(reader.median_rt_ms), reader.sd_log_rt))),
    )
