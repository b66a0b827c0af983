"""minimal CLASSIFIER --norm l0|l1|l2|linf: the smallest displayed perturbation of every test patch."""

from attacks.engine.norms import MEASURED
from attacks.management.commands.attack import attack_report
from attacks.selectors import classifier_named
from attacks.sweeps import run_minimal
from core.commands import JsonCommand


class Command(JsonCommand):
    help = "Find the smallest displayed perturbation of each test patch; a run that was cut off goes on."

    def add_arguments(self, parser):
        parser.add_argument("classifier", metavar="CLASSIFIER", help="name of the classifier")
        parser.add_argument("--norm", required=True, choices=MEASURED, help="what is made as small as possible")
        parser.add_argument("--rescaled", action="store_true", help="l1 only: the paper's rescaled L1")
        parser.add_argument("--steps", type=int, help="gradient steps (default: 50; l0 100, linf 30)")
        parser.add_argument("--name", default="", help="name of the attack (default: from its settings)")
        parser.add_argument("--positives-only", action="store_true", help="leave the negatives alone")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--device", help="cpu, cuda or mps (default: the best there is)")

    def run(self, *, classifier, norm, rescaled, steps, name, positives_only, seed, device, **options):
        attack = run_minimal(
            classifier=classifier_named(classifier),
            norm=norm,
            rescaled=rescaled,
            steps=steps,
            name=name,
            positives_only=positives_only,
            seed=seed,
            device=device,
            progress=self.progress("minimal", "patch"),
        )
        return attack_report(attack)
