"""How different do two images look? CIEDE2000 and MS-SSIM of displayed bytes; numbers in, numbers out.

mean CIEDE2000     colour difference, mean over pixels (Sharma, Wu & Dalal, Color Research & Application 30:21, 2005)
1 - MS-SSIM        structure lost over several scales (Wang, Simoncelli & Bovik, Asilomar 2003)
"""

import numpy as np
from scipy import ndimage

from attacks.engine.norms import PERCEPTUAL

_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE = np.array([0.95047, 1.0, 1.08883])  # D65
_WEIGHTS = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])
_SIGMA, _RADIUS = 1.5, 5  # a window of 11 pixels
_BYTES = np.arange(256) / 255
_LINEAR = np.where(_BYTES <= 0.04045, _BYTES / 12.92, ((_BYTES + 0.055) / 1.055) ** 2.4)


def measures_of(original: np.ndarray, shown: np.ndarray) -> dict[str, float]:
    """Of two images uint8 (h, w, 3), by the names that tables use (``norms.PERCEPTUAL``)."""
    if np.array_equal(original, shown):
        return dict.fromkeys(PERCEPTUAL, 0.0)
    return {
        "ciede2000": float(ciede2000(lab(original), lab(shown)).mean()),
        "ms_ssim_loss": max(0.0, 1.0 - ms_ssim(original, shown)),  # rounding may end a hair below
    }


def lab(pixels: np.ndarray) -> np.ndarray:
    """sRGB bytes (..., 3) as CIELAB under D65."""
    xyz = _LINEAR[pixels] @ _TO_XYZ.T / _WHITE
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def ciede2000(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Colour difference of two arrays of L, a, b (..., 3)."""
    (l1, a1, b1), (l2, a2, b2) = (
        np.moveaxis(np.asarray(one, float), -1, 0),
        np.moveaxis(np.asarray(other, float), -1, 0),
    )
    chroma7 = _seventh((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2)
    more = 1.5 - 0.5 * np.sqrt(chroma7 / (chroma7 + 25.0**7))
    c1, c2 = np.hypot(more * a1, b1), np.hypot(more * a2, b2)
    h1, h2 = (np.degrees(np.arctan2(b, more * a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    turn = h2 - h1
    grey = c1 * c2 == 0
    turn = np.where(grey, 0.0, (turn + 180) % 360 - 180)
    turn = np.where(~grey & (turn == -180) & (h2 > h1), 180.0, turn)
    lightness, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    apart, together = np.abs(h1 - h2) > 180, h1 + h2
    hue = np.where(
        grey, together, np.where(apart, np.where(together < 360, together + 360, together - 360), together) / 2
    )
    shape = 1 - 0.17 * _cos(hue - 30) + 0.24 * _cos(2 * hue) + 0.32 * _cos(3 * hue + 6) - 0.20 * _cos(4 * hue - 63)
    by_lightness = 1 + 0.015 * (lightness - 50) ** 2 / np.sqrt(20 + (lightness - 50) ** 2)
    by_chroma, by_hue = 1 + 0.045 * chroma, 1 + 0.015 * chroma * shape
    chroma7 = _seventh(chroma)
    twist = -np.sin(np.radians(60 * np.exp(-(((hue - 275) / 25) ** 2)))) * 2 * np.sqrt(chroma7 / (chroma7 + 25.0**7))
    dl, dc = (l2 - l1) / by_lightness, (c2 - c1) / by_chroma
    dh = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2)) / by_hue
    return np.sqrt(np.maximum(dl**2 + dc**2 + dh**2 + twist * dc * dh, 0.0))


def _seventh(x: np.ndarray) -> np.ndarray:
    """x ** 7, which numpy takes by logarithms, ten times slower."""
    cubed = x * x * x
    return cubed * cubed * x


def _cos(degrees: np.ndarray) -> np.ndarray:
    return np.cos(np.radians(degrees))


def ms_ssim(one: np.ndarray, other: np.ndarray) -> float:
    """Of two images uint8 (h, w, 3), mean over channels; 1 for equal ones.

    Five scales, as published, where the shorter side has more than 160 pixels; else as many as leave a window of 11
    pixels, with the weights of those made to sum to one.
    """
    x, y = (np.moveaxis(np.asarray(image, float), -1, 0) for image in (one, other))
    scales = max(1, min(5, int(np.log2((min(x.shape[1:]) - 1) / (2 * _RADIUS))) + 1))
    weights = _WEIGHTS[:scales] / _WEIGHTS[:scales].sum()
    product = np.ones(len(x))
    for scale, weight in enumerate(weights):
        luminance, structure = _ssim(x, y)
        part = luminance * structure if scale == scales - 1 else structure
        product *= np.maximum(part.mean(axis=(1, 2)) if part.ndim == 3 else part, 0.0) ** weight
        x, y = _halved(x), _halved(y)
    return float(product.mean())


def _ssim(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Luminance and contrast-structure (channels, h', w') where the whole window lies inside."""
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mx, my = _blurred(x), _blurred(y)
    vx, vy, vxy = _blurred(x * x) - mx**2, _blurred(y * y) - my**2, _blurred(x * y) - mx * my
    return (2 * mx * my + c1) / (mx**2 + my**2 + c1), (2 * vxy + c2) / (vx + vy + c2)


def _blurred(x: np.ndarray) -> np.ndarray:
    inside = slice(_RADIUS, -_RADIUS)
    return ndimage.gaussian_filter(x, _SIGMA, axes=(1, 2), radius=_RADIUS)[:, inside, inside]


def _halved(x: np.ndarray) -> np.ndarray:
    """Means of squares of four pixels; an odd last row or column is left out."""
    h, w = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
    return x[:, :h, :w].reshape(len(x), h // 2, 2, w // 2, 2).mean(axis=(2, 4))
