"""Networks that would look robust, or fooled, without being so are refused, and what was asked for in vain, too."""

import pytest
import torch
from torch import nn

from attacks.engine import attack
from attacks.engine.minimal import minimal
from attacks.engine.norms import check_reachable
from attacks.engine.passes import Passes
from attacks.engine.universal import universal
from core.errors import InvalidInput
from tests.attacks.networks import SmallNet, patches, trained


class Bright(nn.Module):
    """Class 1 for images brighter than grey, with logits of the scale ``k``."""

    def __init__(self, k: float = 200.0):
        super().__init__()
        self.k = nn.Parameter(torch.tensor(k))

    def forward(self, x):
        z = self.k * (x.mean((1, 2, 3)) - 0.5)
        return torch.stack([-z, z], 1)


def bright_images(n: int = 8) -> torch.Tensor:
    draw = torch.Generator().manual_seed(1)
    return (torch.rand(n, 3, 48, 48, generator=draw) * 60 + 100).to(torch.uint8)


class Then(nn.Module):
    """A network's logits, and a function after them."""

    def __init__(self, network, after):
        super().__init__()
        self.network, self.after = network, after

    def forward(self, x):
        return self.after(self.network(x))


PROBABILITIES = {
    "softmax": nn.Softmax(1),
    "functional softmax": lambda z: nn.functional.softmax(z, 1),
    "by hand": lambda z: z.exp() / z.exp().sum(1, keepdim=True),
    "exp of log-softmax": lambda z: nn.functional.log_softmax(z, 1).exp(),
    "softmax, clamped": lambda z: z.softmax(1).clamp(1e-6, 1 - 1e-6),
    "percent": lambda z: 100 * z.softmax(1),
    "sigmoid": nn.Sigmoid(),
    "independent sigmoids": lambda z: torch.sigmoid(z + torch.tensor([0.3, 0.1])),
    "one sigmoid, made two": lambda z: torch.stack([1 - torch.sigmoid(z[:, 1]), torch.sigmoid(z[:, 1])], 1),
    "hard sigmoid": lambda z: nn.functional.hardsigmoid(z + torch.tensor([0.3, 0.1])),
}


@pytest.mark.parametrize("k", [20_000.0, 200.0, 2.0])
@pytest.mark.parametrize("last", PROBABILITIES)
def test_a_network_that_answers_with_probabilities_is_refused(last, k):
    images, network = bright_images(), Bright(k).eval()
    labels = network(images / 255).argmax(1)
    assert attack(network, images, labels, norm="linf", budget=8).flipped.all()
    overflows = last == "by hand" and k > 200  # e to the 1,000 is infinite
    with pytest.raises(InvalidInput, match="image 0 with values that are not finite" if overflows else "not logits"):
        attack(Then(network, PROBABILITIES[last]), images, labels, norm="linf", budget=8)


@pytest.mark.parametrize("ask", [minimal, universal])
def test_every_kind_of_attack_refuses_probabilities(ask):
    settings = {"norm": "l2"} if ask is minimal else {"norm": "linf", "budget": 8}
    with pytest.raises(InvalidInput, match="probabilities"):
        ask(nn.Sequential(trained(), nn.Softmax(1)), *patches(4), **settings)


@pytest.mark.parametrize("after", [nn.Identity(), nn.LogSoftmax(1), nn.Tanh(), nn.ReLU(), lambda z: z * 0.01 + 0.4])
def test_logits_of_any_scale_are_none(after):
    network = SmallNet()
    torch.manual_seed(0)
    Passes(Then(network, after).eval()).check(patches(4)[0])


class Random(nn.Module):
    def __init__(self, noise):
        super().__init__()
        self.network, self.noise = Bright(), noise

    def forward(self, x):
        return self.network(self.noise(x))


@pytest.mark.parametrize(
    "noise",
    [
        lambda x: nn.functional.dropout(x, 0.3, training=True),
        lambda x: x + 0.05 * torch.randn_like(x),
        lambda x: x.roll(int(torch.randint(0, 40, ())), 3) * (torch.rand(()) + 0.5),
    ],
)
def test_a_network_that_answers_differently_each_time_is_refused(noise):
    with pytest.raises(InvalidInput, match="differently each time"):
        attack(Random(noise).eval(), bright_images(), torch.ones(8), norm="linf", budget=8)


def test_a_network_whose_answer_depends_on_the_images_beside_is_refused():
    class Beside(Bright):
        def forward(self, x):
            return super().forward(x - x.mean() + 0.5)

    with pytest.raises(InvalidInput, match="depends on the images beside it"):
        attack(Beside().eval(), bright_images(), torch.ones(8), norm="linf", budget=8)


def test_dropout_that_is_off_in_evaluation_does_no_harm():
    network = nn.Sequential(nn.Dropout(0.5), Bright())
    assert attack(network, bright_images(), torch.ones(8), norm="linf", budget=8) is not None


class Standardised(Bright):
    """Divides by the image's spread: NaN for a plain one."""

    def forward(self, x):
        middle = x.mean((1, 2, 3), keepdim=True)
        return super().forward((x - middle) / x.std((1, 2, 3), keepdim=True) * 0.05 + middle)


@pytest.mark.parametrize("number", [0, 5, 11])
@pytest.mark.parametrize("ask", [attack, minimal])
def test_an_image_without_a_finite_answer_is_named(ask, number):
    images = bright_images(12)
    images[number] = 255
    settings = {"norm": "linf", "budget": 8} if ask is attack else {"norm": "l2"}
    with pytest.raises(InvalidInput, match=rf"image {number}\b.*not finite|answers image {number} with"):
        ask(Standardised(), images, torch.ones(12, dtype=torch.long), **settings)


class Small(nn.Module):
    def __init__(self, classes: int = 2):
        super().__init__()
        self.conv = nn.Conv2d(3, classes, 3)

    def forward(self, x):
        return self.conv(x).mean((2, 3))


class Logits:
    def __init__(self, logits):
        self.logits = logits


ANSWERS = {
    "dict": (lambda z: {"logits": z}, r"a dict of logits.*net\(x\)\['logits'\]"),
    "empty dict": (lambda z: {}, "a dict of nothing"),
    "tuple": (lambda z: (z, None), r"a tuple.*net\(x\)\[0\]"),
    "list": (lambda z: [z], "a list"),
    "object": (Logits, r"net\(x\)\.logits"),
    "none": (lambda z: None, "a NoneType"),
    "one logit": (lambda z: z[:, :1], "Give a single output a second one"),
    "flat": (lambda z: z[:, 0], "needs"),
    "map": (lambda z: z[:, :, None, None], "needs"),
    "classes": (lambda z: z.round().long(), "needs float logits"),
    "cut": (lambda z: z.detach(), "No gradient"),
    "raises": (lambda z: z.reshape(7, 7), "cannot take images"),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_an_answer_that_is_no_logits_is_refused_with_what_to_do(kind):
    after, message = ANSWERS[kind]
    images = torch.randint(0, 256, (2, 3, 40, 40), dtype=torch.uint8)
    with pytest.raises(InvalidInput, match=message):
        attack(Then(Small(), after).eval(), images, [0, 0], norm="linf", budget=8, steps=2)


def test_a_network_through_numpy_has_no_gradient():
    class Cut(Small):
        def forward(self, x):
            return super().forward(torch.from_numpy(x.detach().cpu().numpy()))

    with pytest.raises(InvalidInput, match="No gradient"):
        attack(Cut().eval(), torch.zeros(2, 3, 40, 40, dtype=torch.uint8), [0, 0], norm="linf", budget=8, steps=2)


@pytest.mark.parametrize(
    ("norm", "budget"), [("linf", 0.0314), ("linf", 0.999), ("l2", 0.01), ("l1", 1e-5), ("l0", 1e-5)]
)
def test_a_budget_that_no_displayed_byte_can_use_is_refused(norm, budget):
    with pytest.raises(InvalidInput, match=r"no displayed byte could change.*0-255 units"):
        attack(trained(), *patches(2), norm=norm, budget=budget)
    with pytest.raises(InvalidInput, match="no displayed byte could change"):
        universal(trained(), *patches(2), norm=norm, budget=budget)


@pytest.mark.parametrize(("norm", "budget"), [("linf", 1), ("l2", 3072**-0.5), ("l1", 1 / 3072), ("l0", 1 / 1024)])
def test_the_smallest_budget_of_one_grey_level_is_taken(norm, budget):
    check_reachable(norm, budget, 32, 32)
