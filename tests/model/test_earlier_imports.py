"""A data set imported by 0.1.0 has the same hash when it is imported again: no pixel and no label changed."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from model.services import import_folder, import_pannuke
from tests.model.folds import small_fold


def folder_of_all_kinds(at: Path) -> Path:
    """Eight images without loss, 80 x 96, one of each kind that 0.1.0 read, with labels and slides."""
    at.mkdir()
    pictures = [
        Image.fromarray(np.random.default_rng(k).integers(0, 256, (80, 96, 3), dtype=np.uint8)) for k in range(8)
    ]
    pictures[0].save(at / "colour.png")
    pictures[1].save(at / "colour.tif")
    pictures[2].save(at / "packed.tiff", compression="tiff_lzw")
    pictures[3].save(at / "colour.bmp")
    pictures[4].convert("L").save(at / "grey.png")
    Image.fromarray(np.asarray(pictures[5])[..., 0] // 4 * 4, "P").save(at / "palette-grey.png")
    pictures[6].convert("RGBA").save(at / "alpha.png")
    pictures[7].convert("L").save(at / "grey.tif")
    with (at / "labels.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "tumour", "slide"])
        names = sorted(path.name for path in at.iterdir() if path.name != "labels.csv")
        table.writerows((name, row % 2, f"slide {row % 3}") for row, name in enumerate(names))
    return at


def test_a_folder_keeps_the_hash_that_0_1_0_gave_it(db, tmp_path):
    dataset = import_folder(name="kinds", folder=folder_of_all_kinds(tmp_path / "kinds"), size=64)
    assert dataset.sha256 == "b0ae99f0da91156258fd75c66239ace31bcf07d4a87e5328ac09c9ad1d66c709"


def test_a_fold_of_pannuke_keeps_the_hash_that_0_1_0_gave_it(db, tmp_path):
    dataset = import_pannuke(name="fold", folds=[small_fold(tmp_path / "fold")], tissue="Breast", size=224)
    assert dataset.sha256 == "eace0d587a3f5502d55e03e9528b61459bead43334253f233eea865f70d71702"
