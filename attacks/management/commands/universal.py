"""universal CLASSIFIER [--norm linf --budget 8]: one perturbation for many patches (section 3.3, eq. 2)."""

from attacks.management.commands.attack import attack_report
from attacks.requests import UniversalAttackRequest
from attacks.sweeps import run_universal
from core.commands import RequestCommand


class Command(RequestCommand):
    help = "Learn one perturbation on the training positives and judge it on the unseen ones."

    request = UniversalAttackRequest

    def run(self, **options):
        return attack_report(run_universal(progress=self.progress("universal", "step"), **self.settings(options)))
