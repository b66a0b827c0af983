"""corruptions CLASSIFIER: what JPEG, noise, blur, brightness and stain do to the answers, measured like an attack."""

from attacks.management.commands.attack import attack_report
from attacks.requests import NaturalChangesRequest
from attacks.sweeps import run_corruptions
from core.commands import RequestCommand


class Command(RequestCommand):
    help = "Flip rate and norms of natural changes of the test patches: a yardstick for an attack's energy."

    request = NaturalChangesRequest

    def run(self, **options):
        return attack_report(
            run_corruptions(progress=self.progress("natural changes", "change"), **self.settings(options))
        )
