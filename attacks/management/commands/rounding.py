"""rounding CLASSIFIER: how many flips survive being shown, by Linf cap and rounding mode (docs/attacks.md)."""

from attacks.selectors import classifier_named
from attacks.sweeps import rounding_table
from core.commands import JsonCommand


class Command(JsonCommand):
    help = "Attack under several Linf caps and count the flips that are left on displayed bytes; stores nothing."

    def add_arguments(self, parser):
        parser.add_argument("classifier", metavar="CLASSIFIER", help="name of the classifier")
        parser.add_argument("--caps", type=float, nargs="+", default=[0.5, 1, 2, 4, 8])
        parser.add_argument(
            "--patches", type=int, default=64, help="test patches to attack, drawn by the seed (default: 64)"
        )
        parser.add_argument("--steps", type=int, default=50)
        parser.add_argument("--seed", type=int, default=0, help="draws the patches (default: 0)")
        parser.add_argument("--device", help="cpu, cuda or mps (default: the best there is)")

    def run(self, *, classifier, caps, patches, steps, seed, device, **options):
        return rounding_table(
            classifier=classifier_named(classifier),
            caps=caps,
            patches=patches,
            steps=steps,
            seed=seed,
            device=device,
            progress=self.progress("rounding", "attack"),
        )

    def as_text(self, result):
        columns = ("cap", "rounding", "attacked", "flipped_float", "flipped")
        lines = ["  ".join(f"{name:>13}" for name in columns)]
        lines += ["  ".join(f"{row[name]!s:>13}" for name in columns) for row in result["rows"]]
        return "\n".join(lines)
