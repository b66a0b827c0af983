"""The peers of ``attacks.py``, each as a function of images and labels; those that are not installed are left out."""

import importlib
from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor, nn

Attack = Callable[[Tensor, Tensor], Tensor]


class Counted(nn.Module):
    """A network that counts images: passes that a gradient is taken of, and others."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network
        self.count: Counter[str] = Counter(gradient=0, forward=0)

    def forward(self, x: Tensor) -> Tensor:
        self.count["gradient" if torch.is_grad_enabled() and x.requires_grad else "forward"] += len(x)
        return self.network(x)


def torchattacks_pgd(model: nn.Module, cap: float, step: float, steps: int) -> Attack:
    import torchattacks

    return torchattacks.PGD(model, eps=cap, alpha=step, steps=steps)


def torchattacks_apgd(model: nn.Module, cap: float, step: float, steps: int) -> Attack:
    import torchattacks

    return torchattacks.APGD(model, norm="Linf", eps=cap, steps=steps, n_restarts=1, loss="ce")


def foolbox_pgd(model: nn.Module, cap: float, step: float, steps: int) -> Attack:
    import foolbox

    wrapped = foolbox.PyTorchModel(model, bounds=(0, 1), device=next(model.parameters()).device)
    attack = foolbox.attacks.LinfPGD(abs_stepsize=step, steps=steps)
    return lambda x, y: attack(wrapped, x, y, epsilons=cap)[1]


def advlib_pgd(model: nn.Module, cap: float, step: float, steps: int) -> Attack:
    from adv_lib.attacks import pgd_linf

    return lambda x, y: pgd_linf(model, x, y, cap, steps=steps, absolute_step_size=step)


def art_pgd(model: nn.Module, cap: float, step: float, steps: int) -> Attack:
    from art.attacks.evasion import ProjectedGradientDescentPyTorch
    from art.estimators.classification import PyTorchClassifier

    def attack(x: Tensor, y: Tensor) -> Tensor:
        wrapped = PyTorchClassifier(
            model, nn.CrossEntropyLoss(), input_shape=tuple(x.shape[1:]), nb_classes=2, clip_values=(0.0, 1.0),
            device_type="gpu" if x.is_cuda else "cpu",
        )  # fmt: skip
        method = ProjectedGradientDescentPyTorch(
            wrapped, eps=cap, eps_step=step, max_iter=steps, batch_size=len(x), verbose=False
        )
        return torch.from_numpy(method.generate(x.cpu().numpy(), y.cpu().numpy()))

    return attack


def early_stopping_pgd(model: nn.Module, cap: float, step: float, steps: int) -> Attack:
    """torchattacks' PGD without its random start, and a dozen lines by which images leave once they are flipped."""

    def attack(x: Tensor, y: Tensor) -> Tensor:
        found, rows, here = x.clone(), torch.arange(len(x), device=x.device), x.clone()
        for number in range(steps + 1):
            here = here.detach().requires_grad_(number < steps)
            logits = model(here)
            stay = logits.argmax(1) == y[rows]
            found[rows] = here.detach()
            if number == steps or not stay.any():
                break
            loss = nn.functional.cross_entropy(logits, y[rows], reduction="sum")
            (gradient,) = torch.autograd.grad(loss, here)
            rows, here, gradient = rows[stay], here.detach()[stay], gradient[stay]
            here = x[rows] + (here + step * gradient.sign() - x[rows]).clamp(-cap, cap)
            here = here.clamp(0, 1)
        return found

    return attack


def ddn(model: nn.Module, x: Tensor, y: Tensor, *, levels: int | None = 256) -> Tensor:
    from adv_lib.attacks import ddn

    return ddn(model, x, y, steps=50, levels=levels)


def fmn(norm: float) -> Callable[[nn.Module, Tensor, Tensor], Tensor]:
    def attack(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        from adv_lib.attacks import fmn

        return fmn(model, x, y, norm=norm, steps=50)

    return attack


def sigma_zero(steps: int) -> Callable[[nn.Module, Tensor, Tensor], Tensor]:
    def attack(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        from adv_lib.attacks.sigma_zero import sigma_zero

        return sigma_zero(model, x, y, num_steps=steps)

    return attack


def autoattack(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    norm: str,
    budget: float,
    attack: str,
    *,
    queries: int = 5000,
    batch: int = 64,
    seed: int = 0,
) -> Tensor:
    """One attack of the reference AutoAttack, with the starts of its standard version, on uint8 images: floats 0-255.

    Its lengths are sums over components, on a scale from 0 to 1; ours are means, in grey levels.
    """
    from pyautoattack import AutoAttack

    components = images[0].numel()
    length = budget / 255 * {"linf": 1.0, "l2": components**0.5, "l1": components}[norm]
    reference = AutoAttack(
        model, norm={"linf": "Linf", "l2": "L2", "l1": "L1"}[norm], eps=length, version="custom", attacks=[attack],
        seed=seed,
    )  # fmt: skip
    reference.apgd.n_restarts = reference.fab.n_restarts = 1
    reference.square.n_queries = queries
    if norm == "l1":  # as its standard version does there
        reference.apgd.use_largereps, reference.apgd.n_restarts = True, 5
    found, _ = reference.run_standard_evaluation(images.float() / 255, labels, batch_size=batch)
    return 255 * found.detach()


_LINF = {
    "early_stopping": ("torch", early_stopping_pgd),
    "torchattacks": ("torchattacks", torchattacks_pgd),
    "torchattacks_apgd": ("torchattacks", torchattacks_apgd),
    "foolbox": ("foolbox", foolbox_pgd),
    "advlib": ("adv_lib", advlib_pgd),
    "art": ("art", art_pgd),
}
_MINIMAL = {
    "ddn_50": ("l2", ddn),
    "ddn_50_floats": ("l2", lambda model, x, y: ddn(model, x, y, levels=None)),
    "fmn_l2_50": ("l2", fmn(2)),
    "fmn_l1_50": ("l1", fmn(1)),
    "fmn_linf_50": ("linf", fmn(float("inf"))),
    "sigma_zero_100": ("l0", sigma_zero(100)),
    "fmn_l0_50": ("l0", fmn(0)),
}


def _there(module: str) -> bool:
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True


def missing() -> list[str]:
    """Peers that are not installed here."""
    return [module for module in ("torchattacks", "foolbox", "adv_lib", "art") if not _there(module)]


LINF_PEERS = {name: make for name, (module, make) in _LINF.items() if _there(module)}
MINIMAL_PEERS = _MINIMAL if _there("adv_lib") else {}
