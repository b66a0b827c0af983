"""transfer CLASSIFIER CLASSIFIER ... --norm linf --budget B: what is made on one classifier, shown to the others."""

from attacks.battery_requests import TransferRequest
from attacks.transfer_services import run_transfer
from core.commands import RequestCommand


class Command(RequestCommand):
    help = (
        "Make perturbations of each classifier's test patches on every one of the classifiers, and on all the others "
        "together, and count those that it falls for."
    )

    request = TransferRequest

    def run(self, **options):
        found = run_transfer(progress=self.progress("transfer", "cell"), **self.settings(options))
        return {
            "transfer": found.name,
            "norm": found.norm,
            "budget": found.budget,
            "rows": [
                {key: row[key] for key in ("source", "target", "flipped", "of")} | _interval(row)
                for row in found.summary["rows"]
            ],
            "passes": found.summary["passes"],
            "seed": found.seed,
            "weights_sha256": found.settings["weights_sha256"],
            "code_version": found.code_version,
        }


def _interval(row: dict) -> dict:
    return {key: row["share"][key] for key in ("share", "low", "high")}
