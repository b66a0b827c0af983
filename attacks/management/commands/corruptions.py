"""corruptions CLASSIFIER: what JPEG, noise, blur, brightness and stain do to the answers, measured like an attack."""

from attacks.engine.natural import LADDER
from attacks.management.commands.attack import attack_report
from attacks.selectors import classifier_named
from attacks.sweeps import run_corruptions
from core.commands import JsonCommand


class Command(JsonCommand):
    help = "Flip rate and norms of natural changes of the test patches: a yardstick for an attack's energy."

    def add_arguments(self, parser):
        parser.add_argument("classifier", metavar="CLASSIFIER", help="name of the classifier")
        parser.add_argument("--kinds", nargs="+", choices=tuple(LADDER), default=[], help="default: all")
        parser.add_argument("--name", default="", help="name under which the table is kept (default: made)")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--device", help="cpu, cuda or mps (default: the best there is)")

    def run(self, *, classifier, kinds, name, seed, device, **options):
        attack = run_corruptions(
            classifier=classifier_named(classifier),
            kinds=kinds,
            name=name,
            seed=seed,
            device=device,
            progress=self.progress("natural changes", "change"),
        )
        return attack_report(attack)
