"""success_curves CLASSIFIER: success against budget for every norm (Fig. 4), as a table, a CSV and a picture."""

from pathlib import Path

import pandas as pd
from django.conf import settings

from attacks.engine.curves import plot
from attacks.selectors import classifier_named, curves_of
from attacks.sweeps import SEARCHES, run_success_curves
from core.commands import JsonCommand
from core.spreadsheet import csv_of
from core.version import code_version


class Command(JsonCommand):
    help = "Success against budget from one minimal run per norm, checked against attacks at single budgets."

    def add_arguments(self, parser):
        parser.add_argument("classifier", metavar="CLASSIFIER", help="name of the classifier")
        parser.add_argument("--norms", nargs="+", choices=SEARCHES, default=list(SEARCHES))
        parser.add_argument("--checks", type=int, default=2, help="attacks per norm to check against (default: 2)")
        parser.add_argument("--check-patches", type=int, default=64, help="patches that they see (default: 64)")
        parser.add_argument("--out", help="folder for curves.csv, checks.csv and curves.svg (default: var/figures)")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--device", help="cpu, cuda or mps (default: the best there is)")

    def run(self, *, classifier, norms, checks, check_patches, out, seed, device, **options):
        found = classifier_named(classifier)
        made = run_success_curves(
            classifier=found,
            searches=norms,
            checks=checks,
            check_patches=check_patches,
            seed=seed,
            device=device,
            progress=self.progress("curves", "patch"),
        )
        curves = curves_of(found)
        curves = curves[curves["search"].isin(norms)]
        points = pd.DataFrame(made["checks"])
        folder = Path(out) if out else settings.HOME / "figures" / found.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "curves.csv").write_text(csv_of(curves))
        (folder / "checks.csv").write_text(csv_of(points))
        (folder / "curves.svg").write_bytes(plot(curves, points))
        return {
            "classifier": found.name,
            "weights_sha256": found.weights_sha256,
            "attacks": {
                one: {
                    "name": attack.name,
                    "attacked": attack.summary["attacked"],
                    "flipped": attack.summary["flipped"],
                    "median": attack.summary["norms_of_flipped"][attack.norm]["median"],
                    "passes": attack.summary["passes"],
                    "seconds": attack.summary["seconds"],
                }
                for one, attack in made["attacks"].items()
            },
            "checks": made["checks"],
            "files": [str(folder / name) for name in ("curves.csv", "checks.csv", "curves.svg")],
            "seed": seed,
            "code_version": code_version(),
        }
