"""battery CLASSIFIER --norm linf --budget B: several attacks within one budget, and what stands against all of them."""

from attacks.battery_requests import BatteryRequest
from attacks.battery_services import run_battery
from core.commands import RequestCommand


class Command(RequestCommand):
    help = (
        "Attack the test patches of a classifier in every way within one budget; what stands is its robust accuracy. "
        "A run that was cut off goes on when the same command is given again."
    )

    request = BatteryRequest

    def run(self, **options):
        battery = run_battery(progress=self.progress("battery", "patch"), **self.settings(options))
        told = battery.summary | {"rows": [_line(row) for row in battery.summary["rows"]]}
        shown = ("patches", "already_wrong", "rows", "worst", "passes", "cpu_seconds", "groups", "flags")
        return {
            "battery": battery.name,
            "classifier": battery.classifier.name,
            "norm": battery.norm,
            "budget": battery.budget,
            **{key: told[key] for key in shown},
            "seed": battery.seed,
            "settings": battery.settings,
            "weights_sha256": battery.classifier.weights_sha256,
            "code_version": battery.code_version,
        }


def _line(row: dict) -> dict:
    """A row of the table as it is printed: the share that withstood and its interval in columns of their own."""
    withstood = row["withstood"]
    return {
        **{key: row[key] for key in ("attack", "asked", "flipped", "first", "stand")},
        **{key: withstood[key] for key in ("share", "low", "high")},
        "gradient": row["passes"].get("gradient", 0),
        "forward": row["passes"].get("forward", 0),
        "cpu_seconds": row["cpu_seconds"],
    }
