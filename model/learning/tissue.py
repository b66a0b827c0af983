"""Drawing tissue: stain concentrations from which a generated H&E patch is developed.

A ``Canvas`` holds how much haematoxylin, eosin and blood lies over each pixel, in optical density, and which nucleus
owns it. Light is only applied at the end (``develop``), by Beer and Lambert: intensity = lamp * 10^-density, here with
natural logarithms. Lengths are pixels of 0.25 micrometres, as PanNuke's.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, zoom
from scipy.spatial import cKDTree

EDGE = 256
INFLAMMATORY, CONNECTIVE, EPITHELIAL, NEOPLASTIC = 1, 2, 4, 0  # PanNuke's channels

Field = NDArray[np.float32]
Rng = np.random.Generator

# Optical density per unit of dye in red, green, blue. Slides lie between the two published pairs.
_HAEMATOXYLIN = {"ruifrok": (0.65, 0.70, 0.29), "macenko": (0.5626, 0.7201, 0.4062)}
_EOSIN = {"ruifrok": (0.07, 0.99, 0.11), "macenko": (0.2159, 0.8012, 0.5581)}
_BLOOD = (0.12, 0.95, 0.72)

_Y, _X = np.mgrid[0:EDGE, 0:EDGE].astype(np.float32)


class Textures:
    """Smooth noise at several scales, drawn once and cut anew for each use (mean 0, standard deviation 1)."""

    SIDE = 1024
    SCALES = {"grain": 0.8, "fine": 1.5, "mid": 3.0, "coarse": 7.0, "wide": 14.0, "broad": 26.0}

    def __init__(self, rng: Rng) -> None:
        self._fields: dict[str, Field] = {}
        for name, sigma in self.SCALES.items():
            shrink = max(1, int(sigma // 3))  # the smooth ones are made small and enlarged: the same, sooner
            side = self.SIDE // shrink
            noise = rng.standard_normal((side, side), dtype=np.float32)
            smooth = gaussian_filter(noise, sigma / shrink, mode="wrap", truncate=3.0)
            smooth = zoom(smooth, self.SIDE / side, order=3, mode="grid-wrap", grid_mode=True)
            self._fields[name] = (smooth - smooth.mean()) / smooth.std()

    def cut(self, rng: Rng, name: str, height: int = EDGE, width: int = EDGE) -> Field:
        """A random (height, width) piece, randomly flipped."""
        y, x = rng.integers(0, self.SIDE - height), rng.integers(0, self.SIDE - width)
        piece = self._fields[name][y : y + height, x : x + width]
        flips = rng.integers(0, 4)
        return piece[:: 1 - 2 * int(flips & 1), :: 1 - int(flips & 2)]

    def along(self, rng: Rng, name: str, across: Field, lengthwise: Field) -> Field:
        """The noise looked up at warped coordinates: stretched along ``lengthwise``, it becomes fibres.

        The nearest value is taken, so the coordinates should pass a scale's grain in steps well below its width.
        """
        start = rng.integers(0, self.SIDE, 2)
        rows = across.astype(np.int32) + int(start[0]) & self.SIDE - 1
        columns = lengthwise.astype(np.int32) + int(start[1]) & self.SIDE - 1
        return self._fields[name].ravel()[rows * self.SIDE + columns]


class Places:
    """Nuclei as discs, to ask whether another one fits."""

    def __init__(self) -> None:
        self._discs = np.empty((4096, 3))
        self.count = 0

    def add(self, y: float, x: float, radius: float) -> None:
        self._discs[self.count] = y, x, radius
        self.count += 1

    def forget(self, count: int) -> None:
        """Keep the first ``count``."""
        self.count = count

    def is_free(self, y: float, x: float, radius: float, overlap: float) -> bool:
        """Whether a disc fits there; ``overlap`` is the share of the summed radii that may be missing."""
        others = self._discs[: self.count]
        reach = (others[:, 2] + radius) * (1 - overlap)
        return not ((others[:, 0] - y) ** 2 + (others[:, 1] - x) ** 2 < reach * reach).any()


def pixel(y: float, x: float, margin: int = 0) -> tuple[int, int]:
    """The nearest row and column that lie at least ``margin`` inside the picture."""
    last = EDGE - 1 - margin
    return min(max(int(y), margin), last), min(max(int(x), margin), last)


@dataclass
class Canvas:
    """Dye over each pixel (natural optical density, float32 (256, 256)) and who owns it.

    ``owner`` is the id of the nucleus on top, 0 for none, and ``channels[id]`` its PanNuke channel; ``placed`` knows
    where nuclei lie; ``fibre`` is the coordinate across the stroma's fibres; ``taken`` is the signed distance (positive
    inside) of the glands and nests drawn so far, which the next ones keep clear of.
    """

    haematoxylin: Field = field(default_factory=lambda: np.zeros((EDGE, EDGE), np.float32))
    eosin: Field = field(default_factory=lambda: np.zeros((EDGE, EDGE), np.float32))
    blood: Field = field(default_factory=lambda: np.zeros((EDGE, EDGE), np.float32))
    owner: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((EDGE, EDGE), np.uint8))
    channels: list[int] = field(default_factory=lambda: [-1])
    placed: "Places" = field(default_factory=lambda: Places())
    fibre: Field = field(default_factory=lambda: _Y.copy())
    taken: Field = field(default_factory=lambda: np.full((EDGE, EDGE), -99, np.float32))

    def ids(self, channel: int) -> NDArray[np.uint8]:
        """The instance ids of one of PanNuke's channels, uint8 (256, 256)."""
        return self.owner * (np.asarray(self.channels) == channel)[self.owner]

    def is_tissue(self, y: float, x: float) -> bool:
        """Whether there is anything there for a nucleus to lie in: not a cleft, an opening or a fat cell."""
        return bool(self.eosin[pixel(y, x)] > 0.1)

    def fibre_angle(self, y: float, x: float) -> float:
        """Direction of the fibres there, in radians from the x axis."""
        i, j = pixel(y, x, margin=1)
        across_y = self.fibre[i + 1, j] - self.fibre[i - 1, j]
        across_x = self.fibre[i, j + 1] - self.fibre[i, j - 1]
        return float(np.arctan2(-across_x, across_y))


def step(x: NDArray, width: float = 1.0) -> Field:
    """0 where ``x`` is well below 0, 1 where well above, smooth over ``width``."""
    t = np.minimum(np.maximum(x * (1 / width) + 0.5, 0), 1)
    return t * t * (3 - 2 * t)


def cover(canvas: Canvas, share: NDArray, haematoxylin: NDArray | float, eosin: NDArray | float) -> None:
    """Lay a material over the canvas where ``share`` is 1, mixed where it is between 0 and 1."""
    canvas.haematoxylin += share * (haematoxylin - canvas.haematoxylin)
    canvas.eosin += share * (eosin - canvas.eosin)


def stroma(canvas: Canvas, rng: Rng, textures: Textures, *, density: float, clefts: float) -> None:
    """Collagen: wavy fibres in bundles, ``density`` 0 (loose, pale) to 1 (dense), split by white ``clefts`` 0 to 1."""
    angle = rng.uniform(0, np.pi)
    sin, cos = math.sin(angle), math.cos(angle)
    sway = textures.cut(rng, "broad") * rng.uniform(4, 20)
    crimp = textures.cut(rng, "coarse") * rng.uniform(0.8, 3.0)
    across = _X * sin - _Y * cos + sway
    canvas.fibre = across
    across = across + crimp + 0.5 * textures.cut(rng, "mid")
    lengthwise = _X * cos + _Y * sin + 0.4 * sway[::-1]
    width, stretch = rng.uniform(0.8, 1.5), rng.uniform(0.12, 0.26)
    fibres = textures.along(rng, "mid", across * (2 * width), lengthwise * (2 * stretch))
    bundles = textures.along(rng, "coarse", across * (1.4 * width), lengthwise * (1.6 * stretch))
    lumps = textures.cut(rng, "broad") + 0.6 * textures.cut(rng, "coarse")
    rough = textures.cut(rng, "fine")
    eosin = 0.20 + 0.30 * density + 0.07 * fibres + 0.075 * bundles + 0.035 * lumps + 0.022 * rough
    haematoxylin = (
        rng.choice([0.05, 0.12, 0.2]) * rng.uniform(0.4, 1.2) + 0.015 * bundles + 0.015 * lumps + 0.012 * rough
    )
    cover(canvas, np.ones((), np.float32), np.maximum(haematoxylin, 0), np.maximum(eosin, 0.05))
    if clefts > 0:
        lines = textures.along(rng, "wide", across * 1.8, lengthwise * (1.8 * stretch))
        open_here = step(textures.cut(rng, "broad") + 0.5 * textures.cut(rng, "coarse") - 1.5 + 2.2 * clefts, 1.4)
        gaps = step(0.02 + 0.42 * clefts * open_here - np.abs(lines) - 0.05 * bundles, 0.28) * open_here
        cover(canvas, gaps, 0.012, 0.03 + 0.012 * np.maximum(fibres, 0))


_WAVES = (2, 3, 4, 5, 6, 7)
_TURNS = np.linspace(-np.pi, np.pi, 512, endpoint=False)
_BASIS = np.concatenate([[np.cos(k * _TURNS), np.sin(k * _TURNS)] for k in _WAVES]).astype(np.float32)


def outline(rng: Rng, roughness: float, fall: float) -> Field:
    """A rounded shape's radius at 512 angles from -pi, mean 1; higher waves are weaker by ``fall``."""
    spread = np.repeat([roughness * wave**-fall for wave in _WAVES], 2) / math.sqrt(2)
    return 1 + (spread * rng.standard_normal(len(spread))).astype(np.float32) @ _BASIS


def _at(rim: Field, u: Field, v: Field) -> Field:
    """The outline's radius in the direction of each (u, v)."""
    turn = (np.arctan2(v, u) * np.float32(256 / np.pi)).astype(np.int16)
    return rim[(turn + 256) & 511]


def blob(rng: Rng, y: float, x: float, radius: float, *, roughness: float, stretch: float = 1.0) -> Field:
    """Signed distance in pixels (positive inside) of a rounded shape, (256, 256); -99 far outside."""
    angle, root = rng.uniform(0, np.pi), math.sqrt(stretch)
    sin, cos = math.sin(angle), math.cos(angle)
    rim = outline(rng, 0.8 * roughness, 1.0)
    result = np.full((EDGE, EDGE), -99, np.float32)
    area = _window(y, x, int(radius * root * float(rim.max())) + 12)
    dy, dx = _Y[area] - float(y), _X[area] - float(x)
    u, v = (dx * cos + dy * sin) / root, (dy * cos - dx * sin) * root
    result[area] = float(radius) * _at(rim, u, v) - np.hypot(u, v)
    return result


def _window(y: float, x: float, reach: int) -> tuple[slice, slice]:
    """The part of the picture within ``reach`` of (y, x); may be empty."""
    return (
        slice(max(0, int(y) - reach), max(0, min(EDGE, int(y) + reach))),
        slice(max(0, int(x) - reach), max(0, min(EDGE, int(x) + reach))),
    )


def borders(centres: NDArray, where: NDArray[np.bool_]) -> Field:
    """How far each pixel is from the border between the two nearest ``centres`` (k, 2); 50 outside ``where``.

    Looked up on every other pixel and doubled: cell borders are soft.
    """
    result = np.full((EDGE // 2, EDGE // 2), 50, np.float32)
    rows, columns = np.nonzero(where[::2, ::2])
    if len(centres) > 1 and len(rows):
        distance, _ = cKDTree(centres).query(np.stack([rows, columns], 1) * 2.0, k=2)
        result[rows, columns] = distance[:, 1] - distance[:, 0]
    return gaussian_filter(result.repeat(2, 0).repeat(2, 1), 1.0, truncate=2.0)


def cytoplasm(
    canvas: Canvas, rng: Rng, textures: Textures, inside: Field, centres: NDArray, *, haematoxylin: float, eosin: float
) -> None:
    """Epithelial cells between their nuclei: mottled, with faint borders; ``inside`` is a share, (256, 256)."""
    mottle = textures.cut(rng, "coarse") + 0.7 * textures.cut(rng, "fine")
    gap = step(2.6 - borders(centres, inside > 0.05), 2.5) * rng.uniform(0.1, 0.6)
    cover(
        canvas,
        inside,
        haematoxylin * (1 + 0.22 * mottle) * (1 - 0.5 * gap),
        eosin * (1 + 0.16 * mottle) * (1 - 0.6 * gap),
    )


def fat(canvas: Canvas, rng: Rng, textures: Textures, inside: Field) -> None:
    """Adipocytes: empty after processing, with thin membranes between them."""
    spacing = rng.uniform(58, 84)
    grid = np.mgrid[-1 : EDGE // spacing + 2, -1 : EDGE // spacing + 2].reshape(2, -1).T * spacing
    centres = grid + rng.normal(0, spacing * 0.2, grid.shape)
    thickness = rng.uniform(3.0, 5.5)
    wall = step(thickness - borders(centres, inside > 0.05) + 0.8 * textures.cut(rng, "mid"), 2.5)
    cover(canvas, inside, 0.01 + 0.06 * wall, 0.02 + 0.30 * wall)


@dataclass(frozen=True)
class Look:
    """How a kind of nucleus looks: ``length`` (semi-axis in pixels) and ``aspect`` as (mean, share of spread)."""

    channel: int
    length: tuple[float, float]
    aspect: tuple[float, float]
    roughness: float
    dye: tuple[float, float]  # haematoxylin, mean and spread
    chromatin: float  # contrast of the texture inside
    coarseness: str  # which texture it is
    membrane: float  # extra dye along the rim
    nucleoli: float  # expected number


LYMPHOCYTE = Look(INFLAMMATORY, (6.4, 0.10), (1.12, 0.08), 0.05, (1.35, 0.15), 0.10, "fine", 0.05, 0.0)
PLASMA_CELL = Look(INFLAMMATORY, (7.2, 0.10), (1.2, 0.1), 0.05, (1.15, 0.15), 0.18, "fine", 0.15, 0.0)
FIBROBLAST = Look(CONNECTIVE, (12.5, 0.24), (3.7, 0.25), 0.10, (1.05, 0.28), 0.12, "fine", 0.12, 0.1)
ENDOTHELIUM = Look(CONNECTIVE, (10.0, 0.2), (3.0, 0.2), 0.08, (1.15, 0.15), 0.12, "fine", 0.1, 0.0)


def epithelium(rng: Rng) -> Look:
    """Benign epithelial nuclei of one patch: small, alike, evenly stained; sometimes reactive and a little larger."""
    length = rng.uniform(7.0, 8.8)
    return Look(
        EPITHELIAL, (length, 0.08), (rng.uniform(1.15, 1.45), 0.08), 0.04, (rng.uniform(0.85, 1.3), 0.10),
        rng.uniform(0.06, 0.13), "fine", rng.uniform(0.08, 0.25), rng.uniform(0, 0.3),
    )  # fmt: skip


def tumour(rng: Rng, grade: float) -> Look:
    """Neoplastic nuclei of one patch, ``grade`` 0 (near to benign) to 1: larger, unlike one another, coarse."""
    vesicular = rng.random() < 0.4  # pale with a sharp rim and nucleoli, or dark throughout
    return Look(
        NEOPLASTIC,
        (13.2 + 4.3 * grade + rng.uniform(-0.6, 0.8), 0.16 + 0.14 * grade),
        (rng.uniform(1.2, 1.55), 0.16),
        0.07 + 0.08 * grade,
        (rng.uniform(0.62, 0.85) if vesicular else rng.uniform(0.88, 1.28), 0.16 + 0.1 * grade),
        rng.uniform(0.24, 0.34) + 0.06 * grade,
        "mid" if rng.random() < 0.4 else "fine",
        rng.uniform(0.3, 0.55) if vesicular else rng.uniform(0.1, 0.3),
        rng.uniform(1.2, 2.0) + 0.9 * grade,
    )


def nucleus(
    canvas: Canvas, rng: Rng, textures: Textures, look: Look, y: float, x: float, angle: float | None = None
) -> None:
    """Draw one nucleus and give it the next id of its channel set; ids are unique within the patch, as PanNuke's."""
    length = look.length[0] * np.exp(rng.normal(0, look.length[1]))
    aspect = max(1.0, look.aspect[0] * np.exp(rng.normal(0, look.aspect[1])))
    a, b = float(length), float(max(2.4, length / aspect))
    area = _window(y, x, int(a * 1.4) + 4)
    dy, dx = _Y[area] - float(y), _X[area] - float(x)
    height, width = dy.shape
    if not dy.size or len(canvas.channels) > 255:
        return
    turn = float(rng.uniform(0, np.pi) if angle is None else angle + rng.normal(0, 0.15))
    sin, cos = math.sin(turn), math.cos(turn)
    u, v = (dx * cos + dy * sin) / a, (dy * cos - dx * sin) / b
    if aspect > 1.8:
        v = v + float(rng.normal(0, 0.35)) * (u * u - 0.4)  # long nuclei bend with their fibre
    rim = outline(rng, 1.4 * look.roughness, 0.8)
    depth = (_at(rim, u, v) - np.hypot(u, v)) * b  # pixels below the nuclear surface
    share = step(depth, 2.2)
    owned = share > 0.5
    if owned.sum() < 12:  # only a sliver at the border of the picture
        return
    dye = look.dye[0] * np.exp(rng.normal(0, look.dye[1]))
    texture = textures.cut(rng, look.coarseness, height, width)
    grain = textures.cut(rng, "grain", height, width)
    inside = float(dye) * (1 + look.chromatin * (texture + 0.35 * grain))
    inside += look.membrane * float(dye) * np.exp(-(((depth - 1.6) / 1.5) ** 2))
    for _ in range(rng.poisson(look.nucleoli)):
        r, t = np.sqrt(rng.random()) * 0.55, rng.uniform(0, 2 * np.pi)
        spot = ((u - float(r * np.cos(t))) * a) ** 2 + ((v - float(r * np.sin(t))) * b) ** 2
        inside += rng.uniform(0.35, 0.7) * np.exp(-spot / (2 * rng.uniform(1.1, 1.9) ** 2))
    canvas.haematoxylin[area] += share * (np.maximum(inside, 0.15) - canvas.haematoxylin[area])
    canvas.eosin[area] += share * (0.12 - 0.6 * canvas.eosin[area])
    canvas.placed.add(y, x, math.sqrt(a * b))
    canvas.owner[area][owned] = len(canvas.channels)
    canvas.channels.append(look.channel)


def red_cells(canvas: Canvas, rng: Rng, centres: Iterable[Sequence[float]]) -> None:
    """Erythrocytes: small discs, paler in the middle."""
    for y, x in centres:
        depth = blob(rng, y, x, rng.uniform(6.5, 8.5), roughness=0.08, stretch=rng.uniform(1, 1.6))
        share = step(depth, 2.0)
        cover(canvas, share, 0.02, 0.08)
        canvas.blood += share * (0.45 + 0.2 * np.exp(-((depth / 3) ** 2)) - canvas.blood)


def develop(canvas: Canvas, rng: Rng, textures: Textures) -> NDArray[np.uint8]:
    """The picture, uint8 (256, 256, 3): dyes of this patch's own strength and hue, the scanner's blur and noise."""
    blur = rng.uniform(0.55, 1.0)
    strength = [math.exp(rng.normal(0, spread)) for spread in (0.22, 0.24)]
    uneven = 1 + 0.05 * textures.cut(rng, "broad")
    dyes = (
        (canvas.haematoxylin * strength[0] * uneven, _between(rng, _HAEMATOXYLIN, 0.0, 0.75)),
        (canvas.eosin * strength[1] * uneven, _between(rng, _EOSIN, 0.0, 0.45)),
        (canvas.blood, np.asarray(_BLOOD)),
    )
    amounts = np.stack([gaussian_filter(amount, blur, truncate=3.0).ravel() for amount, _ in dyes])  # (3 dyes, pixels)
    absorbed = np.stack([colour for _, colour in dyes], axis=1).astype(np.float32)  # (3 colours, 3 dyes)
    lamp = (rng.uniform(236, 250) + rng.uniform(-3, 3, (3, 1))).astype(np.float32)
    light = lamp * np.exp(-absorbed @ amounts)
    light += rng.standard_normal(light.shape, dtype=np.float32) * np.float32(rng.uniform(1.0, 2.6))
    return np.ascontiguousarray(
        np.clip(np.rint(light), 0, 255).astype(np.uint8).reshape(3, EDGE, EDGE).transpose(1, 2, 0)
    )


def _between(rng: Rng, published: dict[str, tuple[float, float, float]], least: float, most: float) -> NDArray:
    """A dye's absorption between Macenko's (0) and Ruifrok's (1), slightly off both, of unit length."""
    share = rng.uniform(least, most)
    mixed = (1 - share) * np.asarray(published["macenko"]) + share * np.asarray(published["ruifrok"])
    mixed = mixed * np.exp(rng.normal(0, 0.04, 3))
    return mixed / np.linalg.norm(mixed)
