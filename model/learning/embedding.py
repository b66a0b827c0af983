"""Where patches lie in the network's own space (Fig. 2a): penultimate features, projected to a plane.

A reducer is fitted once and then projects; a point that was fitted is found again where the fit put it, so that an
attack's track ends on the attacked image's own point.
"""

from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from core.errors import InvalidInput, Progress, no_progress
from model.learning.network import Network
from model.learning.prediction import full_precision

Method = Literal["umap", "pca"]
Features = NDArray[np.float32]
SAME = 1e-3
"""Relative distance below which two feature vectors are of the same image: float32 differs less than this between
batch sizes, and different displayed images by more."""


def features(
    network: Network,
    images: NDArray[np.uint8],
    *,
    batch_size: int = 16,
    device: str | torch.device | None = None,
    progress: Progress = no_progress,
) -> Features:
    """What enters the head for uint8 images (n, h, w, 3): float32 (n, d), 512 numbers for ResNet-18."""
    where = torch.device(device) if device else network.mean.device
    was_training = network.training
    network.to(where).eval()
    parts = []
    with torch.inference_mode(), full_precision():
        for start in range(0, len(images), batch_size):
            batch = torch.from_numpy(np.ascontiguousarray(images[start : start + batch_size])).to(where)
            parts.append(network.features(batch.permute(0, 3, 1, 2).float() / 255).float().cpu().numpy())
            progress(min(start + batch_size, len(images)), len(images))
    network.train(was_training)
    return np.concatenate(parts)


def called_positive(network: Network, found: Features) -> NDArray[np.bool_]:
    """Whether the network calls each patch tumour, (n,), from its features (n, d)."""
    with torch.inference_mode(), full_precision():
        logits = network.head(torch.from_numpy(found).to(network.mean.device))
    return logits.argmax(1).cpu().numpy() == 1


class Projection:
    """A reducer fitted on features (n, d). ``points`` (n, 2): theirs; ``project``: others' by the same reducer."""

    def __init__(self, fitted: Features, *, method: Method = "umap", seed: int = 0, neighbours: int = 15):
        if len(fitted) < 4:
            raise InvalidInput(f"{len(fitted)} patches are too few for a map; at least 4.")
        self.method, self.seed, self._fitted = method, seed, fitted
        if method == "pca":
            from sklearn.decomposition import PCA

            self._reducer = PCA(n_components=2, random_state=seed)
            self.points = self._reducer.fit_transform(fitted)
        elif method == "umap":
            from umap import UMAP  # takes seconds to import

            nearby = min(neighbours, len(fitted) - 1)
            self._reducer = UMAP(n_neighbors=nearby, random_state=seed, n_jobs=1, init="pca")
            self.points = self._reducer.fit_transform(fitted)
        else:
            raise InvalidInput(f"{method!r} is not one of umap, pca.", field="method")

    @property
    def explained(self) -> tuple[float, float] | None:
        """Share of variance along each axis (PCA only: UMAP's axes have no such meaning)."""
        if self.method != "pca":
            return None
        first, second = self._reducer.explained_variance_ratio_
        return float(first), float(second)

    def project(self, new: Features) -> NDArray[np.floating[Any]]:
        """Points (m, 2) of features (m, d); those of a fitted image are exactly where the fit put it."""
        points = np.array(self._reducer.transform(new), dtype=float)
        for row, vector in enumerate(new):
            distances = np.linalg.norm(self._fitted - vector, axis=1)
            nearest = int(distances.argmin())
            if distances[nearest] <= SAME * max(float(np.linalg.norm(vector)), 1e-12):
                points[row] = self.points[nearest]
        return points


def company(
    moved: Features, originals: Features, true_negative: NDArray[np.bool_], *, k: int = 10, seed: int = 0
) -> dict[str, Any]:
    """Among whom the adversarial negatives come to lie: the paper's claim (Fig. 2a) as a number.

    ``moved`` (m, d): features of positives that are now called negative. For each, the share of true negatives among
    its ``k`` nearest unperturbed patches ``originals`` (n, d), its own original among them; the mean with a 95 %
    bootstrap interval over patches, and ``majority``, how many have a majority of true negatives: those without tumour
    that the network calls so, ``true_negative`` (n,). ``chance`` is their share among the originals. Distances are
    Euclidean in the full feature space, not on the map.
    """
    if not len(moved):
        raise InvalidInput("There is no adversarial negative: no positive patch was flipped.")
    from sklearn.neighbors import NearestNeighbors

    negative = np.asarray(true_negative).astype(bool)
    nearby = min(k, len(originals))
    _, rows = NearestNeighbors(n_neighbors=nearby).fit(originals).kneighbors(moved)
    shares = negative[rows].mean(1)
    draw = np.random.default_rng(seed)
    low, high = np.quantile([draw.choice(shares, len(shares)).mean() for _ in range(10_000)], [0.025, 0.975])
    return {
        "n": len(moved),
        "k": nearby,
        "true_negatives_nearby": float(shares.mean()),
        "low": float(low),
        "high": float(high),
        "majority": float((shares > 0.5).mean()),
        "chance": float(negative.mean()),
        "seed": seed,
    }
