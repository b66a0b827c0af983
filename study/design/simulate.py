"""Simulated readers for rehearsals: what ``rehearse`` answers with. Nothing here is data about people.

What is planted in a reader can be looked for in the analysis. A positive patch i of slide g, read in arm a, is called
tumour by reader j when

    z(rate) * s + bias + b_j + r_ja + p_i + q_ia + g_g + h_ga > e,    e ~ N(0, 1) new at every reading,
    rate = sensitivity + effect[a] + drift * (position - 1) / 100 + set_drift * (set - 1).

All other letters are normal with the standard deviations of their fields and kept over readings; s is the standard
deviation of all of them and e together, so that over readers, slides and patches ``rate`` is what comes out (without a
bias). On negatives the rate is made of ``specificity`` in place of sensitivity and effect, and bias and b_j turn their
signs. A share ``lost[a]`` of the positive patches is called no tumour in arm a by every reader. A share ``lapse`` of
the answers is a coin toss. A share ``recognised`` of the patches that the reader has met in this set already gets the
same answer again, and a share ``remembered`` of those met in an earlier set.

On a ladder the altered image of a pair is picked with probability

    1/2 + F(slope (log level - log t)) / 2,    log t = log threshold[ladder] + u_j + v_i,    F logistic,

u and v normal with ``threshold_sd`` and ``threshold_patch_sd``, kept over readings; identical pairs are a coin toss.

Confidence grows with the distance to e; log response times are normal.
"""

import hashlib
from dataclasses import dataclass, field
from math import isfinite, sqrt
from statistics import NormalDist

import numpy as np

from core.errors import InvalidInput

SURE = 1e-9
"""Rates of 0 and 1 have no probit; they are taken as this close to them."""
ORIGINAL = "original"
_FRACTIONS = ("sensitivity", "specificity", "detection", "lapse", "recognised", "remembered")
_SPREADS = (
    "patch_sd", "patch_arm_sd", "reader_sd", "reader_arm_sd", "group_sd", "group_arm_sd", "preference_sd", "sd_log_rt",
    "threshold_sd", "threshold_patch_sd",
)  # fmt: skip
_SHIFTS = {"bias": 10.0, "suspicion": 10.0, "drift": 1.0, "set_drift": 1.0}
"""Largest size of each."""
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class SimulatedReader:
    """Skill as fractions; standard deviations and biases on the probit scale; times in ms.

    ``effect``      by arm, the change of the sensitivity against the original: ``{"noise": -0.05}``
    ``lost``        by arm, the share of positive patches that every reader loses there
    ``detection``   share right of "which one was altered?" and of "was this one altered?"
    ``suspicion``   bias to "yes, altered"
    ``threshold``   by ladder, the level that half of what is not guessed is seen at: ``{"perturbed": 2.5}``
    ``slope``       of seeing against the logarithm of the level; thresholds differ by the two ``threshold`` SDs
    ``preference_sd`` of a reader's lasting preference for one image of a pair
    ``bias``        to "tumour", in every reader; ``reader_sd`` is its spread between readers
    ``drift``       change of the fraction correct per 100 images of a set; ``set_drift`` from one set to the next
    """

    sensitivity: float = 0.88
    specificity: float = 0.90
    effect: dict[str, float] = field(default_factory=dict)
    lost: dict[str, float] = field(default_factory=dict)
    bias: float = 0.0
    drift: float = 0.0
    set_drift: float = 0.0
    recognised: float = 0.0
    remembered: float = 0.0
    detection: float = 0.52
    suspicion: float = 0.0
    preference_sd: float = 0.0
    threshold: dict[str, float] = field(default_factory=dict)
    slope: float = 4.5
    threshold_sd: float = 0.0
    threshold_patch_sd: float = 0.0
    lapse: float = 0.02
    patch_sd: float = 0.6
    patch_arm_sd: float = 0.0
    reader_sd: float = 0.2
    reader_arm_sd: float = 0.0
    group_sd: float = 0.0
    group_arm_sd: float = 0.0
    median_rt_ms: float = 3200.0
    sd_log_rt: float = 0.45

    def __post_init__(self) -> None:
        """Raises InvalidInput naming the field."""
        for name in _FRACTIONS:
            if not 0 <= getattr(self, name) <= 1:
                raise InvalidInput(f"{getattr(self, name):g} is not a fraction; choose from 0 to 1.", field=name)
        for name in _SPREADS:
            if not 0 <= getattr(self, name) <= 10:
                raise InvalidInput(
                    f"{getattr(self, name):g} is no standard deviation; choose from 0 to 10.", field=name
                )
        for name, most in _SHIFTS.items():
            if not abs(getattr(self, name)) <= most:
                raise InvalidInput(
                    f"{getattr(self, name):g} is too far; choose from {-most:g} to {most:g}.", field=name
                )
        if not (self.median_rt_ms > 0 and isfinite(self.median_rt_ms)):
            raise InvalidInput(f"{self.median_rt_ms:g} is no time; choose more than 0 ms.", field="median_rt_ms")
        for arm, effect in self.effect.items():
            if arm == ORIGINAL:
                raise InvalidInput("effects are against the original; set the sensitivity instead.", field="effect")
            if not -SURE <= self.sensitivity + effect <= 1 + SURE:
                raise InvalidInput(
                    f"{arm}={effect:g} takes the sensitivity from {self.sensitivity:g} to "
                    f"{self.sensitivity + effect:g}; it must stay between 0 and 1.",
                    field="effect",
                )

        if not 0 < self.slope <= 100:
            raise InvalidInput(f"{self.slope:g} is no slope; choose more than 0, at most 100.", field="slope")
        for ladder, level in self.threshold.items():
            if not 0 < level <= 255:
                raise InvalidInput(
                    f"{ladder}={level:g} is no level; choose more than 0, at most 255.", field="threshold"
                )
        for arm, share in self.lost.items():
            if not 0 <= share <= 1:
                raise InvalidInput(f"{arm}={share:g} is not a fraction; choose from 0 to 1.", field="lost")

    def rate(self, *, truth: bool, arm: str, position: int, set_number: int) -> float:
        """The fraction correct over readers and patches, before bias and lapses."""
        base = self.sensitivity + self.effect.get(arm, 0.0) if truth else self.specificity
        rate = base + self.drift * (position - 1) / 100 + self.set_drift * (set_number - 1)
        return min(max(rate, SURE), 1 - SURE)

    @property
    def scale(self) -> float:
        """s: standard deviation of all that decides an answer, e included."""
        kept = (self.patch_sd, self.patch_arm_sd, self.reader_sd, self.reader_arm_sd, self.group_sd, self.group_arm_sd)
        return sqrt(1.0 + sum(sd**2 for sd in kept))


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


def _kept(sd: float, *parts: object) -> float:
    """A normal effect that is the same wherever the parts are."""
    return float(_rng(*parts).normal(0.0, sd)) if sd else 0.0


def _z(rate: float) -> float:
    return _NORMAL.inv_cdf(min(max(rate, SURE), 1 - SURE))


def answer(
    reader: SimulatedReader,
    *,
    seed: int,
    reader_id: str,
    patch_id: str,
    set_number: int,
    truth: bool,
    arm: str = ORIGINAL,
    group: str = "",
    position: int = 1,
    twin: bool | None = None,
    before: bool | None = None,
    ladder: str = "",
    level: float = 0.0,
) -> SimulatedAnswer:
    """One reader's answer to one presentation; the same arguments give the same answer.

    ``arm``: what is shown, in a pair the altered one. ``group``: slide or patient; a patch without one is its own.
    ``twin``: the reader's last label of the patch in this set, ``before``: in earlier sets, None where there is none.
    ``ladder``, ``level``: of a pair on a ladder; a level of 0 is an identical pair.
    """
    slide = group or f"patch {patch_id}"
    rate = reader.rate(truth=truth, arm=arm, position=position, set_number=set_number)
    towards_tumour = reader.bias + _kept(reader.reader_sd, seed, "reader", reader_id)
    ease = (
        _kept(reader.patch_sd, seed, "patch", patch_id)
        + _kept(reader.patch_arm_sd, seed, "patch arm", patch_id, arm)
        + _kept(reader.reader_arm_sd, seed, "reader arm", reader_id, arm)
        + _kept(reader.group_sd, seed, "group", slide)
        + _kept(reader.group_arm_sd, seed, "group arm", slide, arm)
    )
    rng = _rng(seed, "reading", reader_id, patch_id, set_number, arm)
    evidence = _z(rate) * reader.scale + ease + (towards_tumour if truth else -towards_tumour) - rng.normal()
    lost = truth and reader.lost.get(arm, 0.0) > _rng(seed, "lost", patch_id, arm).random()
    correct = evidence > 0 and not lost
    if rng.random() < reader.lapse:
        correct = bool(rng.random() < 0.5)
    tumour = _again(truth if correct else not truth, reader, twin, before, seed, reader_id, patch_id, set_number, arm)
    guess = rng.random()
    preference = _kept(reader.preference_sd, seed, "preference", reader_id, patch_id, arm)
    steady = sqrt(1.0 + reader.preference_sd**2)
    sees = _z(reader.detection)
    chose_altered = guess < _NORMAL.cdf(sees * steady + preference)
    if reader.threshold and (ladder in reader.threshold or arm == ORIGINAL):
        again = _rng(seed, "pair", reader_id, set_number, position)
        chose_altered = again.random() < _picked(reader, ladder, level, seed, reader_id, patch_id)
        if again.random() < reader.lapse:
            chose_altered = again.random() < 0.5
    return SimulatedAnswer(
        tumour=tumour,
        confidence=int(np.clip(1 + round(abs(evidence) * 1.6), 1, 5)),
        chose_altered=bool(chose_altered),
        thinks_altered=bool(
            guess < _NORMAL.cdf(sees + reader.suspicion)
            if arm != ORIGINAL
            else 1 - guess <= _NORMAL.cdf(-sees + reader.suspicion)
        ),
        tumour_cells=int(rng.poisson(12)) + 5 if tumour else 0,
        rt_ms=float(np.exp(rng.normal(np.log(reader.median_rt_ms), reader.sd_log_rt))),
    )


def threshold_of(reader: SimulatedReader, ladder: str, *, seed: int, reader_id: str, patch_id: str) -> float:
    """The level at which this reader sees half of what is not guessed of this patch's ladder."""
    shift = _kept(reader.threshold_sd, seed, "threshold", reader_id) + _kept(
        reader.threshold_patch_sd, seed, "threshold", "patch", patch_id
    )
    return float(reader.threshold[ladder] * np.exp(shift))


def _picked(reader: SimulatedReader, ladder: str, level: float, seed: int, reader_id: str, patch_id: str) -> float:
    """The probability that the altered image of a pair is picked, lapses apart."""
    if level <= 0:
        return 0.5
    threshold = threshold_of(reader, ladder, seed=seed, reader_id=reader_id, patch_id=patch_id)
    return float(0.5 + 0.5 / (1 + (threshold / level) ** reader.slope))


def _again(label: bool, reader: SimulatedReader, twin: bool | None, before: bool | None, *reading: object) -> bool:
    """The label, or the earlier one where the reader recognises the patch."""
    chance = _rng(*reading, "recognised").random()
    if twin is not None and chance < reader.recognised:
        return twin
    if twin is None and before is not None and chance < reader.remembered:
        return before
    return label
