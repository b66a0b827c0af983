"""The settings of projected gradient descent: checked, with the defaults filled in."""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from attacks.engine.constraints import check_budget
from attacks.engine.display import ROUNDINGS, Rounding
from attacks.engine.norms import Norm
from attacks.engine.passes import LOSSES, Loss
from core.errors import InvalidInput

StepRule = Literal["raw", "sign", "l2"]
STEP_RULES: tuple[StepRule, ...] = get_args(StepRule)
DEFAULT_RULE: dict[str, StepRule] = {"none": "l2", "l0": "sign", "l1": "l2", "l2": "l2", "linf": "sign"}
RAW_STEP = 1000.0
"""The paper does not print its gamma. For gradients per 0-255 unit this one moves an undecided patch by a fraction of
a grey level."""


@dataclass(frozen=True)
class Recipe:
    """Everything that determines the bytes, but for network, images and device. Lengths are in 0-255 units.

    steps        step limit; an image ends earlier when another class is reached
    step_rule    raw: ``step_size`` times the gradient (the paper's gamma); sign: ``step_size`` in every component;
                 l2: along the gradient, with RMS ``step_size``
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
    steps: int = 50,
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
    limit = check_budget(norm, budget)
    if paper:
        step_rule, loss, rounding = "raw", "ce", "nearest"
    rule = step_rule or DEFAULT_RULE[norm]
    for name, value, allowed in [
        ("step rule", rule, STEP_RULES),
        ("loss", loss, tuple(LOSSES)),
        ("rounding", rounding, ROUNDINGS),
    ]:
        if value not in allowed:
            raise InvalidInput(f"The {name} {value!r} is not one of {', '.join(allowed)}.")
    if steps < 1:
        raise InvalidInput(f"An attack takes at least 1 step, not {steps}.")
    if not 0 <= confidence < 1:
        raise InvalidInput(f"The confidence is a probability from 0 up to, but not, 1; {confidence:g} is not.")
    if step_size is not None and not 0 < step_size < math.inf:
        raise InvalidInput(f"The step size must be above 0; {step_size:g} is not.")
    return Recipe(
        norm=norm,  # type: ignore[arg-type]
        budget=limit,
        steps=steps,
        step_rule=rule,  # type: ignore[arg-type]
        step_size=float(step_size or default_step(norm, limit, rule)),
        loss=loss,  # type: ignore[arg-type]
        confidence=confidence,
        rounding=rounding,  # type: ignore[arg-type]
        random_start=random_start,
        seed=seed,
    )


def default_step(norm: str, budget: float, rule: str) -> float:
    """A quarter of the budget (Linf: in whole grey levels); one grey level without a budget; 64 in a chosen pixel."""
    if rule == "raw":
        return RAW_STEP
    if norm == "none":
        return 1.0
    if norm == "l0":
        return 64.0
    return max(1.0, float(round(budget / 4))) if norm == "linf" else budget / 4
