"""Small folds in PanNuke's layout, written to order."""

from pathlib import Path

import numpy as np


def picture(seed: int = 0, dtype=np.float64) -> np.ndarray:
    """A (256, 256, 3) picture of whole numbers 0 to 255."""
    return np.random.default_rng(seed).integers(0, 256, (256, 256, 3)).astype(dtype)


def nuclei(*places: tuple[int, int], channel: int = 0, dtype=np.float64) -> np.ndarray:
    """A (256, 256, 6) mask with a nucleus of 9 x 9 pixels around each (y, x), ids from 1."""
    mask = np.zeros((256, 256, 6), dtype)
    for number, (y, x) in enumerate(places, start=1):
        mask[max(0, y - 4) : y + 5, max(0, x - 4) : x + 5, channel] = number
    mask[..., 5] = mask[..., :5].sum(-1) == 0
    return mask


CENTRAL = [(60 + 12 * k, 128) for k in range(12)]  # nuclei inside the central 224 x 224
POSITIVE, NEGATIVE = nuclei(*CENTRAL[:6]), nuclei(*CENTRAL[:3], channel=1)


def write_fold(folder: Path, images, masks, types=None, *, nested: str = "", name: str = "fold1") -> Path:
    """Write the three files flat into ``folder``, or nested below it under ``nested`` ("Fold 1"); the folder."""
    images_at = folder / nested / "images" / name if nested else folder
    masks_at = folder / nested / "masks" / name if nested else folder
    images_at.mkdir(parents=True, exist_ok=True)
    masks_at.mkdir(parents=True, exist_ok=True)
    np.save(images_at / "images.npy", np.asarray(images))
    np.save(images_at / "types.npy", np.asarray(types if types is not None else ["Breast"] * len(images)))
    np.save(masks_at / "masks.npy", np.asarray(masks))
    return folder


def small_fold(folder: Path, **where) -> Path:
    """Four patches: positive, negative, excluded (2 nuclei), negative."""
    masks = [POSITIVE, NEGATIVE, nuclei(*CENTRAL[:2]), nuclei()]
    return write_fold(folder, [picture(k) for k in range(4)], masks, **where)


def sparse_array(path: Path, shape: tuple[int, ...], rows: dict[int, np.ndarray]) -> None:
    """A float64 .npy of ``shape`` that holds zeros without taking room on disk, except in ``rows``."""
    with path.open("wb") as file:
        header = {"descr": "<f8", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        start, row_bytes = file.tell(), 8 * int(np.prod(shape[1:]))
        file.truncate(start + shape[0] * row_bytes)
        for row, values in rows.items():
            flat = np.ascontiguousarray(values, dtype="<f8").ravel()
            used = np.flatnonzero(flat)
            if len(used):
                file.seek(start + row * row_bytes + 8 * int(used[0]))
                file.write(flat[used[0] : used[-1] + 1].tobytes())
