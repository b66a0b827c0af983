"""What a GPU run has to show, in one command of at most ten minutes: JSON to benchmarks/results/, and on stdout.

    python3 benchmarks/gpu.py [--minutes 9] [--out FILE] [--parts correctness attacks ...] [--device cpu --tiny]

Needs PyTorch, torchvision and NumPy alone: a machine that has them runs it from a copy of this repository.

correctness  every attack on the GPU on 64 patches: verdicts, norms and flips against the CPU's; the same bytes twice
attacks      images/s of Linf 8 (10 steps) beside its own bare passes and beside a loop that stops early; also in
             bfloat16; how often a pass waits for the GPU
training     images/s beside bare forward and backward passes, in the paper's setting; equal seeds, equal weights
defended     the same of pgd, free and TRADES, beside the plain training; equal seeds, equal weights
table        5 x 3 trainings of 25 epochs on as many patches as the paper's (Table 1a, without its baselines)
memory       the GPU's peak in each part

Parts run in this order, and none begins once --minutes are over. A part that fails is named with its error; the others
still run. ``--device cpu --tiny`` tries the script itself in a minute.
"""

import argparse
import json
import os
import platform
import re
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from attacks.engine import attack  # noqa: E402
from attacks.engine.constraints import displayed_norms  # noqa: E402
from attacks.engine.minimal import minimal  # noqa: E402
from attacks.engine.passes import Passes, gap_of_label, lost  # noqa: E402
from attacks.engine.pgd import pgd  # noqa: E402
from attacks.engine.recipe import recipe  # noqa: E402
from benchmarks.lib.bare import Logged, bare_loop, bare_seconds, gpu_clock  # noqa: E402
from benchmarks.peers import early_stopping_pgd  # noqa: E402
from model.learning.defence import defence  # noqa: E402
from model.learning.network import Network, build_network, weights_bytes  # noqa: E402
from model.learning.prediction import predict  # noqa: E402
from model.learning.training import preset, train  # noqa: E402

POSITIVES, NEGATIVES = 1157, 878
"""The paper's patches."""
BUDGETS = {"none": None, "l0": 0.05, "l1": 2.0, "l2": 3.0, "linf": 4.0}
SEARCHES = (("l0", False), ("l1", False), ("l1", True), ("l2", False), ("linf", False))


class Material:
    """Generated patches, uint8 (n, 3, edge, edge): pink noise, in class 1 with dark violet nuclei; and a ResNet-18."""

    def __init__(self, device: str, tiny: bool):
        self.device, self.tiny = torch.device(device), tiny
        self.edge = 32 if tiny else 224
        self.images, self.labels = self.patches(48 if tiny else 2048, seed=1)
        self.network = self.learned()

    def patches(self, count: int, seed: int) -> tuple[Tensor, Tensor]:
        draw = torch.Generator().manual_seed(seed)
        labels = torch.arange(count) % 2
        parts = []
        for some in labels.split(128):
            n, side = len(some), self.edge
            ground = torch.tensor([225.0, 185.0, 210.0]).reshape(1, 3, 1, 1)
            pixels = ground + 12 * torch.randn(n, 3, side, side, generator=draw)
            dots = (torch.rand(n, 1, side // 8, side // 8, generator=draw) < 0.06).float()
            dots = torch.nn.functional.interpolate(dots, scale_factor=8) * some.reshape(-1, 1, 1, 1)
            violet = torch.tensor([120.0, 80.0, 160.0]).reshape(1, 3, 1, 1)
            pixels = pixels * (1 - 0.3 * dots) + violet * 0.3 * dots
            parts.append(pixels.round().clamp(0, 255).to(torch.uint8))
        return torch.cat(parts), labels

    def arrays(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """``count`` patches as trainings take them, repeated where there are fewer: the time does not depend on it."""
        rows = torch.arange(count) % len(self.images)
        return self.images[rows].permute(0, 2, 3, 1).contiguous().numpy(), self.labels[rows].numpy()

    def learned(self) -> Network:
        network, _ = build_network("resnet18", init="random", seed=0, image_size=self.edge)
        settings = preset("quick", epochs=3, shrink=1, batch_size=32)
        pixels, labels = self.arrays(48 if self.tiny else 1024)
        return train(network, pixels, labels, settings, seed=0, device=self.device).network.cpu()

    def judged_right(self, count: int) -> tuple[Tensor, Tensor]:
        """Patches that the network gets right, from other ones than it has learned from."""
        images, labels = self.patches(2 * count, seed=7)
        answers = Passes(self.network, device=self.device).judge(images)
        rows = (answers.argmax(1) == labels).nonzero()[:, 0][:count]
        return images[rows], labels[rows]


# --- Parts ------------------------------------------------------------------------------------------------------------


def correctness(material: Material) -> dict[str, Any]:
    """Each attack twice on the device; its displayed bytes judged by the CPU's float32 passes."""
    images, labels = material.judged_right(4 if material.tiny else 64)
    cpu = Passes(material.network, device="cpu")
    cpu.check(images)
    rows: dict[str, Any] = {}
    for norm, budget in BUDGETS.items():
        for amp in (False, True):
            if amp and material.device.type != "cuda":
                continue

            def once(norm: str = norm, budget: float | None = budget, amp: bool = amp) -> Any:
                network = material.network
                return attack(
                    network, images, labels, norm=norm, budget=budget, amp=amp, device=material.device, warn=False
                )

            rows[f"attack {norm}{' bfloat16' if amp else ''}"] = checked(once, images, labels, cpu)
    for norm, rescaled in SEARCHES:

        def once_minimal(norm: str = norm, rescaled: bool = rescaled) -> Any:
            return minimal(material.network, images, labels, norm=norm, rescaled=rescaled, device=material.device)

        rows[f"minimal {norm}{' rescaled' if rescaled else ''}"] = checked(once_minimal, images, labels, cpu)
    here = Passes(material.network, device=material.device)
    few, truth = images[:16], labels[:16]
    gap, gradient = here.ascend(here.floats(few), truth.to(here.device))
    expected, known = cpu.ascend(few.float(), truth)
    return {
        "patches": len(images),
        "attacks": rows,
        "all_sound": all(row["sound"] for row in rows.values()),
        "largest_difference_of_a_logit": float((here.judge(images) - cpu.judge(images)).abs().max()),
        "verdict_margin": cpu.margin,
        "gap_difference": float((gap_of_label(gap.cpu(), truth) - gap_of_label(expected, truth)).abs().max()),
        "gradient_relative_difference": float((gradient.cpu() - known).norm() / known.norm()),
    }


def checked(once: Callable[[], Any], images: Tensor, labels: Tensor, cpu: Passes) -> dict[str, Any]:
    begun = gpu_clock()
    found = once()
    seconds = gpu_clock() - begun
    again = once()
    flips = lost(cpu.judge(found.displayed), labels, cpu.margin).numpy() & ~found.already_wrong
    norms = displayed_norms(images, found.displayed)
    row = {
        "flipped": int(found.flipped.sum()),
        "flipped_by_the_cpu": int(flips.sum()),
        "disputed": int((flips != found.flipped).sum()),
        "same_bytes_twice": bool(torch.equal(found.displayed, again.displayed)),
        "norms_equal": all(np.array_equal(norms[name], found.norms[name]) for name in norms),
        "seconds": round(seconds, 3),
    }
    return row | {"sound": row["disputed"] == 0 and row["same_bytes_twice"] and row["norms_equal"]}


def attacks(material: Material) -> dict[str, Any]:
    """Linf 8 in steps of 2, at most 10: this engine, its bare passes, and a loop that stops early."""
    images, labels = material.judged_right(8 if material.tiny else 2048)
    chosen = recipe(norm="linf", budget=8, steps=10, step_size=2)
    judge = Passes(material.network, device=material.device)
    result: dict[str, Any] = {"patches": len(images), "batch": judge.batch}
    for name, amp in {"float32": False, "bfloat16": True}.items():
        if amp and material.device.type != "cuda":
            continue
        pgd(Logged(material.network, device=material.device, amp=amp), images, labels, chosen)  # loads libraries
        passes = Logged(material.network, device=material.device, amp=amp)
        begun = gpu_clock()
        found = pgd(passes, images, labels, chosen)
        ours = gpu_clock() - begun
        bare_seconds(passes, images)
        bare = sum(bare_seconds(passes, images).values())
        result[name] = {
            "images_per_second": len(images) / ours,
            "ratio_bare": bare / ours,
            "flipped": int(found.flipped.sum()),
            "passes_per_image": {kind: count / len(images) for kind, count in passes.count.items()},
            "mean_batch": {
                kind: float(np.mean([many for what, many in passes.log if what == kind] or [0]))
                for kind in ("gradient", "forward")
            },
        }
    result["early_stopping"] = early_stopping(material, images, labels, judge)
    result["ratio_early_stopping"] = (
        result["float32"]["images_per_second"] / result["early_stopping"]["images_per_second"]
    )
    if material.device.type == "cuda":
        result["waits"] = waits(material, images, labels)
    return result


def early_stopping(material: Material, images: Tensor, labels: Tensor, judge: Passes) -> dict[str, Any]:
    """A plain PGD by which images leave once they are flipped, in batches of 512, in torch's default TF32."""
    import copy

    network = copy.deepcopy(material.network).to(material.device).eval()
    walk = early_stopping_pgd(network, 8 / 255, 2 / 255, 10)
    inputs, truth = (images.float() / 255).to(material.device), labels.to(material.device)
    for timed in (False, True):
        begun = gpu_clock()
        parts = [walk(one, two) for one, two in zip(inputs.split(512), truth.split(512))]
        seconds = gpu_clock() - begun
        if timed:
            shown = (255 * torch.cat(parts).detach()).round().clamp(0, 255).to(torch.uint8).cpu()
    flipped = int(lost(judge.judge(shown), labels, judge.margin).sum())
    return {"images_per_second": len(images) / seconds, "flipped": flipped}


def waits(material: Material, images: Tensor, labels: Tensor) -> dict[str, Any]:
    """How often the program waited for the GPU, as torch itself reports it."""
    passes = Logged(material.network, device=material.device)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            pgd(passes, images[:1024], labels[:1024], recipe(norm="linf", budget=8, steps=10, step_size=2))
        finally:
            torch.cuda.set_sync_debug_mode("default")
    made = sum(1 for one in told if "synchroniz" in str(one.message).lower())
    return {"waits": made, "passes": len(passes.log), "per_pass": made / len(passes.log)}


def training(material: Material) -> dict[str, Any]:
    """Our loop with augmentation, optimiser and bookkeeping, beside bare passes, in turns."""
    settings = preset("paper", epochs=1)
    batches = 1 if material.tiny else 200
    pixels, labels = material.arrays(batches * settings.batch_size)
    bare = bare_loop("resnet18", material.edge, settings.batch_size, material.device)
    ours, theirs = [], []
    for turn in range(-1, 3):
        network, _ = build_network("resnet18", init="random", seed=0, image_size=material.edge)
        begun = gpu_clock()
        train(network, pixels, labels, settings, seed=1, device=material.device)
        middle = gpu_clock()
        bare(batches)
        if turn >= 0:  # the first turn warms up
            ours.append(len(pixels) / (middle - begun))
            theirs.append(len(pixels) / (gpu_clock() - middle))
    return {
        "images_per_second": float(np.median(ours)),
        "bare_images_per_second": float(np.median(theirs)),
        "ratio_bare": float(np.median(np.divide(ours, theirs))),
        "batch": settings.batch_size,
        "same_weights_twice": same_weights(material, settings),
    }


def defended(material: Material) -> dict[str, Any]:
    """Each defence for one epoch, beside the plain training of the same patches."""
    pixels, labels = material.arrays(32 if material.tiny else 2048)
    rows: dict[str, Any] = {}
    for kind in ("plain", "pgd", "free", "trades", "stain"):
        settings = preset("paper", epochs=1, defence=None if kind == "plain" else defence(kind))
        speeds = []
        for _ in range(2):  # the first loads and records
            network, _ = build_network("resnet18", init="random", seed=0, image_size=material.edge)
            begun = gpu_clock()
            train(network, pixels, labels, settings, seed=1, device=material.device)
            speeds.append(len(pixels) / (gpu_clock() - begun))
        rows[kind] = {"images_per_second": speeds[-1], "same_weights_twice": same_weights(material, settings)}
    return rows


def same_weights(material: Material, settings: Any) -> bool:
    """Two trainings from one seed give the same bytes."""
    pixels, labels = material.arrays(32 if material.tiny else 256)
    hashes = []
    for _ in range(2):
        network, _ = build_network("resnet18", init="random", seed=0, image_size=material.edge)
        train(network, pixels, labels, replace(settings, epochs=2), seed=3, device=material.device)
        hashes.append(weights_bytes(network)[1])
    return hashes[0] == hashes[1]


def table(material: Material) -> dict[str, Any]:
    """15 trainings of two thirds of the paper's patches, each followed by answers for the third left out."""
    runs, epochs, size = (1, 1, 48) if material.tiny else (15, 25, POSITIVES + NEGATIVES)
    pixels, labels = material.arrays(size)
    kept = size * 2 // 3
    begun, speeds = gpu_clock(), []
    for number in range(runs):
        network, _ = build_network("resnet18", init="random", seed=number, image_size=material.edge)
        settings = preset("paper", epochs=epochs)
        trained = train(network, pixels[:kept], labels[:kept], settings, seed=number, device=material.device)
        predict(trained.network, pixels[kept:])
        speeds.append(trained.images_per_second)
    return {"trainings": runs, "seconds": gpu_clock() - begun, "images_per_second": float(np.median(speeds))}


PARTS: dict[str, Callable[[Material], dict[str, Any]]] = {
    "correctness": correctness,
    "attacks": attacks,
    "training": training,
    "defended": defended,
    "table": table,
}


# --- The run ----------------------------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=9, help="no part begins later than this (default: 9)")
    parser.add_argument("--parts", nargs="+", choices=tuple(PARTS), default=list(PARTS))
    parser.add_argument("--out", type=Path, help="file to write (default: benchmarks/results/gpu-DEVICE-DATE.json)")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="small patches and few of them: to try the script")
    options = parser.parse_args()
    cuda = options.device.startswith("cuda")
    if cuda and not torch.cuda.is_available():
        sys.exit("There is no GPU here. To try the script itself: --device cpu --tiny.")
    begun = time.perf_counter()
    name = torch.cuda.get_device_name() if cuda else "CPU"
    result: dict[str, Any] = about(name, cuda) | {"tiny": options.tiny, "parts": {}, "memory": {}, "left_out": {}}
    out = options.out or ROOT / "benchmarks" / "results" / f"gpu-{slug(name)}-{datetime.now(UTC):%Y-%m-%d}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    material = Material(options.device, options.tiny)
    say(begun, "material made")
    for part in options.parts:
        if time.perf_counter() - begun > 60 * options.minutes:
            result["left_out"][part] = "the time was over"
            continue
        if cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        started = time.perf_counter()
        try:
            result["parts"][part] = PARTS[part](material)
        except Exception as error:  # the other parts are still worth their time
            traceback.print_exc()
            result["left_out"][part] = f"{type(error).__name__}: {error}"[:500]
        seconds = round(time.perf_counter() - started, 1)
        result["parts"].setdefault(part, {})["part_seconds"] = seconds
        if cuda:
            result["memory"][part] = {
                "peak_allocated_gb": round(torch.cuda.max_memory_allocated() / 1e9, 2),
                "peak_reserved_gb": round(torch.cuda.max_memory_reserved() / 1e9, 2),
            }
        out.write_text(json.dumps(result, indent=2) + "\n")  # what is done is kept, whatever comes
        say(begun, f"{part} done")
    result["seconds"] = round(time.perf_counter() - begun, 1)
    out.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def about(name: str, cuda: bool) -> dict[str, Any]:
    return {
        "device": name,
        "memory_gb": round(torch.cuda.get_device_properties(0).total_memory / 1e9, 1) if cuda else None,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version() if cuda else None,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
    }


def slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def say(begun: float, text: str) -> None:
    print(f"{time.perf_counter() - begun:6.1f} s  {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
