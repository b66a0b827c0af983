"""The network and the patches that ``benchmarks/attacks.py`` gives to every method alike."""

import os
import sys
import tempfile
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from attacks.engine.passes import Passes

ROOT = Path(__file__).resolve().parent.parent.parent


def material(options: Namespace) -> tuple[nn.Module, Tensor, Tensor, dict]:
    """A network in evaluation mode, correctly classified uint8 patches (n, 3, h, w), their classes (n,)."""
    network, pixels, labels, about = _stored(options.classifier) if options.classifier else _generated(options.seed)
    images = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))
    targets = torch.from_numpy(labels.astype(np.int64))
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(options.seed))
    images, targets = images[order], targets[order]
    right = Passes(network).judge(images).argmax(1) == targets
    about["accuracy"] = float(right.float().mean())
    images, targets = images[right], targets[right]
    copies = -(-options.patches // len(images))
    if copies > 1:  # other windows of the same patches: shifted by a few pixels
        images = torch.cat([images.roll((3 * n, 5 * n), (2, 3)) for n in range(copies)])
        targets = targets.repeat(copies)
        right = Passes(network).judge(images).argmax(1) == targets
        images, targets = images[right], targets[right]
        about["shifted_copies"] = copies
    return network, images[: options.patches], targets[: options.patches], about


def test_patches(name: str, most: int, *, seed: int = 0) -> tuple[nn.Module, Tensor, Tensor]:
    """A stored network, up to ``most`` of its test patches, uint8 (n, 3, h, w), and their classes (n,): right or wrong,
    drawn by the seed."""
    network, pixels, labels, _ = _stored(name)
    chosen = torch.randperm(len(pixels), generator=torch.Generator().manual_seed(seed))[:most]
    images = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))
    return network, images[chosen], torch.from_numpy(labels.astype(np.int64))[chosen]


def _stored(name: str) -> tuple[nn.Module, np.ndarray, np.ndarray, dict]:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from attacks.selectors import attacked_patches, classifier_named
    from attacks.services import network_of
    from model.selectors import dataset_arrays

    classifier = classifier_named(name)
    patches = attacked_patches(classifier)
    pixels = dataset_arrays(classifier.dataset, [patch.pk for patch in patches])
    labels = np.array([int(patch.tumour) for patch in patches])
    about = {"classifier": name, "dataset": classifier.dataset.name, "weights_sha256": classifier.weights_sha256}
    return network_of(classifier), pixels, labels, about


def _generated(seed: int) -> tuple[nn.Module, np.ndarray, np.ndarray, dict]:
    from model.learning.network import build_network, load_weights, save_weights
    from model.learning.pannuke import PanNuke
    from model.learning.synthetic import synthesise
    from model.learning.training import preset, train

    with tempfile.TemporaryDirectory() as folder:
        fold = synthesise(folder, patches=200, seed=seed)
        patches = list(PanNuke([fold], size=224))
    pixels = np.stack([patch.pixels for patch in patches])
    labels = np.array([int(patch.tumour) for patch in patches])
    keep = Path(os.environ.get("BLINDSPOT_HOME", ROOT / "var")) / "bench" / f"generated-{seed}.pt"
    if keep.exists():
        network = load_weights("resnet18", keep)
    else:
        network, _ = build_network("resnet18", init="random", seed=seed)
        bar = tqdm(desc="train", file=sys.stderr)
        # The paper's network looks at the patch as it is; the quick preset would look at half its scale.
        train(network, pixels, labels, replace(preset("quick"), shrink=1), seed=seed,
              progress=lambda *_: bar.update())  # fmt: skip
        bar.close()
        keep.parent.mkdir(parents=True, exist_ok=True)
        save_weights(network, keep)
    return network, pixels, labels, {"generated": len(patches), "seed": seed, "attacked": "training patches"}
