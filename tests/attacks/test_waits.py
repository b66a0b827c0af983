"""How often an attack asks a GPU for numbers and has to wait for them: counted on a CPU."""

import pytest
import torch

from attacks.engine import pool
from attacks.engine.minimal import search
from attacks.engine.passes import Passes
from attacks.engine.pgd import pgd
from attacks.engine.recipe import minimal_recipe, recipe
from tests.attacks.networks import patches, trained

WAITS = {"cpu", "item", "tolist", "numpy", "nonzero", "__bool__", "__int__", "__float__", "__index__", "__array__"}
MASKED = {"__getitem__", "__setitem__", "masked_select"}


class Far(torch.Tensor):
    """A tensor as it were on a GPU: what is made of it is there, too, and what has to wait for it is written down."""

    told = []

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        name = function.__name__
        masked = name in MASKED and any(isinstance(one, Far) and one.dtype == torch.bool for one in _flat(args[1:2]))
        if name in WAITS or masked:
            Far.told.append(name)
        made = super().__torch_function__(function, types, args, kwargs or {})
        return made.as_subclass(torch.Tensor) if name == "cpu" else made


def _flat(args):
    return [inner for one in args for inner in (one if isinstance(one, tuple) else (one,))]


class FarPasses(Passes):
    """Passes of a network whose images and answers are ``Far``; each pass is written down."""

    def floats(self, images):
        return super().floats(images).as_subclass(Far)

    def logits(self, images):
        answer = super().logits(images)
        Far.told.append("verdict")
        return answer.as_subclass(Far)

    def ascend(self, images, labels, loss="margin", *, rough=False):
        found = super().ascend(images, labels, loss, rough=rough)
        Far.told.append("gradient")
        return tuple(one.as_subclass(Far) for one in found)


@pytest.fixture
def waits(monkeypatch):
    """``waits(work)``: the waits after each pass of an attack, as (kind of pass, names of what waited)."""
    filled = pool.Pool.__post_init__

    def far_pool(self):
        filled(self)
        self.x, self.delta, self.seen, self.y = (
            one.as_subclass(Far) for one in (self.x, self.delta, self.seen, self.y)
        )

    monkeypatch.setattr(pool.Pool, "__post_init__", far_pool)

    def counted(work):
        passes = FarPasses(trained(), device="cpu")
        images, labels = patches(12, seed=3)
        passes.check(images)
        passes.batch = 4
        monkeypatch.setattr(Far, "told", [])
        found = work(passes, images, labels)
        after = []
        for one in Far.told:
            if one in ("gradient", "verdict"):
                after.append((one, []))
            elif after:
                after[-1][1].append(one)
        assert found.flipped.any()
        return [(kind, names) for kind, names in after]

    return counted


def most(after, kind):
    return max(len(names) for one, names in after if one == kind)


@pytest.mark.parametrize("options", [{"norm": "linf", "budget": 5}, {"norm": "l2", "budget": 4}])
def test_a_step_of_descent_waits_twice_and_a_verdict_four_times(waits, options):
    after = waits(lambda *given: pgd(*given, recipe(steps=8, **options)))
    assert most(after, "gradient") == 2, after  # who is a suspect before and after the step
    assert most(after, "verdict") <= 4, after  # the verdict, and of images that end their bytes and the other image


@pytest.mark.parametrize("norm, budget", [("linf", 5), ("l2", 4), ("l1", 2), ("l0", 0.2)])
def test_a_step_of_a_walk_waits_once_and_a_verdict_twice(waits, norm, budget):
    rule = "adaptive" if norm in ("linf", "l2") else "sparse"
    after = waits(lambda *given: pgd(*given, recipe(norm=norm, budget=budget, steps=8, step_rule=rule)))
    searched = [names for kind, names in after if kind == "gradient"]
    assert sum(len(names) > 1 for names in searched) <= 3, after  # at the end of each of three batches
    assert most(after, "verdict") <= 2, after


@pytest.mark.parametrize("norm", ["linf", "l2", "l1", "l0"])
def test_a_step_of_a_minimal_search_waits_once(waits, norm):
    budget = {"linf": 5, "l2": 4, "l1": 2, "l0": 0.2}[norm]
    recipe = minimal_recipe(norm=norm, steps=8)
    after = waits(lambda *given: search(*given, recipe, budget=budget))
    searched = [names for kind, names in after if kind == "gradient"]
    assert sum(len(names) > 1 for names in searched) <= 3, after
