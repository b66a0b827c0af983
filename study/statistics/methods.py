"""What the analysis of a study rests on, by name: printed in the frozen protocol before anybody knows an answer."""

UNIT = (
    "The slide or patient of a patch (its group) where it is known, else the patch itself. With fewer than ten such "
    "units no claim is made beyond them."
)
PRIMARY_INTERVAL = (
    "A cluster-robust interval for TPF(perturbed) - TPF(original), with groups (or patches without one) as clusters, "
    "as docs/statistics.md describes it for one reader and for several. One rule decides verdict and p-value."
)
SENSITIVITY_SET = (
    "First exposures only (the first time that a reader met a patch); missing answers by their tipping point; the "
    "difference by which arm came first, with tests for carry-over and period."
)
MULTIPLICITY = "The perturbed arm is primary. Control arms are tested beside it with Holm's correction over them."
