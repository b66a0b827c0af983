"""success_curves CLASSIFIER: success against budget for every norm (Fig. 4), as a table, a CSV and a picture."""

from pathlib import Path

import pandas as pd
from django.conf import settings

from attacks.engine.curves import plot
from attacks.requests import CurvesRequest
from attacks.selectors import curves_of
from attacks.sweeps import SEARCHES, run_success_curves
from core.commands import RequestCommand
from core.spreadsheet import csv_of
from core.version import code_version


class Command(RequestCommand):
    help = "Success against budget from one minimal run per norm, checked against attacks at single budgets."

    request = CurvesRequest

    def add_arguments(self, parser):
        super().add_arguments(parser)
        parser.add_argument("--out", help="folder for curves.csv, checks.csv and curves.svg (default: var/figures)")

    def run(self, *, out, **options):
        chosen = self.settings(options)
        classifier, norms = chosen["classifier"], chosen["norms"] or SEARCHES
        result = run_success_curves(progress=self.progress("curves", "patch"), **chosen)
        curves = curves_of(classifier)
        curves = curves[curves["search"].isin(norms)]
        points = pd.DataFrame(result["checks"])
        folder = Path(out) if out else settings.HOME / "figures" / classifier.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "curves.csv").write_text(csv_of(curves))
        (folder / "checks.csv").write_text(csv_of(points))
        (folder / "curves.svg").write_bytes(plot(curves, points))
        return {
            "classifier": classifier.name,
            "weights_sha256": classifier.weights_sha256,
            "attacks": {
                norm: {
                    "name": attack.name,
                    "attacked": attack.summary["attacked"],
                    "flipped": attack.summary["flipped"],
                    "median": attack.summary["norms_of_flipped"][attack.norm]["median"],
                    "passes": attack.summary["passes"],
                    "seconds": attack.summary["seconds"],
                }
                for norm, attack in result["attacks"].items()
            },
            "checks": result["checks"],
            "files": [str(folder / name) for name in ("curves.csv", "checks.csv", "curves.svg")],
            "seed": chosen["seed"],
            "code_version": code_version(),
        }
