"""worst_case CLASSIFIER: natural changes at their worst within bounds, beside random draws within the same bounds."""

from attacks.management.commands.attack import attack_report
from attacks.requests import WorstCaseRequest
from attacks.worst_services import run_worst_case
from core.commands import RequestCommand


class Command(RequestCommand):
    help = (
        "Stain, brightness, focus, place, JPEG, resampling, flips and noise at their worst within bounds, and drawn at "
        "random within the same. Bounds of stain and tone are measured between the data set's own slides. Both are "
        "stored as attacks, whose images a study can show."
    )

    request = WorstCaseRequest

    def run(self, **options):
        found = run_worst_case(progress=self.progress("worst case", "patch"), **self.settings(options))
        report = attack_report(found)
        report.pop("chunks", None)
        return report
