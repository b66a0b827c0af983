"""The battery of attacks beside the reference AutoAttack: same networks, same patches. JSON on stdout.

    python benchmarks/battery.py [--networks standard hardened masked] [--patches 200] [--queries 5000]
    python benchmarks/battery.py --networks --classifier NAME --norms linf --norm linf --budget 2

standard  a small network trained on generated patches of 32 x 32
hardened  a small one trained on the worst of three steps within Linf 4
masked    the standard one behind a rounding of its input, whose gradient is zero
--classifier adds one from the database, on its test patches (all of them where there are no more than --patches)

AutoAttack (pyautoattack, by its authors) runs what its standard version runs that two classes allow: APGD on the
cross-entropy, FAB and Square with 5,000 queries (--queries), each on what stands against those before it, and so does
the battery, whose Square has nine tenths of the queries.
--of-what-stands is for networks that are slow to ask: AutoAttack gets only the patches that stand against the battery.
What it flips of them is the most by which the battery's robust accuracy can be above its own on all patches.
AutoAttack's robust accuracy is given on its floats and after rounding to displayed bytes; the battery's is always on
displayed bytes. A pass is one image through the network, with or without a gradient. Seconds are the process's
CPU-seconds. ``make bench-battery`` installs the reference (requirements-bench.txt).
"""

import argparse
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from attacks.engine.battery import battery_recipe, run  # noqa: E402
from attacks.engine.passes import Passes, lost  # noqa: E402
from benchmarks.lib.attack_material import test_patches  # noqa: E402
from benchmarks.peers import Counted, autoattack  # noqa: E402
from core.proportions import share_exactly  # noqa: E402
from tests.attacks.networks import hardened, patches, trained  # noqa: E402

BUDGETS = {
    "hardened": {"linf": 6.0, "l2": 3.5, "l1": 1.5},
    "standard": {"linf": 3.0, "l2": 2.5, "l1": 0.7},
    "masked": {"linf": 6.0},
}


class Rounded(nn.Module):
    """A network behind sixteen levels of input: it answers nearly as before, and its gradient is zero."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network((x * 15).round() / 15)


def main() -> None:
    options = arguments()
    torch.set_num_threads(options.threads)
    rows = []
    for name, network, images, labels in networks(options):
        budgets = {options.norm: options.budget} if options.budget else BUDGETS.get(name, {"linf": 2.0})
        for norm, budget in budgets.items():
            if norm in options.norms:
                rows += compared(name, network, images, labels, norm, budget, options)
    about = {
        "torch": torch.__version__,
        "threads": options.threads,
        "queries": options.queries,
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    print(json.dumps(about | {"rows": rows}, indent=2))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="*", choices=("standard", "hardened", "masked"))
    parser.add_argument("--classifier", help="name of a classifier in the database; its test patches are attacked")
    parser.add_argument("--patches", type=int, default=200)
    parser.add_argument("--norms", nargs="+", default=["linf", "l2", "l1"])
    parser.add_argument("--norm", default="linf", help="the norm of --budget (default: linf)")
    parser.add_argument("--budget", type=float, help="one budget for all networks")
    parser.add_argument("--queries", type=int, default=5000, help="of AutoAttack's black-box search (default: 5000)")
    parser.add_argument("--of-what-stands", action="store_true", help="AutoAttack gets what stands against the battery")
    parser.add_argument("--batch", type=int, default=64, help="images per pass of both (default: 64)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def networks(options: argparse.Namespace) -> Any:
    """Name, network, uint8 patches (n, 3, h, w) and classes (n,) of each; nobody was trained on these patches."""
    chosen = options.networks if options.networks is not None else list(BUDGETS)
    images, labels = patches(options.patches, seed=77 + options.seed)
    small = {"standard": trained, "hardened": hardened, "masked": lambda: Rounded(trained()).eval()}
    for name in chosen:
        yield name, small[name](), images, labels
    if options.classifier:
        yield options.classifier, *test_patches(options.classifier, options.patches, seed=options.seed)


def compared(
    name: str, network: nn.Module, images: Tensor, labels: Tensor, norm: str, budget: float, options: argparse.Namespace
) -> list[dict]:
    common = {"network": name, "norm": norm, "budget": budget, "patches": len(images)}
    passes = Passes(network)
    passes.batch = options.batch
    began = time.process_time()
    asked = battery_recipe(norm=norm, budget=budget, queries=options.queries * 9 // 10, seed=options.seed)
    found, stands = run(passes, images, labels, asked)
    rows = [common | {"of": "battery"} | row for row in found]
    ours = rows[-1]["stand"]
    whole = {
        "attack": "all",
        "stand": ours,
        "robust": share_exactly(ours, len(images)),
        "passes": dict(passes.count),
        "cpu_seconds": time.process_time() - began,
    }
    rows = told([*rows, common | {"of": "battery"} | whole])
    if options.of_what_stands:
        images, labels = images[stands], labels[stands]
    theirs = reference(network, images, labels, norm, budget, options) if len(images) else []
    return rows + told([common | {"of": "AutoAttack", "given": len(images)} | row for row in theirs])


def told(rows: list[dict]) -> list[dict]:
    for row in rows:
        print(json.dumps(row), file=sys.stderr, flush=True)
    return rows


def reference(
    network: nn.Module, images: Tensor, labels: Tensor, norm: str, budget: float, options: argparse.Namespace
) -> list[dict]:
    """AutoAttack's rows, an attack at a time on what stands, and what is left of all on displayed bytes."""
    judge, counted = Passes(network), Counted(network)
    stands = judge.judge(images).argmax(1) == labels
    on_bytes = stands.clone()
    rows, whole = [], 0.0
    for attack in ("apgd-ce", "fab", "square"):
        where = stands.nonzero()[:, 0]
        before, began = dict(counted.count), time.process_time()
        if len(where):
            floats = autoattack(
                counted, images[where], labels[where], norm, budget, attack,
                queries=options.queries, batch=options.batch, seed=options.seed,
            )  # fmt: skip
            fell = judge.judge(floats).argmax(1) != labels[where]
            shown = floats.round().clamp(0, 255).to(torch.uint8)
            on_bytes[where[lost(judge.judge(shown), labels[where], judge.margin)]] = False
            stands[where[fell]] = False
        seconds = time.process_time() - began
        whole += seconds
        rows.append(
            {
                "attack": attack,
                "asked": len(where),
                "stand": int(stands.sum()),
                "passes": {kind: count - before[kind] for kind, count in counted.count.items()},
                "cpu_seconds": seconds,
            }
        )
    whole_row = {"attack": "all", "passes": dict(counted.count), "cpu_seconds": whole}
    for what, left in (("stand", stands), ("stand_on_bytes", on_bytes)):
        whole_row[what] = int(left.sum())
    whole_row["robust"] = share_exactly(int(stands.sum()), len(images))
    return [*rows, whole_row]


if __name__ == "__main__":
    main()
