"""The settings of the three attacks (descent, minimal, universal): checked, with the defaults filled in. No torch here.

A recipe is everything that determines the bytes, but for network, images and device. Lengths are in 0-255 units.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeVar, get_args

from attacks.engine.norms import MEASURED, Norm, check_budget, check_norm
from core.errors import InvalidInput
from core.measures import named

Loss = Literal["ce", "margin"]
LOSSES: tuple[Loss, ...] = get_args(Loss)
UniversalLoss = Literal["ce", "margin", "features"]
UNIVERSAL_LOSSES: tuple[UniversalLoss, ...] = get_args(UniversalLoss)
Rounding = Literal["aware", "nearest", "truncate"]
ROUNDINGS: tuple[Rounding, ...] = get_args(Rounding)
StepRule = Literal["raw", "sign", "l2", "sparse", "adaptive"]
STEP_RULES: tuple[StepRule, ...] = get_args(StepRule)
DEFAULT_RULE: dict[Norm, StepRule] = {"none": "l2", "l0": "sparse", "l1": "sparse", "l2": "l2", "linf": "sign"}
SPREAD: dict[Norm, StepRule] = {"l0": "sign", "l1": "l2"}
"""The rules under which L0 and L1 are projected as in section 2.2: what is left where bytes are rounded afterwards."""
OWN_LENGTH: dict[str, tuple[Norm, ...]] = {"sparse": ("l0", "l1"), "adaptive": ("l2", "linf")}
"""Rules that find the length of their steps themselves, and the norms that they are for."""
STEPS_WITHIN: dict[str, int] = {"sparse": 100, "adaptive": 100}
"""Step limits of attacks within a budget, by rule; 50 of the others."""
RAW_STEP = 1000.0
"""The paper does not print its gamma. For gradients per 0-255 unit this one moves an undecided patch by a fraction of
a grey level."""
DEFAULT_STEPS = {"l0": 100, "l1": 100, "l1-rescaled": 50, "l2": 50, "linf": 30}
"""Steps of a minimal search."""

Choice = TypeVar("Choice", bound=str)


def one_of(what: str, name: str, choices: tuple[Choice, ...]) -> Choice:
    """The choice of that name; InvalidInput names ``what`` is chosen and what there is."""
    for choice in choices:
        if choice == name:
            return choice
    raise InvalidInput(f"The {what} {name!r} is not one of {', '.join(choices)}.")


# --- Projected gradient descent (section 2.2, eq. 1) ----------------------------------------------------------------


@dataclass(frozen=True)
class Recipe:
    """Settings of projected gradient descent.

    steps        step limit; an image ends earlier when another class is reached
    step_rule    raw: ``step_size`` times the gradient (the paper's gamma); sign: ``step_size`` in every component;
                 l2: along the gradient, with RMS ``step_size``;
                 sparse: few components, as the strongest L0 and L1 attacks do (``attacks.engine.sparse``);
                 adaptive: L2 and Linf by steps that are halved where nothing improves (``attacks.engine.apgd``)
    loss         ce: the paper's cross-entropy, whose raw gradient all but vanishes on confident patches; margin
    confidence   the probability that another class must reach; 0: any that makes it win
    rounding     see ``attacks.engine.display``
    random_start uniform noise within the budget before the first step, from ``seed``
    """

    norm: Norm
    budget: float
    steps: int
    step_rule: StepRule
    step_size: float
    loss: Loss
    confidence: float
    rounding: Rounding
    random_start: bool
    seed: int

    def as_dict(self) -> dict[str, Any]:
        """For storing: plain JSON, the budget of "none" as null."""
        return asdict(self) | {"budget": None if math.isinf(self.budget) else self.budget}


def recipe(
    *,
    norm: str,
    budget: float | None = None,
    steps: int | None = None,
    step_rule: str | None = None,
    step_size: float | None = None,
    loss: str = "margin",
    confidence: float = 0.0,
    rounding: str = "aware",
    random_start: bool = False,
    paper: bool = False,
    seed: int = 0,
) -> Recipe:
    """A checked ``Recipe``; InvalidInput names what is out of range.

    ``paper`` is section 2.2 to the letter: the raw cross-entropy gradient, judged on floats and rounded afterwards.
    """
    limit, known = check_budget(norm, budget), check_norm(norm)
    if paper:
        step_rule, loss, rounding = "raw", "ce", "nearest"
    checked_loss, checked_rounding = one_of("loss", loss, LOSSES), one_of("rounding", rounding, ROUNDINGS)
    usual = DEFAULT_RULE[known]
    if usual == "sparse" and (checked_rounding != "aware" or step_size is not None):
        usual = SPREAD[known]
    rule = one_of("step rule", step_rule or usual, STEP_RULES)
    norms = OWN_LENGTH.get(rule)
    if norms and (known not in norms or checked_rounding != "aware" or step_size is not None):
        names = " and ".join(map(named, norms))
        raise InvalidInput(
            f"The {rule} rule is for {names}, judges what is displayed, and finds its own step size.",
            field="step_rule",
        )
    steps = STEPS_WITHIN.get(rule, 50) if steps is None else steps
    if steps < 1:
        raise InvalidInput(f"An attack takes at least 1 step, not {steps}.")
    if not 0 <= confidence < 1:
        raise InvalidInput(f"The confidence is a probability from 0 up to, but not, 1; {confidence:g} is not.")
    if step_size is not None and not 0 < step_size < math.inf:
        raise InvalidInput(f"The step size must be above 0; {step_size:g} is not.")
    return Recipe(
        norm=known,
        budget=limit,
        steps=steps,
        step_rule=rule,
        step_size=float(step_size or default_step(known, limit, rule)),
        loss=checked_loss,
        confidence=confidence,
        rounding=checked_rounding,
        random_start=random_start,
        seed=seed,
    )


def default_step(norm: Norm, budget: float, rule: StepRule) -> float:
    """A quarter of the budget (Linf: in whole grey levels); one grey level without a budget; 64 in a chosen pixel."""
    if rule == "raw":
        return RAW_STEP
    if norm == "none":
        return 1.0
    if rule in OWN_LENGTH:  # the first step's length; later ones are shorter
        return budget if rule == "sparse" else 2 * budget
    if norm == "l0":
        return 64.0
    return max(1.0, float(round(budget / 4))) if norm == "linf" else budget / 4


# --- Minimal perturbations ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MinimalRecipe:
    """Settings of a search for the smallest perturbation.

    ``rescaled`` (L1 only) searches along the paper's rescaled direction instead of for the true minimum of L1, which
    is sparse and about a quarter as large.
    """

    norm: Norm
    rescaled: bool
    steps: int
    seed: int

    @property
    def search(self) -> str:
        return f"{self.norm}-rescaled" if self.rescaled else self.norm

    def as_dict(self) -> dict[str, Any]:
        """For storing: plain JSON."""
        return asdict(self) | {"search": self.search}


def minimal_recipe(*, norm: str, rescaled: bool = False, steps: int | None = None, seed: int = 0) -> MinimalRecipe:
    """A checked ``MinimalRecipe``; InvalidInput names what is out of range."""
    if norm not in MEASURED:
        raise InvalidInput(
            f"A minimal perturbation is minimal in one of {', '.join(MEASURED)}; {norm!r} is none of them."
        )
    if rescaled and norm != "l1":
        raise InvalidInput(f"Only L1 has a rescaled form of its own (section 2.2); {norm} has not.")
    if steps is not None and steps < 2:
        raise InvalidInput(f"A minimal perturbation takes at least 2 steps, not {steps}.")
    steps = steps or DEFAULT_STEPS["l1-rescaled" if rescaled else norm]
    return MinimalRecipe(check_norm(norm), rescaled, steps, seed)


# --- Universal perturbations (section 3.3, eq. 2) -------------------------------------------------------------------


@dataclass(frozen=True)
class UniversalRecipe:
    """Settings of learning one perturbation for many images.

    passes      times that every example is seen
    batch       examples per step
    step_size   raw (paper): times the gradient; else RMS of the first step, annealed to a tenth
    momentum    share of the direction so far that is kept (0: none)
    loss        ce, margin; features: the distance of the features from where they were, which needs no label
    lead        examples whose other class leads by this many logits are left out of the step (infinite: never)
    """

    norm: Norm
    budget: float
    paper: bool
    passes: int
    batch: int
    step_size: float
    momentum: float
    loss: UniversalLoss
    lead: float
    seed: int

    def as_dict(self) -> dict[str, Any]:
        """For storing: plain JSON, infinities as null."""
        return {key: None if value == math.inf else value for key, value in asdict(self).items()}


def universal_recipe(
    *,
    norm: str = "linf",
    budget: float | None = None,
    paper: bool = False,
    passes: int | None = None,
    batch: int | None = None,
    step_size: float | None = None,
    momentum: float | None = None,
    loss: str | None = None,
    lead: float | None = None,
    seed: int = 0,
) -> UniversalRecipe:
    """A checked ``UniversalRecipe``, with the paper's defaults or ours; InvalidInput names what is out of range."""
    limit, known = check_budget(norm, budget), check_norm(norm)
    step = RAW_STEP if paper else default_universal_step(known, limit)
    settings = UniversalRecipe(
        norm=known,
        budget=limit,
        paper=paper,
        passes=(5 if paper else 10) if passes is None else passes,
        batch=(1 if paper else 16) if batch is None else batch,
        step_size=step if step_size is None else step_size,
        momentum=(0.0 if paper else 0.9) if momentum is None else momentum,
        loss=one_of("loss", ("ce" if paper else "margin") if loss is None else loss, UNIVERSAL_LOSSES),
        lead=(math.inf if paper else 1.0) if lead is None else lead,
        seed=seed,
    )
    if not 0 <= settings.momentum < 1:
        raise InvalidInput(f"Momentum is from 0 up to, but not, 1; {settings.momentum:g} is not.")
    if settings.passes < 1 or settings.batch < 1 or not settings.step_size > 0:
        raise InvalidInput("Passes and batch are at least 1, and the step size is above 0.")
    return settings


def default_universal_step(norm: Norm, budget: float) -> float:
    """A tenth of the budget in RMS; one grey level without a budget. An L0 share allows 16 levels in its pixels."""
    if norm == "none":
        return 1.0
    return 16.0 if norm == "l0" else budget / 10
