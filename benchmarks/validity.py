"""How often is a claim false, and how often does an interval cover the truth? By simulation; JSON on stdout.

    python benchmarks/validity.py [--quick] [--replications 10000] [--seed 1]

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
from pathlib import Path

from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.lib import order_effects, validity_secondary, validity_visibility
from benchmarks.lib import validity_primary as primary

LIMIT = 0.035


def _said(rows: list[dict], name: str) -> list[dict]:
    print(f"{name}: {len(rows)} cells", file=sys.stderr)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer replications and cells: under 4 minutes on 2 cores")
    parser.add_argument("--replications", type=int, help="simulated studies per cell (2,000 quick, 10,000 else)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    replications = options.replications or (2000 if options.quick else 10_000)
    started = time.perf_counter()
    settings = list(primary.settings(options.quick))
    rows = [primary.cell(setting, replications, options.seed) for setting in tqdm(settings, file=sys.stderr)]
    document = {
        "margin": primary.MARGIN,
        "nominal_false_claim": primary.ALPHA,
        "sets": primary.SETS,
        "replications": replications,
        "seed": options.seed,
        "summary": primary.summary(rows),
        "above_limit": [row for row in rows if row.get("false_claim", 0) > LIMIT],
        "primary": rows,
        "secondary": _said(validity_secondary.cells(1000 if options.quick else 2000, options.seed), "secondary"),
        "order": _said(order_effects.cells(300 if options.quick else 1000, options.seed), "order"),
        "course": _said(order_effects.course_cells(300 if options.quick else 2000, options.seed), "course"),
        "visibility": _said(
            list(validity_visibility.cells(20 if options.quick else 200, options.seed, options.quick)), "visibility"
        ),
        "seconds": round(time.perf_counter() - started, 1),
    }
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
