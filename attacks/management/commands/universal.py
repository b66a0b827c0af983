"""universal CLASSIFIER [--norm linf --budget 8]: one perturbation for many patches (section 3.3, eq. 2)."""

from attacks.engine.norms import NORMS
from attacks.engine.recipe import LOSSES
from attacks.management.commands.attack import attack_report
from attacks.selectors import classifier_named
from attacks.sweeps import run_universal
from core.commands import JsonCommand


class Command(JsonCommand):
    help = "Learn one perturbation on the training positives and judge it on the unseen ones."

    def add_arguments(self, parser):
        parser.add_argument("classifier", metavar="CLASSIFIER", help="name of the classifier")
        parser.add_argument("--norm", choices=NORMS, default="linf")
        parser.add_argument("--budget", type=float, help="in 0-255 units; needed unless --norm none")
        parser.add_argument("--paper", action="store_true", help="the paper's letter: one example at a time, raw steps")
        parser.add_argument("--passes", type=int, help="over the training positives (default: 10; paper 5)")
        parser.add_argument("--batch", type=int, help="examples per step (default: 16; paper 1)")
        parser.add_argument("--step-size", type=float, help="in 0-255 units; with --paper, times the gradient")
        parser.add_argument("--momentum", type=float, help="default: 0.9; paper 0")
        parser.add_argument("--loss", choices=tuple(LOSSES), help="default: margin; paper ce")
        parser.add_argument("--sizes", type=int, nargs="*", default=[], help="also learn on that many positives")
        parser.add_argument("--name", default="", help="name of the attack (default: from its settings)")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--device", help="cpu, cuda or mps (default: the best there is)")

    def run(self, *, classifier, norm, budget, sizes, name, seed, device, **options):
        attack = run_universal(
            classifier=classifier_named(classifier),
            norm=norm,
            budget=budget,
            sizes=sizes,
            name=name,
            seed=seed,
            device=device,
            progress=self.progress("universal", "step"),
            **{key: options[key] for key in ("paper", "passes", "batch", "step_size", "momentum", "loss")},
        )
        return attack_report(attack)
