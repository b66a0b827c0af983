"""attack CLASSIFIER --norm none|l0|l1|l2|linf --budget B: projected gradient descent on the test split."""

from attacks.engine.norms import NORMS
from attacks.engine.recipe import LOSSES, ROUNDINGS, STEP_RULES
from attacks.selectors import classifier_named
from attacks.services import CHUNK, run_attack
from core.commands import JsonCommand


class Command(JsonCommand):
    help = (
        "Perturb the test patches of a classifier until its answer on the displayed 8-bit image is wrong (eq. 1). "
        "A run that was cut off goes on when the same command is given again."
    )

    def add_arguments(self, parser):
        parser.add_argument("classifier", metavar="CLASSIFIER", help="name of the classifier")
        parser.add_argument("--norm", required=True, choices=NORMS, help="what the budget limits")
        parser.add_argument("--budget", type=float, help="in 0-255 units; for l0 a share of pixels, 0 to 1")
        parser.add_argument("--name", default="", help="name of the attack (default: from its settings)")
        parser.add_argument("--steps", type=int, default=50, help="step limit (default: 50)")
        parser.add_argument("--step-rule", choices=STEP_RULES, help="default: sign for l0 and linf, else l2")
        parser.add_argument("--step-size", type=float, help="in 0-255 units (default: a quarter of the budget)")
        parser.add_argument("--loss", choices=tuple(LOSSES), default="margin")
        parser.add_argument("--confidence", type=float, default=0.0, help="probability that the wrong class must reach")
        parser.add_argument("--rounding", choices=ROUNDINGS, default="aware", help="default: aware")
        parser.add_argument("--random-start", action="store_true", help="noise within the budget before the first step")
        parser.add_argument(
            "--paper", action="store_true", help="the paper's letter: raw cross-entropy gradient, rounded afterwards"
        )
        parser.add_argument("--positives-only", action="store_true", help="leave the negatives alone")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument(
            "--chunk", type=int, default=CHUNK, help=f"patches attacked and stored together (default: {CHUNK})"
        )
        parser.add_argument("--device", help="cpu, cuda or mps (default: the best there is)")

    def run(self, *, classifier, norm, budget, name, positives_only, seed, chunk, device, **options):
        chosen = ("steps", "step_rule", "step_size", "loss", "confidence", "rounding", "random_start", "paper")
        attack = run_attack(
            classifier=classifier_named(classifier),
            norm=norm,
            budget=budget,
            name=name,
            positives_only=positives_only,
            seed=seed,
            chunk=chunk,
            device=device,
            progress=self.progress("attack", "patch"),
            **{key: options[key] for key in chosen},
        )
        return attack_report(attack)


def attack_report(attack) -> dict:
    """What the commands that store perturbations print."""
    return {
        "attack": attack.name,
        "classifier": attack.classifier.name,
        "kind": attack.kind,
        "norm": attack.norm,
        "budget": attack.budget,
        **attack.summary,
        "seed": attack.seed,
        "settings": attack.settings,
        "weights_sha256": attack.classifier.weights_sha256,
        "code_version": attack.code_version,
    }
