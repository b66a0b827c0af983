"""What the analysis of a study rests on, by name: printed in the frozen protocol before anybody knows an answer."""

from study.statistics.units import FEWEST_GROUPS

UNIT = (
    "The slide or patient of a patch (its group) where it is known, else the patch itself. With fewer than "
    f"{FEWEST_GROUPS} slides or patients there are estimates and intervals, but no verdict."
)
PRIMARY_INTERVAL = (
    "Against the margin: empirical likelihood over the units, with 0.85 of a patch added at each end and, for several "
    "readers, the readers' part of Obuchowski and Rockette; a p-value belongs to it. A difference: one reader by the "
    "exact sign-flip test over the units (over slides by the larger p of it and of a t test), several by "
    "Obuchowski-Rockette with Hillis' degrees of freedom (random readers, or these readers where that p is larger). "
    "Each claim has one rule; no verdict contradicts its p-value."
)
SENSITIVITY_SET = (
    "First exposures only (the first time that a reader met a patch); missing answers by their tipping point; the "
    "difference by which arm came first, with the tests for carry-over and period of Hills and Armitage (1979); "
    "flagged answers left out; generalised estimating equations clustered on readers and units."
)
MULTIPLICITY = (
    "The perturbed arm is primary. All other comparisons (control arms against the original, perturbed against noise) "
    "are one family, corrected by Holm's method."
)
