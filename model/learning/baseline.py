"""What colour alone can tell: a yardstick, so that nobody mistakes stain for morphology."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

Floats = NDArray[np.floating[Any]]


def colour_features(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean and SD of each channel in 0-255 units: uint8 (n, h, w, 3) -> (n, 6). No position, so no morphology."""
    levels = np.arange(256.0)
    features = np.empty((len(images), 6))
    for row, image in zip(features, images):
        counts = np.stack([np.bincount(image[..., channel].ravel(), minlength=256) for channel in range(3)])
        mean, square = counts @ levels / image[..., 0].size, counts @ levels**2 / image[..., 0].size
        row[:3], row[3:] = mean, np.sqrt(np.maximum(square - mean**2, 0))
    return features


def colour_probabilities(
    images: NDArray[np.uint8],
    labels: NDArray[Any],
    train: NDArray[np.integer[Any]],
    test: NDArray[np.integer[Any]],
) -> NDArray[np.float64]:
    """P(tumour) for the ``test`` rows by a logistic regression on colour, fitted on the ``train`` rows."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    model.fit(colour_features(images[train]), np.asarray(labels)[train].astype(int))
    return model.predict_proba(colour_features(images[test]))[:, 1]
