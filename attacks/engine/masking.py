"""Whether an attack's failures are the network's strength, or gradients that lead nowhere.

A network that rounds its input, squashes its logits or answers with steps looks robust to every attack that follows
gradients. What gives it away is cheap to ask (Carlini et al. 2019, "On evaluating adversarial robustness"): gradients
that are zero, an input that changes nothing until it jumps, more budget that flips fewer, an attack without limits
that fails, a random search that finds what the gradient did not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attacks.engine.constraints import project
from attacks.engine.display import shown
from attacks.engine.passes import Passes, gap_of_label, lost
from attacks.engine.pgd import pgd
from attacks.engine.recipe import OWN_LENGTH, Recipe, default_step
from attacks.engine.recipe import recipe as recipe_of

SAMPLE = 8
"""Flipped and unflipped images each that are asked about."""
QUERIES = 60
"""Proposals of the random search per image."""
_LEVELS = 255.0
"""A gradient by which an image would flip beyond so many grey levels everywhere says nothing."""
MEANING = "What did not flip is no evidence of robustness."


@dataclass(frozen=True)
class Warned:
    """A sign that the share of flips understates what can be done: its name, and the sentence that is shown."""

    name: str
    text: str

    def as_dict(self) -> dict[str, str]:
        return {"name": self.name, "text": self.text}


def warnings_about(
    passes: Passes, images: Tensor, labels: Tensor, flipped: NDArray[np.bool_], recipe: Recipe | None, *, seed: int = 0
) -> list[Warned]:
    """What speaks against reading the unflipped as robust; nothing, if all is well.

    ``images`` uint8 (n, 3, h, w) are those that were attacked (classified correctly), ``flipped`` (n,) what became of
    them under ``recipe``; without one the attack had no budget. A few are drawn by ``seed``.
    """
    if not len(images):
        return []
    draw = np.random.default_rng([seed, 77])
    fell, stood = (_drawn(np.flatnonzero(flipped == which), draw) for which in (True, False))
    some = np.concatenate([stood, fell])
    found = [_gradients(passes, images[some], labels[some]), _steps(passes, images[some], labels[some], draw)]
    if recipe is not None and len(fell) > 1:
        found.append(_more_budget(passes, images[fell], labels[fell], recipe))
    if len(stood) > 1 and (~flipped).mean() >= 0.05:
        found.append(_no_limit(passes, images[stood], labels[stood], recipe))
        if recipe is not None and recipe.norm != "none":
            found.append(_at_random(passes, images[stood], labels[stood], recipe, draw))
    return [one for one in found if one is not None]


def before_attacks(passes: Passes, images: Tensor, labels: Tensor, *, seed: int = 0) -> list[Warned]:
    """What can be said before any attack, of uint8 images (n, 3, h, w): gradients, and the input stage."""
    right = passes.judge(images).argmax(1) == labels
    draw = np.random.default_rng([seed, 78])
    some = _drawn(np.flatnonzero(right.numpy()), draw)
    if not len(some):
        return []
    found = [_gradients(passes, images[some], labels[some]), _steps(passes, images[some], labels[some], draw)]
    return [one for one in found if one is not None]


def within_attacks(
    passes: Passes,
    images: Tensor,
    labels: Tensor,
    flipped: Sequence[bool],
    recipe: Recipe,
    *,
    by_transfer: int,
    by_black_box: int,
    attacked: int,
    seed: int = 0,
) -> list[Warned]:
    """What several attacks say of each other, and what more budget and more steps do.

    ``flipped``: whether an attack that follows gradients flipped the image, (n,). ``by_transfer`` and ``by_black_box``
    count the images, of all that were ``attacked``, that only perturbations made on other networks flipped, and that
    nothing but the black-box search did.
    """
    draw = np.random.default_rng([seed, 79])
    fell, stood = (_drawn(np.flatnonzero(np.asarray(flipped) == which), draw) for which in (True, False))
    found: list[Warned | None] = []
    if len(fell) > 1:
        found += [check(passes, images[fell], labels[fell], recipe) for check in (_more_budget, _more_steps)]
    if len(stood) > 1:
        found.append(_no_limit(passes, images[stood], labels[stood], recipe))
    found += [
        _beaten(
            "black box beats white box", "a black-box search, which sees answers only, flips", by_black_box, attacked
        ),
        _beaten("transfer beats white box", "perturbations made on other classifiers flip", by_transfer, attacked),
    ]
    return [one for one in found if one is not None]


def _beaten(name: str, what: str, count: int, attacked: int) -> Warned | None:
    """Weaker attacks that find what stronger ones did not: two images, and one in a hundred."""
    if count < max(2, 0.01 * attacked):
        return None
    return Warned(
        name,
        f"{what[:1].upper()}{what[1:]} {count} of {attacked} patches that no attack by gradients flipped: the gradient "
        f"is hidden, or the attacks are weak here. {MEANING}",
    )


def _drawn(rows: NDArray[np.intp], draw: np.random.Generator) -> NDArray[np.intp]:
    return np.sort(draw.permutation(rows)[:SAMPLE])


def _gradients(passes: Passes, images: Tensor, labels: Tensor) -> Warned | None:
    """Gradients at the originals that are zero, not finite, or so small that the image would flip beyond any change."""
    silent, broken = 0, 0
    for part, y in _batches(passes, images, labels):
        logits, gradient = passes.ascend(part, y)
        total = gradient.abs().sum((1, 2, 3))  # of the lead, per grey level in every component
        finite = torch.isfinite(total)
        broken += int((~finite).sum())
        silent += int((finite & (gap_of_label(logits, y).abs() > _LEVELS * total)).sum())
    if broken:
        return Warned(
            "gradients not finite",
            f"The gradient is not finite for {broken} of {len(images)} patches that were asked about. {MEANING}",
        )
    if silent >= max(1, 0.1 * len(images)):
        return Warned(
            "gradients vanish",
            f"The gradient leads nowhere for {silent} of {len(images)} patches that were asked about: it is zero, or "
            f"so small that no picture would flip by it (rounding, or a softmax, inside the network?). {MEANING}",
        )
    return None


def _steps(passes: Passes, images: Tensor, labels: Tensor, draw: np.random.Generator) -> Warned | None:
    """An input stage that rounds or clips: nothing happens for a small change, and then it jumps."""
    few = draw.permutation(len(images))[:SAMPLE]
    x = passes.floats(images[few])
    sign = torch.from_numpy(draw.choice([-1.0, 1.0], size=tuple(x.shape)).astype(np.float32)).to(x.device)
    base = passes.logits(x)
    small, large = ((passes.logits(x + size * sign) - base).abs().amax(1) for size in (0.02, 2.0))
    noise = 1e-6 * base.abs().amax(1).clamp_min(1e-30)
    moves = large > 100 * noise  # those that answer to two grey levels at all
    if moves.sum() >= max(1, len(few) / 2):
        still = (small <= noise / 10)[moves].float().mean()
        ratio = (small[moves].square().mean() / large[moves].square().mean()).sqrt()
        if still >= 0.5 or ratio > 0.08:  # a hundredth, where the answer follows the input
            return Warned(
                "input rounded",
                "The network seems to round its input: its answers change in jumps, so that gradients say little. "
                + MEANING,
            )
    _, gradient = passes.ascend(x, labels[few].to(x.device))
    dead = (gradient == 0).to(x.dtype)
    if float(dead.mean()) > 0.5:
        moved = (passes.logits((x + 64 * sign * dead).clamp(0, 255)) - base).abs().amax(1)
        if (moved > 10 * passes.margin).float().mean() >= 0.5:
            return Warned(
                "input rounded or clipped",
                f"The gradient is zero in {float(dead.mean()):.0%} of the pixels' channels though the answer depends "
                f"on them: the network rounds or clips its input. {MEANING}",
            )
    return None


def _more_budget(passes: Passes, images: Tensor, labels: Tensor, recipe: Recipe) -> Warned | None:
    """The flipped ones again, with twice the budget: all should flip again."""
    if recipe.norm == "none":
        return None
    budget = min(2 * recipe.budget, 1.0 if recipe.norm == "l0" else 255.0)
    usual = recipe.step_size == default_step(recipe.norm, recipe.budget, recipe.step_rule)
    size = default_step(recipe.norm, budget, recipe.step_rule) if usual else recipe.step_size
    again = pgd(passes, images, labels, replace(recipe, budget=budget, step_size=size))
    missing = len(images) - int(again.flipped_float.sum())
    if missing >= max(2, 0.25 * len(images)):
        return Warned(
            "weaker with more budget",
            f"With twice the budget {missing} of {len(images)} flipped patches do not flip any more: the attack is "
            f"misled. {MEANING}",
        )
    return None


def _more_steps(passes: Passes, images: Tensor, labels: Tensor, recipe: Recipe) -> Warned | None:
    """The flipped ones again, by steps of adaptive length, whose course depends on how many there may be: four times as
    many should flip no fewer."""
    rule = next(rule for rule, norms in OWN_LENGTH.items() if recipe.norm in norms)

    def fell(steps: int) -> int:
        chosen = recipe_of(norm=recipe.norm, budget=recipe.budget, step_rule=rule, steps=steps, seed=recipe.seed)
        return int(pgd(passes, images, labels, chosen).flipped.sum())

    few, many = fell(25), fell(100)
    if few - many >= max(2, 0.25 * len(images)):
        return Warned(
            "weaker with more steps",
            f"With four times the steps {few - many} of {len(images)} patches do not flip any more: the attack is "
            f"misled. {MEANING}",
        )
    return None


def _no_limit(passes: Passes, images: Tensor, labels: Tensor, recipe: Recipe | None) -> Warned | None:
    """The unflipped ones without a budget: nearly all should flip."""
    free = recipe_of(norm="none", steps=30, step_size=4.0, seed=recipe.seed if recipe else 0)
    fell = int(pgd(passes, images, labels, free).flipped.sum())
    if fell <= len(images) / 2:
        return Warned(
            "fails without a limit",
            f"Without any limit only {fell} of {len(images)} patches flip that had not: the gradient does not lead to "
            f"the other class. {MEANING}",
        )
    return None


def _at_random(
    passes: Passes, images: Tensor, labels: Tensor, recipe: Recipe, draw: np.random.Generator
) -> Warned | None:
    """The unflipped ones by a random search within the same budget, which asks for answers only."""
    fell = random_search(passes, images, labels, recipe, draw)
    if fell >= 2:
        return Warned(
            "random search wins",
            f"A random search of {QUERIES} tries flips {fell} of {len(images)} patches that the attack did not flip: "
            f"the attack is weak, or the gradient is hidden. {MEANING}",
        )
    return None


def random_search(
    passes: Passes, images: Tensor, labels: Tensor, recipe: Recipe, draw: np.random.Generator, *, queries: int = QUERIES
) -> int:
    """How many images flip by random squares of full budget, each kept if it brings the other class nearer.

    In the manner of Square (Andriushchenko et al. 2020): stripes first, then squares that grow smaller.
    """
    fell = 0
    for x, y in _batches(passes, images, labels):
        pattern = _stripes(x, draw)
        best = gap_of_label(passes.logits(_displayed(x, pattern, recipe)), y)
        for query in range(queries):
            side = max(1, round(x.shape[2] * 0.5 * (1 - query / queries) ** 2))
            tried = _with_square(pattern, side, draw)
            gap = gap_of_label(passes.logits(_displayed(x, tried, recipe)), y)
            nearer = gap > best
            pattern[nearer], best = tried[nearer], torch.where(nearer, gap, best)
            if (best >= passes.margin).all():
                break
        seen = _displayed(x, pattern, recipe)
        fell += int(lost(passes.logits(seen), y, passes.margin).sum())
    return fell


def _stripes(x: Tensor, draw: np.random.Generator) -> Tensor:
    signs = draw.choice([-1.0, 1.0], size=(len(x), 3, 1, x.shape[3])).astype(np.float32)
    return torch.from_numpy(signs).to(x.device).expand(x.shape).clone()


def _with_square(pattern: Tensor, side: int, draw: np.random.Generator) -> Tensor:
    tried = pattern.clone()
    height, width = pattern.shape[2:]
    for one in tried:
        top, left = int(draw.integers(height - side + 1)), int(draw.integers(width - side + 1))
        colour = torch.from_numpy(draw.choice([-1.0, 1.0], size=(3, 1, 1)).astype(np.float32))
        one[:, top : top + side, left : left + side] = colour.to(pattern.device)
    return tried


def _displayed(x: Tensor, pattern: Tensor, recipe: Recipe) -> Tensor:
    """The pattern of signs at the full budget, as it is displayed; under L0 at full strength in a share of pixels."""
    if recipe.norm == "l0":
        ranked = pattern * torch.linspace(1, 2, pattern[0, 0].numel(), device=x.device).reshape(pattern.shape[2:])
        return shown(x, 255 * project(ranked, "l0", recipe.budget).sign(), "l0", recipe.budget)
    return shown(x, pattern * recipe.budget, recipe.norm, recipe.budget)


def _batches(passes: Passes, images: Tensor, labels: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    for part, y in zip(images.split(passes.batch), labels.split(passes.batch)):
        yield passes.floats(part), y.to(passes.device)
