"""minimal CLASSIFIER --norm l0|l1|l2|linf: the smallest displayed perturbation of every test patch."""

from attacks.management.commands.attack import attack_report
from attacks.requests import MinimalAttackRequest
from attacks.sweeps import run_minimal
from core.commands import RequestCommand


class Command(RequestCommand):
    help = "Find the smallest displayed perturbation of each test patch; a run that was cut off goes on."

    request = MinimalAttackRequest

    def run(self, **options):
        return attack_report(run_minimal(progress=self.progress("minimal", "patch"), **self.settings(options)))
