"""What Foote et al. 2021 (`Now You See It, Now You Don't`) published: the one place for its numbers.

They are shown beside our own and marked as published; no computation here depends on them.
"""

from typing import Any

SOURCE = "Foote et al. 2021"

PATCHES = {"positives": 1157, "negatives": 878}
"""PanNuke's breast patches of the two classes (section 2.1)."""

TABLE_1A: dict[str, Any] = {
    "accuracy": {"mean": 0.89, "sd": 0.014},
    "auc": {"mean": 0.96, "sd": 0.004},
    "runs": 5,
    "folds": 3,
}
"""ResNet-18 on PanNuke breast, mean and SD over the folds of all runs."""

TABLE_1B: list[dict[str, Any]] = [
    {"reader": "pathologist", "set": 1, "original": {"tp": 17, "n": 20}, "perturbed": {"tp": 18, "n": 20}},
    {"reader": "pathologist", "set": 2, "original": {"tp": 18, "n": 20}, "perturbed": {"tp": 18, "n": 20}},
]
"""True positives of one pathologist on 20 patches, read twice. Only these margins were published, no 2x2 tables."""

UNIVERSAL = {"training": (619, 702), "unseen": (319, 376)}
"""Section 3.3: flipped of correctly classified positives (88.2 % and 84.8 %), budget and step unstated."""
