"""How often is a claim false, and how often does an interval cover the truth? By simulation; JSON on stdout.

    python benchmarks/validity.py [--quick] [--only visibility] [--replications 10000] [--seed 1]

Every rate stands beside its Monte Carlo error. `primary` is the verdict of one, three and five readers over 20, 40 and
80 patches (10 points margin, nominal 2.5 % false claims, 95 % coverage), also over slides; `secondary`, `order` and
`visibility` (thresholds, blind-spot index, forced choices) are the analyses beside it. `above_limit` names every cell
of the primary table whose false claims lie above 3.5 %, and `summary` holds the worst cells. The rule is
`study.statistics.rule`, by which a study is analysed and planned.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.lib import order_effects, validity_secondary, validity_visibility
from benchmarks.lib import validity_primary as primary

LIMIT = 0.035


def _primary(options: argparse.Namespace) -> dict[str, Any]:
    replications = options.replications or (2000 if options.quick else 10_000)
    settings = list(primary.settings(options.quick))
    rows = [primary.cell(setting, replications, options.seed) for setting in tqdm(settings, file=sys.stderr)]
    return {
        "replications": replications,
        "summary": primary.summary(rows),
        "above_limit": [row for row in rows if row.get("false_claim", 0) > LIMIT],
        "primary": rows,
    }


PARTS: dict[str, Callable[[argparse.Namespace], Iterable[dict[str, Any]]]] = {
    "secondary": lambda o: validity_secondary.cells(1000 if o.quick else 2000, o.seed),
    "order": lambda o: order_effects.cells(300 if o.quick else 1000, o.seed),
    "course": lambda o: order_effects.course_cells(300 if o.quick else 2000, o.seed),
    "visibility": lambda o: validity_visibility.cells(o.studies or (20 if o.quick else 200), o.seed, o.quick),
}


def _told(name: str, rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each row as it comes, so that a run that is cut off told what it had."""
    told = []
    for row in rows:
        print(f"{name}: {json.dumps(row)}", file=sys.stderr, flush=True)
        told.append(row)
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer replications and cells: under 4 minutes on 2 cores")
    parser.add_argument("--only", nargs="+", choices=["primary", *PARTS], help="these parts alone")
    parser.add_argument("--replications", type=int, help="studies per cell of primary (2,000 quick, 10,000 else)")
    parser.add_argument("--studies", type=int, help="studies per cell of visibility (20 quick, 200 else)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    wanted = options.only or ["primary", *PARTS]
    started = time.perf_counter()
    document: dict[str, Any] = {
        "margin": primary.MARGIN,
        "nominal_false_claim": primary.ALPHA,
        "sets": primary.SETS,
        "seed": options.seed,
    }
    document |= _primary(options) if "primary" in wanted else {}
    document |= {name: _told(name, rows(options)) for name, rows in PARTS.items() if name in wanted}
    document["seconds"] = round(time.perf_counter() - started, 1)
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
