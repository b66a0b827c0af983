"""attack CLASSIFIER --norm none|l0|l1|l2|linf --budget B: projected gradient descent on the test split."""

from attacks.requests import GradientAttackRequest
from attacks.services import run_attack
from core.commands import RequestCommand


class Command(RequestCommand):
    help = (
        "Perturb the test patches of a classifier until its answer on the displayed 8-bit image is wrong (eq. 1). "
        "A run that was cut off goes on when the same command is given again."
    )

    request = GradientAttackRequest

    def run(self, **options):
        return attack_report(run_attack(progress=self.progress("attack", "patch"), **self.settings(options)))


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
