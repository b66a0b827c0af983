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


TPF = "TPF(perturbed) - TPF(original), averaged over sets and readers, on positive cases"
_CHOSEN = "Proportion of pairs in which the {which} was named, over pairs and readers; guessing gives 1/2."
_CHOICES = (
    "Each reader: sign-flip test over pairs, Clopper-Pearson at the effective number of comparisons. Over readers: "
    "readers and units are random."
)
_LADDER = (
    "Blind-spot index: the share of reader-patch combinations whose threshold lies above the smallest change that "
    "flips the model."
)
_THRESHOLDS = (
    "Psychometric functions with threshold, slope and lapses of each reader and with patches as random effects, by "
    "penalised marginal likelihood; intervals take readers and patches as random."
)
_ONE = "There is one primary figure per change; nothing is corrected."


def planned(task: str, *, ladder: bool = False) -> dict[str, str]:
    """What a study of this task (``labelling``, ``pair``, ``bias``) is for and how it will be analysed, by the names of
    the frozen protocol."""
    if task == "labelling":
        estimand, interval, multiplicity = TPF, PRIMARY_INTERVAL, MULTIPLICITY
        sensitivity = SENSITIVITY_SET
    else:
        which = "altered image" if task == "pair" else "image pushed toward tumour"
        estimand, interval = (_LADDER, _THRESHOLDS) if ladder else (_CHOSEN.format(which=which), _CHOICES)
        sensitivity, multiplicity = "None is planned.", _ONE
    return {
        "primary_estimand": estimand,
        "primary_interval": interval,
        "unit_of_inference": UNIT,
        "sensitivity_set": sensitivity,
        "multiplicity": multiplicity,
    }
