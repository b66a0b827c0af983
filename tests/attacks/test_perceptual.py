"""Colour difference and structural similarity, against published pairs and another program's numbers."""

import numpy as np
import pytest

from attacks.engine.perceptual import ciede2000, lab, measures_of, ms_ssim
from tests.factories import tissue

SHARMA = [  # Sharma, Wu & Dalal (2005), table 1
    (50, 2.6772, -79.7751, 50, 0, -82.7485, 2.0425),
    (50, 3.1571, -77.2803, 50, 0, -82.7485, 2.8615),
    (50, 2.8361, -74.0200, 50, 0, -82.7485, 3.4412),
    (50, -1.3802, -84.2814, 50, 0, -82.7485, 1.0000),
    (50, -1.1848, -84.8006, 50, 0, -82.7485, 1.0000),
    (50, -0.9009, -85.5211, 50, 0, -82.7485, 1.0000),
    (50, 0, 0, 50, -1, 2, 2.3669),
    (50, -1, 2, 50, 0, 0, 2.3669),
    (50, 2.4900, -0.0010, 50, -2.4900, 0.0009, 7.1792),
    (50, 2.4900, -0.0010, 50, -2.4900, 0.0010, 7.1792),
    (50, 2.4900, -0.0010, 50, -2.4900, 0.0011, 7.2195),
    (50, 2.4900, -0.0010, 50, -2.4900, 0.0012, 7.2195),
    (50, -0.0010, 2.4900, 50, 0.0009, -2.4900, 4.8045),
    (50, -0.0010, 2.4900, 50, 0.0010, -2.4900, 4.8045),
    (50, -0.0010, 2.4900, 50, 0.0011, -2.4900, 4.7461),
    (50, 2.5, 0, 50, 0, -2.5, 4.3065),
    (50, 2.5, 0, 73, 25, -18, 27.1492),
    (50, 2.5, 0, 61, -5, 29, 22.8977),
    (50, 2.5, 0, 56, -27, -3, 31.9030),
    (50, 2.5, 0, 58, 24, 15, 19.4535),
    (50, 2.5, 0, 50, 3.1736, 0.5854, 1.0000),
    (50, 2.5, 0, 50, 3.2972, 0, 1.0000),
    (50, 2.5, 0, 50, 1.8634, 0.5757, 1.0000),
    (50, 2.5, 0, 50, 3.2592, 0.3350, 1.0000),
    (60.2574, -34.0099, 36.2677, 60.4626, -34.1751, 39.4387, 1.2644),
    (63.0109, -31.0961, -5.8663, 62.8187, -29.7946, -4.0864, 1.2630),
    (61.2901, 3.7196, -5.3901, 61.4292, 2.2480, -4.9620, 1.8731),
    (35.0831, -44.1164, 3.7933, 35.0232, -40.0716, 1.5901, 1.8645),
    (22.7233, 20.0904, -46.6940, 23.0331, 14.9730, -42.5619, 2.0373),
    (36.4612, 47.8580, 18.3852, 36.2715, 50.5065, 21.2231, 1.4146),
    (90.8027, -2.0831, 1.4410, 91.1528, -1.6435, 0.0447, 1.4441),
    (90.9257, -0.5406, -0.9208, 88.6381, -0.8985, -0.7239, 1.5381),
    (6.7747, -0.2908, -2.4247, 5.8714, -0.0985, -2.2286, 0.6377),
    (2.0776, 0.0795, -1.1350, 0.9033, -0.0636, -0.5514, 0.9082),
]


@pytest.mark.parametrize("pair", SHARMA)
def test_the_published_pairs(pair):
    found = ciede2000(np.array(pair[:3]), np.array(pair[3:6]))
    assert float(found) == pytest.approx(pair[6], abs=6e-5)
    assert float(ciede2000(np.array(pair[3:6]), np.array(pair[:3]))) == pytest.approx(pair[6], abs=6e-5)


def test_bytes_become_the_colours_that_srgb_means():
    known = {(255, 255, 255): (100, 0, 0), (0, 0, 0): (0, 0, 0), (255, 0, 0): (53.24, 80.09, 67.20)}
    for rgb, expected in known.items():
        assert lab(np.array(rgb, np.uint8)) == pytest.approx(np.array(expected), abs=0.02)


def pictures(size: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    original = tissue(rng, size)
    changed = np.clip(np.rint(original + noise * rng.standard_normal(original.shape)), 0, 255).astype(np.uint8)
    return original, changed


@pytest.mark.parametrize(("size", "noise", "expected"), [(224, 3, 0.995481), (224, 20, 0.893340), (192, 8, 0.972201)])
def test_ms_ssim_is_that_of_pytorch_msssim(size, noise, expected):
    """pytorch-msssim 1.0.0, ms_ssim(data_range=255), five scales."""
    assert ms_ssim(*pictures(size, noise)) == pytest.approx(expected, abs=2e-5)


def test_equal_images_do_not_differ_and_more_noise_differs_more():
    original, _ = pictures(64, 0)
    assert measures_of(original, original) == {"ciede2000": 0.0, "ms_ssim_loss": pytest.approx(0.0, abs=1e-12)}
    weak, strong = (measures_of(*pictures(64, noise)) for noise in (2, 12))
    assert all(0 < weak[name] < strong[name] for name in weak)
