"""Training speed: our loop, with augmentation, optimiser and bookkeeping, against bare forward and backward passes.

    python benchmarks/training.py            JSON on stdout; `ratio_bare` = ours / bare, in images per second

The bare loop has one batch on the device from the start, in the same precision and memory format, and does nothing but
forward, loss and backward, launched one by one (on a GPU ours replays them from a recorded graph). Both are run in
turns, so that whatever else the machine does falls on both. On a CPU the time is that of the processor (a shared
machine's clock tells about its neighbours); on a GPU it is the clock's, and the whole of Table 1a (5 runs x 3 folds x
25 epochs of the paper's preset) is timed, too.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.lib.bare import bare_loop, gpu_clock
from model.learning.crossval import Plan, run_fold
from model.learning.network import build_network
from model.learning.synthetic import synthesise
from model.learning.training import PRESETS, best_device, preset, train

POSITIVES, NEGATIVES, EDGE = 1157, 878, 224
"""The paper's patches."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", choices=sorted(PRESETS), default="paper")
    parser.add_argument("--arch", default="resnet18")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--device")
    parser.add_argument("--no-table", action="store_true", help="leave out the whole Table 1a (GPU only)")
    options = parser.parse_args()
    device = torch.device(options.device) if options.device else best_device()
    settings = preset(options.preset, epochs=1, compile=options.compile or None, settle=False)
    batches = 200 if device.type == "cuda" else 3
    images = np.random.default_rng(0).integers(0, 256, (batches * settings.batch_size, EDGE, EDGE, 3), dtype=np.uint8)
    labels = np.arange(len(images)) % 2
    clock = gpu_clock if device.type == "cuda" else time.process_time

    network, _ = build_network(options.arch, init="random", seed=0)
    bare = bare_loop(options.arch, settings.crop or EDGE, settings.batch_size, device)
    ours: list[float] = []
    theirs: list[float] = []
    for turn in range(-1, options.turns):  # the first turn warms up
        started = clock()
        train(network, images, labels, settings, seed=turn + 1, device=device)
        middle = clock()
        bare(batches)
        ended = clock()
        if turn >= 0:
            ours.append(len(images) / (middle - started))
            theirs.append(len(images) / (ended - middle))
        print(f"turn {turn + 1} of {options.turns}", file=sys.stderr)
    result = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "arch": options.arch,
        "preset": options.preset,
        "compile": options.compile,
        "clock": "wall" if device.type == "cuda" else "processor",
        "images_per_second": statistics.median(ours),
        "bare_images_per_second": statistics.median(theirs),
        "ratio_bare": statistics.median(a / b for a, b in zip(ours, theirs, strict=True)),
        "ratio_bare_each": [round(a / b, 4) for a, b in zip(ours, theirs, strict=True)],
    }
    if device.type == "cuda" and not options.no_table:
        result |= table_1a(options.arch, options.compile, device)
    print(json.dumps(result, indent=2))


def table_1a(arch: str, compiled: bool, device: torch.device) -> dict[str, float | int]:
    """Seconds by the clock for the whole of Table 1a on patches of the paper's size and number."""
    with tempfile.TemporaryDirectory() as folder:
        fold = synthesise(Path(folder) / "generated", patches=48, seed=0)
        drawn = np.load(next(fold.rglob("images.npy")))[:, 16:-16, 16:-16].astype(np.uint8)
    draw = np.random.default_rng(0)
    images = np.empty((POSITIVES + NEGATIVES, EDGE, EDGE, 3), dtype=np.uint8)
    for row in images:  # turned and repeated: the time does not depend on what is seen
        row[:] = np.rot90(drawn[draw.integers(len(drawn))], draw.integers(4))
    labels = np.repeat([1, 0], [POSITIVES, NEGATIVES])
    plan = Plan(settings=preset("paper", compile=compiled or None), runs=5, folds=3, arch=arch, init="random")
    started = gpu_clock()
    speeds = []
    for run, fold in plan.pairs():
        speeds.append(run_fold(images, labels, None, plan, run=run, fold=fold, device=device).images_per_second)
        print(f"run {run} fold {fold}: {speeds[-1]:.0f} images/s", file=sys.stderr)
    return {"table_1a_seconds": gpu_clock() - started, "table_1a_images_per_second": statistics.median(speeds)}


if __name__ == "__main__":
    main()
