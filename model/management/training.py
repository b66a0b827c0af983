"""Options that ``train`` and ``cross_validate`` share."""

from argparse import ArgumentParser
from typing import Any

from model.learning.training import PRESETS

CHANGES = ("epochs", "batch_size", "learning_rate", "compile")


def add_training_options(parser: ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET", help="name of an imported data set")
    parser.add_argument(
        "--preset",
        choices=sorted(PRESETS),
        default="paper",
        help="paper: AdaDelta, learning rate 0.01, 25 epochs; quick: for CPUs (default: paper)",
    )
    parser.add_argument("--arch", default="resnet18", help="a torchvision classifier (default: resnet18)")
    parser.add_argument(
        "--init",
        choices=["auto", "imagenet", "random"],
        default="auto",
        help="auto: ImageNet weights if they can be had, else random, said loudly (default: auto)",
    )
    parser.add_argument("--weights", metavar="FILE", help="start from a local state dict instead")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", help="cpu, cuda, cuda:1, ... (default: a GPU if there is one)")
    parser.add_argument("--epochs", type=int, help="instead of the preset's")
    parser.add_argument("--batch-size", type=int, help="instead of the preset's")
    parser.add_argument("--learning-rate", type=float, help="instead of the preset's")
    parser.add_argument(
        "--compile", action="store_true", default=None, help="torch.compile the network (long runs on a GPU)"
    )


def training_arguments(options: dict[str, Any]) -> dict[str, Any]:
    """The options as keyword arguments of ``train_classifier`` and ``cross_validate``."""
    plain = {key: options[key] for key in ("arch", "init", "weights", "seed", "device", *CHANGES)}
    return plain | {"preset_name": options["preset"]}
