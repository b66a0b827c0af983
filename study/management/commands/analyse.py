"""Table 1b and all statistics, of a study in the database or of a CSV file."""

from pathlib import Path
from typing import Any

from core.commands import JsonCommand
from core.errors import InvalidInput
from study import blinds as selectors
from study.results.analysis import analysis_of
from study.results.exports.tables import as_text
from study.results.verified import demand_verified, verification_of
from study.statistics.analysis import analyse
from study.statistics.assay import FLOOR_D_PRIME, FLOOR_TPF
from study.statistics.table import read_csv
from study.statistics.verdict import ALPHA


class Command(JsonCommand):
    help = __doc__

    def add_arguments(self, parser):
        parser.add_argument("study", nargs="?", help="the study's short name")
        parser.add_argument("--csv", type=Path, metavar="FILE", help="a tidy table instead; see data_dictionary.csv")
        parser.add_argument("--margin", type=float, help="with --csv: the margin fixed beforehand, such as 0.10")
        parser.add_argument("--alpha", type=float, help=f"with --csv: one-sided, {ALPHA} unless told")
        parser.add_argument(
            "--floor-tpf",
            type=float,
            help=f"with --csv: least TPF of originals for a verdict, {FLOOR_TPF} unless told; 0: none",
        )
        parser.add_argument(
            "--floor-d-prime",
            type=float,
            help=f"with --csv: least d' of originals for a verdict, where there are negatives, {FLOOR_D_PRIME:g} "
            "unless told; 0: none",
        )
        parser.add_argument("--arm", help="with --csv: the arm to compare with original, where there are several")
        parser.add_argument(
            "--unverified",
            action="store_true",
            help="also where verifying the study finds problems; they are the first warning then",
        )

    def run(
        self,
        *,
        study: str | None = None,
        csv: Path | None = None,
        margin: float | None = None,
        alpha: float | None = None,
        arm: str | None = None,
        floor_tpf: float | None = None,
        floor_d_prime: float | None = None,
        unverified: bool = False,
        **options: Any,
    ) -> dict[str, Any]:
        if (study is None) == (csv is None):
            raise InvalidInput("Name a study, or a file with --csv FILE: one of the two.")
        if csv is not None:
            table = read_csv(csv)
            found = analyse(
                table,
                margin=margin,
                alpha=ALPHA if alpha is None else alpha,
                perturbed_arm=arm,
                floor_tpf=FLOOR_TPF if floor_tpf is None else _floor("floor_tpf", floor_tpf, 1),
                floor_d_prime=FLOOR_D_PRIME if floor_d_prime is None else _floor("floor_d_prime", floor_d_prime, 10),
                source=str(csv),
            )
            if margin is not None:
                found.warnings.append(
                    "The margin was given at the analysis; that it was fixed beforehand is your word."
                )
            return {"source": str(csv), **found.to_json()}
        chosen = selectors.get_study(str(study))
        given = (alpha, arm, floor_tpf, floor_d_prime)
        if any(value is not None for value in given) or (margin is not None and margin != chosen.margin):
            raise InvalidInput(
                f"Study '{chosen.slug}' was frozen with margin {chosen.margin} and alpha {chosen.alpha}; --margin, "
                "--alpha, --arm and the floors are for --csv. `export_study` writes its presentations.csv."
            )
        selectors.demand_arms_open(chosen)
        if verification_of(chosen, again=True).problems and not unverified:
            demand_verified(chosen)
        return {"study": chosen.slug, **analysis_of(chosen).to_json()}

    def as_text(self, result: dict[str, Any]) -> str:
        return as_text(result)


def _floor(name: str, value: float, most: float) -> float:
    if not 0 <= value <= most:
        raise InvalidInput(f"{value:g} is out of range; choose from 0 (none) to {most:g}.", field=name)
    return value
