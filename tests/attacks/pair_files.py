"""A folder of pairs as another program leaves it."""

from pathlib import Path

import numpy as np
from PIL import Image

HEADER = "original,perturbed,label,group,attack,budget"


def pixels(seed: int, shape: tuple[int, int] = (40, 48)) -> np.ndarray:
    return np.random.default_rng(seed).integers(20, 230, (*shape, 3), dtype=np.uint8)


def pair_folder(folder: Path, count: int = 3) -> Path:
    """Pairs of both labels, each with a group of its own and a change of 1, 2, 3 ... in every pixel."""
    rows = [HEADER]
    for number in range(count):
        Image.fromarray(pixels(number)).save(folder / f"o{number}.png")
        Image.fromarray(pixels(number) + np.uint8(number + 1)).save(folder / f"p{number}.png")
        rows.append(f"o{number}.png,p{number}.png,{number % 2},s{number},JPEG 30,{number}")
    (folder / "pairs.csv").write_text("\n".join(rows))
    return folder
