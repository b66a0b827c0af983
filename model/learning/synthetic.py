"""Generated H&E-like patches with outlined nuclei, written as a PanNuke fold.

They stand in where no real patches may be used: the demo, the tests, a first look. The classes differ as a pathologist
would say they do - tumour nuclei are larger, crowded, unlike one another and coarse - while stain and the share of
nuclei vary in both, so that colour alone tells little. They are no substitute for tissue in any conclusion.
"""

import json
import math
import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput, Progress, no_progress
from model.learning import tissue
from model.learning.patches import POSITIVE_FROM, centre
from model.learning.tissue import EDGE, Canvas, Look, Rng, Textures

VERSION = 1
"""Raised whenever the same seed gives other pictures."""

FOLD, CHANNELS, BACKGROUND = "fold1", 6, 5
_CROP = 224  # labels are planned on what the default centre crop shows
_AMBIGUOUS = 1 / 30  # share with 1 to 4 tumour cells, which the importer leaves out


def synthesise(folder: str | Path, *, patches: int = 240, seed: int = 0, progress: Progress = no_progress) -> Path:
    """Write ``patches`` generated patches under ``folder`` in PanNuke's nested layout; the folder of the fold.

    ``Fold 1/images/fold1/images.npy`` uint8 (n, 256, 256, 3), ``types.npy`` (all "Breast") and
    ``Fold 1/masks/fold1/masks.npy`` uint8 (n, 256, 256, 6), written memory-mapped. About half show at least 5 tumour
    cells in the central 224 x 224, half none, and every thirtieth 1 to 4. Equal seeds give equal bytes.

    Raises InvalidInput for fewer than 10 patches, a negative seed or a fold that exists; removes what it wrote if it
    fails.
    """
    if patches < 10:
        raise InvalidInput(f"patches {patches}: at least 10 are needed to have both classes.")
    if seed < 0:
        raise InvalidInput(f"seed {seed}: must be 0 or more.")
    fold = Path(folder) / "Fold 1"
    if fold.exists():
        raise InvalidInput(f"{fold} exists. Choose another folder or remove it first.")
    images_folder, masks_folder = fold / "images" / FOLD, fold / "masks" / FOLD
    try:
        images_folder.mkdir(parents=True)
        masks_folder.mkdir(parents=True)
        images = np.lib.format.open_memmap(
            images_folder / "images.npy", mode="w+", dtype=np.uint8, shape=(patches, EDGE, EDGE, 3)
        )
        masks = np.lib.format.open_memmap(
            masks_folder / "masks.npy", mode="w+", dtype=np.uint8, shape=(patches, EDGE, EDGE, CHANNELS)
        )
        textures = Textures(np.random.default_rng([seed, 1]))
        for row, cells in enumerate(plan(patches, seed)):
            images[row], masks[row] = draw(cells, np.random.default_rng([seed, 2, row]), textures)
            progress(row + 1, patches)
        np.save(images_folder / "types.npy", np.full(patches, "Breast"))
        about = {"generator": "blindspot", "version": VERSION, "seed": seed, "patches": patches}
        (fold / "synthetic.json").write_text(json.dumps(about, indent=2) + "\n")
    except OSError as error:
        shutil.rmtree(fold, ignore_errors=True)
        raise InvalidInput(f"{fold}: cannot be written ({error}).") from error
    except BaseException:
        shutil.rmtree(fold, ignore_errors=True)
        raise
    return fold


def plan(patches: int, seed: int) -> list[tuple[int, int]]:
    """How many tumour cells each patch shall show, as (least, most), in random order."""
    ambiguous = round(patches * _AMBIGUOUS)
    positive = (patches - ambiguous) // 2
    wanted = [(1, 4)] * ambiguous + [(POSITIVE_FROM, 255)] * positive
    wanted += [(0, 0)] * (patches - len(wanted))
    order = np.random.default_rng([seed, 0]).permutation(patches)
    return [wanted[i] for i in order]


def draw(cells: tuple[int, int], rng: Rng, textures: Textures) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """One patch that shows from ``cells[0]`` to ``cells[1]`` tumour cells in its centre: picture and masks, uint8."""
    least, most = cells
    while True:
        canvas = Canvas()
        if least >= POSITIVE_FROM:
            _tumour(canvas, rng, textures)
        else:
            _benign(canvas, rng, textures)
            if least:
                _strays(canvas, rng, textures, count=int(rng.integers(least, most + 1)))
        shown = np.unique(centre(canvas.ids(tissue.NEOPLASTIC), _CROP))
        if least <= np.count_nonzero(shown) <= most:
            break
    masks = np.zeros((EDGE, EDGE, CHANNELS), np.uint8)
    for channel in sorted(set(canvas.channels[1:])):
        masks[..., channel] = canvas.ids(channel)
    masks[..., BACKGROUND] = canvas.owner == 0
    return tissue.develop(canvas, rng, textures), masks


# --- Layouts ----------------------------------------------------------------------------------------------------------


def _benign(canvas: Canvas, rng: Rng, textures: Textures) -> None:
    layouts = {"fibrous": 0.06, "lobule": 0.26, "duct": 0.24, "hyperplasia": 0.18, "inflamed": 0.22, "fat": 0.04}
    layout = rng.choice(list(layouts), p=list(layouts.values()))
    _bed(canvas, rng, textures)
    look = tissue.epithelium(rng)
    if layout == "lobule":
        for _ in range(rng.integers(3, 7)):
            _acinus(canvas, rng, textures, look, radius=rng.uniform(28, 50), lumen=rng.choice([0.0, 0.3, 0.45]))
    elif layout == "duct":
        _acinus(canvas, rng, textures, look, radius=rng.uniform(75, 120), lumen=rng.uniform(0.3, 0.65), layers=3)
        for _ in range(rng.integers(0, 3)):
            _acinus(canvas, rng, textures, look, radius=rng.uniform(30, 50), lumen=0.3)
    elif layout == "hyperplasia":  # crowded, yet small and alike
        for _ in range(rng.integers(1, 4)):
            _nest(canvas, rng, textures, look, _island(canvas, rng))
    elif layout == "fat":
        _fat(canvas, rng, textures, share=rng.uniform(0.4, 0.8))
    lymphocytes = rng.integers(50, 190) if layout == "inflamed" else rng.integers(0, 40)
    _companions(canvas, rng, textures, fibroblasts=int(rng.integers(6, 26)), lymphocytes=int(lymphocytes))


def _tumour(canvas: Canvas, rng: Rng, textures: Textures) -> None:
    layout = rng.choice(["nests", "sheet", "cords", "glands"], p=[0.36, 0.2, 0.22, 0.22])
    _bed(canvas, rng, textures)
    if rng.random() < 0.25:
        _fat(canvas, rng, textures, share=rng.uniform(0.2, 0.5))
    look = tissue.tumour(rng, grade=rng.beta(1.2, 1.2))
    if layout == "nests":
        for _ in range(rng.integers(3, 6)):
            _nest(canvas, rng, textures, look, _island(canvas, rng))
    elif layout == "sheet":
        y, x = rng.uniform(80, EDGE - 80, 2)
        _nest(canvas, rng, textures, look, tissue.blob(rng, y, x, rng.uniform(120, 190), roughness=0.25))
    elif layout == "glands":
        for _ in range(rng.integers(3, 6)):
            _acinus(canvas, rng, textures, look, radius=rng.uniform(50, 90), lumen=rng.uniform(0.2, 0.5), layers=2)
    else:
        _strays(canvas, rng, textures, count=int(rng.integers(16, 36)), look=look)
    _companions(canvas, rng, textures, fibroblasts=int(rng.integers(4, 18)), lymphocytes=int(rng.integers(0, 30)))


def _bed(canvas: Canvas, rng: Rng, textures: Textures) -> None:
    tissue.stroma(canvas, rng, textures, density=rng.uniform(0.1, 1), clefts=rng.choice([0, 0.3, 0.6, 1.0]))


def _fat(canvas: Canvas, rng: Rng, textures: Textures, *, share: float) -> None:
    y, x = rng.choice([0, EDGE], 2) + rng.normal(0, 30, 2)
    tissue.fat(canvas, rng, textures, tissue.step(tissue.blob(rng, y, x, EDGE * 1.3 * share, roughness=0.1), 3.0))


def _scatter(
    canvas: Canvas, rng: Rng, look: Look, count: int, *, inside: NDArray | None, overlap: float, bare: bool = False
) -> list[tuple[float, float]]:
    """Up to ``count`` free places (y, x) for nuclei of this look, where the field ``inside`` is positive.

    ``bare``: also where there is no tissue yet.
    """
    found: list[tuple[float, float]] = []
    radius = look.length[0] / math.sqrt(look.aspect[0])
    before = canvas.placed.count
    for y, x in rng.uniform(-6, EDGE + 6, (count * 6, 2)).tolist():
        if len(found) == count:
            break
        wanted = (inside is None or inside[tissue.pixel(y, x)] > 0) and (bare or canvas.is_tissue(y, x))
        if wanted and canvas.placed.is_free(y, x, radius, overlap):
            found.append((y, x))
            canvas.placed.add(y, x, radius)  # keeps its place while the others are sought
    canvas.placed.forget(before)
    return found


def _clear(canvas: Canvas, rng: Rng, shape: NDArray) -> NDArray:
    """The signed distance ``shape`` less what glands and nests already cover and a strip of stroma between them."""
    shape = np.minimum(shape, -canvas.taken - rng.uniform(5, 16))
    canvas.taken = np.maximum(canvas.taken, shape)
    return shape


def _island(canvas: Canvas, rng: Rng) -> NDArray:
    """The signed distance of a rounded area, clear of the others."""
    y, x = rng.uniform(30, EDGE - 30, 2)
    return _clear(canvas, rng, tissue.blob(rng, y, x, rng.uniform(55, 95), roughness=0.22, stretch=rng.uniform(1, 2.2)))


def _nest(canvas: Canvas, rng: Rng, textures: Textures, look: Look, shape: NDArray) -> None:
    """A solid, crowded group of epithelial or tumour cells, often drawn back from the stroma around it."""
    if rng.random() < 0.4:
        cleft = 4 + 4 * textures.cut(rng, "broad") + 2 * textures.cut(rng, "coarse")
        tissue.cover(canvas, tissue.step(np.minimum(shape + cleft, shape + 12), 4.0), 0.015, 0.03)
    overlap = rng.uniform(-0.5, 0.15)
    spacing = 2 * look.length[0] / math.sqrt(look.aspect[0]) * (1 - overlap)
    inside = shape - look.length[0] * 0.6
    count = int((inside > 0).sum() / spacing**2) + 2
    places = _scatter(canvas, rng, look, count, inside=inside, overlap=overlap, bare=True)
    dark, pink = rng.uniform(0.06, 0.26), rng.uniform(0.18, 0.42)
    centres = np.asarray(places).reshape(-1, 2)
    tissue.cytoplasm(canvas, rng, textures, tissue.step(shape, 3.0), centres, haematoxylin=dark, eosin=pink)
    grain = rng.uniform(0, np.pi) if rng.random() < 0.3 else None
    for y, x in places:
        tissue.nucleus(canvas, rng, textures, look, y, x, grain)


def _acinus(
    canvas: Canvas, rng: Rng, textures: Textures, look: Look, *, radius: float, lumen: float, layers: int = 1
) -> None:
    """A gland: cells in rings around an opening that takes the share ``lumen`` of its radius."""
    malignant = look.channel == tissue.NEOPLASTIC
    y, x = rng.uniform(24, EDGE - 24, 2)
    shape = tissue.blob(rng, y, x, radius, roughness=0.16 if malignant else 0.09, stretch=rng.uniform(1, 1.7))
    shape = _clear(canvas, rng, shape)
    opening = shape - radius * (1 - lumen) if lumen else np.full_like(shape, -9)
    wall = tissue.step(shape, 2.5)
    places: list[tuple[float, float]] = []
    depth = look.length[0] * rng.uniform(0.9, 1.15)
    free_depth = radius * (1 - lumen) if lumen else radius
    rings = 0
    while depth < free_depth - look.length[0] * 0.4 and (rings < layers or not lumen):
        on_ring = np.abs(shape - depth) < 1.2
        rows, columns = np.nonzero(on_ring)
        if not len(rows):
            break
        order = np.argsort(np.arctan2(rows - y, columns - x))
        gap = look.length[0] * (rng.uniform(1.25, 1.6) if malignant else rng.uniform(1.45, 1.8))
        last: tuple[float, float] | None = None
        for k in order[:: max(1, len(order) // 400)]:
            spot = (float(rows[k]), float(columns[k]))
            if last is not None and math.dist(spot, last) < gap:
                continue
            last = spot
            places.append(spot)
        depth += look.length[0] * rng.uniform(1.35, 1.7)
        rings += 1
    dark, pink = rng.uniform(0.08, 0.28), rng.uniform(0.18, 0.42)
    centres = np.asarray(places).reshape(-1, 2)
    tissue.cytoplasm(canvas, rng, textures, wall, centres, haematoxylin=dark, eosin=pink)
    if lumen:
        secretion = 0.02 + (rng.uniform(0.05, 0.25) * (1 + 0.3 * textures.cut(rng, "mid")) if rng.random() < 0.3 else 0)
        tissue.cover(canvas, tissue.step(opening, 3.0), 0.01, secretion)
    for py, px in places:
        if canvas.placed.is_free(py, px, look.length[0] * 0.8, 0.3):
            outward = np.arctan2(py - y, px - x)
            tissue.nucleus(canvas, rng, textures, look, py, px, outward if layers > 1 or malignant else None)


def _strays(canvas: Canvas, rng: Rng, textures: Textures, *, count: int, look: Look | None = None) -> None:
    """Single tumour cells and files of them between the fibres, each with a little cytoplasm."""
    look = look or tissue.tumour(rng, grade=rng.beta(1.2, 1.2))
    inside = 100 - np.maximum(abs(tissue._Y - EDGE / 2), abs(tissue._X - EDGE / 2))
    places = _scatter(canvas, rng, look, count, inside=inside, overlap=0.1)
    mottle = 1 + 0.25 * textures.cut(rng, "mid")
    for y, x in places:  # all the cytoplasm before any nucleus: none may cover one that the masks show
        radius = look.length[0] * rng.uniform(1.2, 1.7)
        body = tissue.blob(rng, y, x, radius, roughness=0.15, stretch=rng.uniform(1, 1.6))
        dark, pink = rng.uniform(0.06, 0.22), rng.uniform(0.22, 0.42)
        tissue.cover(canvas, tissue.step(body, 8.0) * 0.75, dark * mottle, pink * mottle)
    for y, x in places:
        tissue.nucleus(canvas, rng, textures, look, y, x, canvas.fibre_angle(y, x))


def _companions(canvas: Canvas, rng: Rng, textures: Textures, *, fibroblasts: int, lymphocytes: int) -> None:
    """What lies in any stroma: fibroblasts along the fibres, lymphocytes in groups, here and there a small vessel."""
    for y, x in _scatter(canvas, rng, tissue.FIBROBLAST, fibroblasts, inside=None, overlap=0.0):
        tissue.nucleus(canvas, rng, textures, tissue.FIBROBLAST, y, x, canvas.fibre_angle(y, x))
    where = textures.cut(rng, "broad") + rng.uniform(-0.3, 0.6) if lymphocytes else None
    for y, x in _scatter(canvas, rng, tissue.LYMPHOCYTE, lymphocytes, inside=where, overlap=0.02):
        look = tissue.PLASMA_CELL if rng.random() < 0.2 else tissue.LYMPHOCYTE
        tissue.nucleus(canvas, rng, textures, look, y, x)
    if rng.random() < 0.3:
        _vessel(canvas, rng, textures)


def _vessel(canvas: Canvas, rng: Rng, textures: Textures) -> None:
    y, x, radius = *rng.uniform(20, EDGE - 20, 2), rng.uniform(10, 24)
    if not canvas.placed.is_free(y, x, radius + 6, 0.0):
        return
    shape = tissue.blob(rng, y, x, radius, roughness=0.08, stretch=rng.uniform(1, 2.2))
    tissue.cover(canvas, tissue.step(shape + 4, 3.0), 0.05, 0.42)
    tissue.cover(canvas, tissue.step(shape, 2.0), 0.01, 0.03)
    spots = np.array([y, x]) + rng.normal(0, radius * 0.35, (int(rng.integers(0, 6)), 2))
    tissue.red_cells(canvas, rng, spots.tolist())
    for turn in rng.uniform(0, 2 * np.pi, int(rng.integers(1, 4))):
        py, px = y + (radius + 2) * np.sin(turn), x + (radius + 2) * np.cos(turn)
        tissue.nucleus(canvas, rng, textures, tissue.ENDOTHELIUM, py, px, turn + np.pi / 2)
