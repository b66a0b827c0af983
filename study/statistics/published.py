"""What Foote et al. 2021 (`Now You See It, Now You Don't`) published, shown beside our own and marked as published."""

SOURCE = "Foote et al. 2021"
TABLE_1A = {"accuracy": {"mean": 0.89, "sd": 0.014}, "auc": {"mean": 0.96, "sd": 0.004}, "runs": 5, "folds": 3}
TABLE_1B = [
    {"reader": "pathologist", "set": 1, "original": {"tp": 17, "n": 20}, "perturbed": {"tp": 18, "n": 20}},
    {"reader": "pathologist", "set": 2, "original": {"tp": 18, "n": 20}, "perturbed": {"tp": 18, "n": 20}},
]
"""True positives of one pathologist on 20 patches, read twice. Only these margins were published, no 2x2 tables."""
