"""compare A B: two classifiers on the same test patches, with paired intervals of every difference."""

from pathlib import Path

from attacks.comparing import run_comparison
from attacks.comparison_plots import plot_comparison
from attacks.comparison_requests import ComparisonRequest
from attacks.comparison_table import report
from core.commands import RequestCommand
from core.errors import InvalidInput


class Command(RequestCommand):
    help = (
        "Two classifiers side by side: accuracy, robust accuracy by budget, smallest flips, calibration and saliency, "
        "each difference with its paired interval. A comparison that was cut off goes on when asked again."
    )

    request = ComparisonRequest

    def add_arguments(self, parser):
        super().add_arguments(parser)
        parser.add_argument("--out", type=Path, help="file for the figure: .svg, .png or .pdf")

    def run(self, *, out, **options):
        if out is not None and out.suffix not in (".svg", ".png", ".pdf"):
            raise InvalidInput(f"--out {out}: the file's name must end in .svg, .png or .pdf.")
        found = run_comparison(progress=self.progress("compare", "patch"), **self.settings(options))
        if out is not None:
            out.write_bytes(plot_comparison(found, out.suffix.lstrip(".")))
        return report(found)
