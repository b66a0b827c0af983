"""The attack engine against its peers: same network, same patches, interleaved. JSON on stdout.

    python benchmarks/attacks.py [--classifier NAME] [--patches 64] [--rounds 3] [--threads 1] [--parts pgd ...]
                                 [--cap 8] [--peers early_stopping ...]

pgd       Linf, in 10 steps of a quarter of the cap: a plain loop that stops early, torchattacks (PGD, APGD-CE),
          foolbox, adv-lib, ART and this engine; success on floats and on displayed bytes, mean norms of what is
          displayed, image passes, seconds per image, ratios, and the share of bare forward and backward passes at the
          same batch sizes
minimal   displayed norms: this engine's minimal perturbations beside adv-lib's DDN, FMN and sigma-zero
curves    passes of one minimal run beside those of a sweep over 12 budgets
batches   seconds per gradient at several batch sizes: how the engine's own were chosen

The checks of a network, once per run, are not in its seconds per image but beside them.
Seconds are the process's CPU-seconds on a CPU, wall seconds on a GPU. There ``ours`` takes TF32 gradients, as
attacks do, and ``ours_bf16`` those of ``attack(amp=True)``; on a CPU ``ours_folded`` takes them from a copy with
folded batch normalisation. Peers that are not installed are left out and named;
``make bench-attacks`` installs them (requirements-bench.txt). Without --classifier, patches are generated and a
ResNet-18 is trained on them once (kept under BLINDSPOT_HOME).
"""

import argparse
import copy
import json
import os
import platform
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from attacks.engine.constraints import displayed_norms, size  # noqa: E402
from attacks.engine.minimal import search  # noqa: E402
from attacks.engine.norms import MEASURED  # noqa: E402
from attacks.engine.passes import Passes, lost  # noqa: E402
from attacks.engine.pgd import pgd  # noqa: E402
from attacks.engine.recipe import Recipe, minimal_recipe, recipe  # noqa: E402
from benchmarks.lib.attack_material import material  # noqa: E402
from benchmarks.lib.bare import Logged, bare_seconds  # noqa: E402
from benchmarks.peers import LINF_PEERS, MINIMAL_PEERS, Counted, missing  # noqa: E402

STEPS = 10
OURS = {"ours": {}, "ours_folded": {"fold": True}, "ours_bf16": {"amp": True}}
"""This engine's rows, and how their passes differ: gradients by a copy with folded batch normalisation (on a CPU; on a
GPU ``ours`` folds), or in bfloat16 (on a GPU). Peers run in torch's default, TF32."""


def main() -> None:
    options = arguments()
    torch.set_num_threads(options.threads)
    device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    network, images, labels, about = material(options)
    network = network.to(device)
    result = {
        "machine": machine(device),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "material": about,
        "patches": len(images),
        "missing": missing(),
        "cap": options.cap,
    }
    for part in options.parts:
        result |= PARTS[part](network, images, labels, device, options)
    print(json.dumps(result, indent=2))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classifier", help="name of a classifier in the database; its test patches are attacked")
    parser.add_argument("--patches", type=int, default=64, help="correctly classified patches (default: 64)")
    parser.add_argument("--rounds", type=int, default=3, help="times that every method sees every patch (default: 3)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=32, help="the peers' batch size (default: 32)")
    parser.add_argument("--device")
    parser.add_argument("--parts", nargs="+", choices=tuple(PARTS), default=["pgd"])
    parser.add_argument("--cap", type=int, default=8, help="largest change in grey levels (default: 8)")
    parser.add_argument("--peers", nargs="*", choices=tuple(LINF_PEERS), default=list(LINF_PEERS))
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def ours_recipe(cap: int, steps: int = STEPS) -> Recipe:
    return recipe(norm="linf", budget=cap, steps=steps, step_size=step_of(cap))


def step_of(cap: int) -> int:
    """A quarter of the cap in whole grey levels: 2 of 8."""
    return max(1, round(cap / 4))


# --- Measuring ------------------------------------------------------------------------------------------------------


def clock(device: str) -> float:
    """CPU-seconds of this process and its threads, or wall seconds once the GPU has finished."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def machine(device: str) -> str:
    if device.startswith("cuda"):
        return torch.cuda.get_device_name()
    names = [line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")]
    return f"{names[0] if names else platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def _cpuinfo() -> list[str]:
    file = Path("/proc/cpuinfo")
    return file.read_text().splitlines() if file.exists() else []


class Tally:
    """What a method achieved over all rounds."""

    def __init__(self):
        self.seconds: list[float] = []
        self.images = self.on_float = self.on_bytes = 0
        self.norms = dict.fromkeys(MEASURED, 0.0)
        self.passes: dict[str, int] = defaultdict(int)

    def add(self, judge: Passes, images: Tensor, labels: Tensor, floats: Tensor, seconds: float, passes: dict) -> None:
        """``floats`` (n, 3, h, w) in 0-255, as the method gave them; displayed they are rounded to whole levels."""
        displayed = floats.round().clamp(0, 255).to(torch.uint8)
        flipped = lost(judge.judge(displayed), labels)
        self.seconds.append(seconds)
        self.images += len(images)
        self.on_float += int(lost(judge.judge(floats), labels).sum())
        self.on_bytes += int(flipped.sum())
        for norm, values in displayed_norms(images, displayed, device=judge.device).items():
            self.norms[norm] += float(values[flipped.numpy()].sum())
        for kind, count in passes.items():
            self.passes[kind] += count

    def row(self) -> dict:
        return {
            "success_float": self.on_float / self.images,
            "success_displayed": self.on_bytes / self.images,
            "mean_norms_of_flipped": {norm: total / max(1, self.on_bytes) for norm, total in self.norms.items()},
            "passes_per_image": {kind: count / self.images for kind, count in self.passes.items()},
            "seconds_per_image": sum(self.seconds) / self.images,
            "seconds_per_image_of_blocks": [round(s * len(self.seconds) / self.images, 4) for s in self.seconds],
        }


# --- Parts ----------------------------------------------------------------------------------------------------------


def pgd_part(network: nn.Module, images: Tensor, labels: Tensor, device: str, options) -> dict:
    """Linf: every method on the same block of patches before the next block, in turning order."""
    judge = Passes(network, device=device)
    tallies: dict[str, Tally] = defaultdict(Tally)
    bare: dict[tuple[str, str], float] = defaultdict(float)
    checked: dict[str, float] = defaultdict(float)
    names = ["ours", "ours_bf16" if device.startswith("cuda") else "ours_folded", *options.peers]
    block = options.patches if device.startswith("cuda") else max(options.batch, options.patches // 2)
    blocks = list(torch.arange(len(images)).split(block)) * options.rounds
    if device.startswith("cuda"):  # the libraries of the first calls are loaded outside the clock
        warm_up(network, images[: options.batch], labels[: options.batch], device, options)
    bar = tqdm(total=len(blocks) * len(names), file=sys.stderr, desc="pgd")
    for turn, rows in enumerate(blocks):
        x, y = images[rows], labels[rows]
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            if name in OURS:
                passes = Logged(network, device=device, **OURS[name])
                begun = clock(device)
                passes.check(x)  # once per network and run, however many images
                checked[name] += clock(device) - begun
                begun = clock(device)
                found = pgd(passes, x, y, ours_recipe(options.cap))
                seconds = clock(device) - begun
                tallies[name].add(judge, x, y, found.displayed.float(), seconds, passes.count)
                for kind, spent in bare_seconds(passes, x, partial(clock, device)).items():
                    bare[name, kind] += spent
            else:
                floats, seconds, passes = run_peer(LINF_PEERS[name], network, x, y, device, options)
                tallies[name].add(judge, x, y, floats, seconds, passes)
            bar.update()
    bar.close()
    rows = {name: tally.row() for name, tally in tallies.items()}
    whole = {name: sum(tallies[name].seconds) for name in OURS if name in tallies}
    ratios = {
        f"ratio_{name}": rows[name]["seconds_per_image"] / rows["ours"]["seconds_per_image"] for name in options.peers
    }
    return {
        "pgd": rows,
        **{f"ratio_{name}": None for name in ("torchattacks", "foolbox")},
        **ratios,
        **{
            f"ratio_{name}_of_{one}": rows[name]["seconds_per_image"] / rows[one]["seconds_per_image"]
            for one in whole
            for name in options.peers
            if one != "ours"
        },
        **{
            f"ratio_bare{name.removeprefix('ours')}": (bare[name, "gradient"] + bare[name, "forward"]) / seconds
            for name, seconds in whole.items()
        },
        "ratio_bare_gradients_alone": bare["ours", "gradient"] / whole["ours"],
        "seconds_of_checks_per_run": {name: seconds / len(blocks) for name, seconds in checked.items()},
        "displayed_success": rows["ours"]["success_displayed"],
    }


def warm_up(network: nn.Module, x: Tensor, y: Tensor, device: str, options: argparse.Namespace) -> None:
    for named in OURS.values():
        pgd(Passes(network, device=device, **named), x, y, ours_recipe(options.cap, steps=2))
    for name in options.peers:
        run_peer(LINF_PEERS[name], network, x, y, device, options)


def run_peer(make: Callable, network: nn.Module, x: Tensor, y: Tensor, device: str, options: argparse.Namespace):
    """A peer's result in 0-255, its seconds, and its image passes."""
    model = Counted(copy.deepcopy(network).eval())  # some peers leave a network in another state than they found it
    attack = make(model, cap=options.cap / 255, step=step_of(options.cap) / 255, steps=STEPS)
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 (ART draws from it)
    inputs = (x.float() / 255).to(device)
    begun = clock(device)
    parts = [attack(one, two) for one, two in zip(inputs.split(options.batch), y.to(device).split(options.batch))]
    seconds = clock(device) - begun
    return 255 * torch.cat(parts).detach().float().cpu(), seconds, model.count


def minimal_part(network: nn.Module, images: Tensor, labels: Tensor, device: str, options) -> dict:
    """Median displayed norm and displayed success of the methods of the field, and of ours, at the same steps."""
    judge = Passes(network, device=device)
    rows: dict[str, dict] = {}
    for name, norm, steps in (("l2", "l2", 50), ("l1", "l1", 50), ("linf", "linf", None), ("l0", "l0", None)):
        passes = Passes(network, device=device)
        begun = clock(device)
        found = search(passes, images, labels, minimal_recipe(norm=norm, steps=steps))
        rows[f"ours_{name}"] = minimal_row(judge, images, labels, found.displayed.float(), norm) | {
            "seconds_per_image": (clock(device) - begun) / len(images),
            "passes_per_image": {kind: count / len(images) for kind, count in passes.count.items()},
        }
        print(f"ours_{name}", rows[f"ours_{name}"], file=sys.stderr)
    for name, (norm, make) in MINIMAL_PEERS.items():
        model = Counted(copy.deepcopy(network).eval())
        inputs, targets = (images.float() / 255).to(device), labels.to(device)
        torch.manual_seed(0)
        begun = clock(device)
        parts = [make(model, one, two) for one, two in zip(inputs.split(options.batch), targets.split(options.batch))]
        seconds = clock(device) - begun
        floats = 255 * torch.cat(parts).detach().float().cpu()
        rows[name] = minimal_row(judge, images, labels, floats, norm) | {
            "seconds_per_image": seconds / len(images),
            "passes_per_image": {kind: count / len(images) for kind, count in model.count.items()},
        }
        print(name, rows[name], file=sys.stderr)
    return {"minimal": rows}


def minimal_row(judge: Passes, images: Tensor, labels: Tensor, floats: Tensor, norm: str) -> dict:
    """Success and median norm (infinite where not flipped), as floats and as displayed."""
    displayed = floats.round().clamp(0, 255).to(torch.uint8)
    on_float, on_bytes = (lost(judge.judge(one), labels).numpy() for one in (floats, displayed))
    reach = size(floats - images.float(), norm).numpy()
    shown = displayed_norms(images, displayed, device=judge.device)[norm]
    return {
        "norm": norm,
        "success_float": float(on_float.mean()),
        "success_displayed": float(on_bytes.mean()),
        "median_float": float(np.median(np.where(on_float, reach, np.inf))),
        "median_displayed": float(np.median(np.where(on_bytes, shown, np.inf))),
        "mean_float_of_flipped": float(reach[on_float].mean()) if on_float.any() else None,
        "mean_displayed_of_flipped": float(shown[on_bytes].mean()) if on_bytes.any() else None,
    }


def curves_part(network: nn.Module, images: Tensor, labels: Tensor, device: str, options) -> dict:
    """Passes of the minimal run that gives a whole curve, and of attacks at 12 budgets between its 5 % and 95 %."""
    rows = {}
    for norm in ("l0", "l1-rescaled", "l2", "linf"):
        base, _, form = norm.partition("-")
        passes = Passes(network, device=device)
        found = search(passes, images, labels, minimal_recipe(norm=base, rescaled=form == "rescaled"))
        reached = found.norms[base][found.flipped]
        low, high = np.quantile(reached, [0.05, 0.95])
        budgets = np.unique(np.ceil(np.linspace(low, high, 12)) if base == "linf" else np.geomspace(low, high, 12))
        sweep = Passes(network, device=device)
        for budget in budgets:
            pgd(sweep, images, labels, recipe(norm=base, budget=float(budget)))
        spent = [sum(one.count.values()) / len(images) for one in (passes, sweep)]
        rows[norm] = {
            "minimal_passes_per_image": spent[0],
            "sweep_passes_per_image": spent[1],
            "budgets": len(budgets),
            "share": spent[0] / (spent[1] * 12 / len(budgets)),
        }
        print(norm, rows[norm], file=sys.stderr)
    return {"curves": rows, "curves_share_of_sweep": {norm: row["share"] for norm, row in rows.items()}}


def batches_part(network: nn.Module, images: Tensor, labels: Tensor, device: str, options) -> dict:
    """Seconds per image of a gradient and of a verdict, by batch size: the best of several tries."""
    rows = []
    for many in (1, 2, 4, 8, 16, 32, 64, *((128, 256, 512, 1024) if device.startswith("cuda") else ())):
        if many > len(images):
            break
        passes = Passes(network, device=device)
        x, y = images[:many].to(device, torch.float32), labels[:many].to(device)
        best = {"gradient": np.inf, "forward": np.inf}
        work = {"gradient": partial(passes.ascend, x, y, rough=True), "forward": partial(passes.logits, x)}
        for _ in range(4):
            for kind, once in work.items():
                begun = clock(device)
                once()
                best[kind] = min(best[kind], clock(device) - begun)
        rows.append({"batch": many} | {kind: value / many for kind, value in best.items()})
    return {"batches": rows}


PARTS = {"pgd": pgd_part, "minimal": minimal_part, "curves": curves_part, "batches": batches_part}

if __name__ == "__main__":
    main()
