"""The forms of the planning page for the tasks that ask what readers see, and the assumptions that they stand for."""

from django import forms

from study.conduct.planning_form import TaskForm, number
from study.design.sight_planning import ADAPTIVE, FIXED, BiasAssumptions, LadderAssumptions

DESIGNS = [(ADAPTIVE, "adaptive: each next level by a rule"), (FIXED, "fixed: every level equally often")]
LADDER = LadderAssumptions()
BIAS = BiasAssumptions()


class LadderForm(TaskForm):
    """Pairs from a ladder of levels: where do readers begin to see the change?"""

    task, assumed, shares = "ladder", LadderAssumptions, ("lapse",)
    folded = ("times", "spread_readers", "spread_patches", "spread_flips", "lapse")
    folded_help = (
        "Spreads are standard deviations of the logarithm: 0.3 says that two readers in three lie within a factor of "
        "1.35. They are guesses until a study has measured them, so try small and large ones."
    )

    readers = number("Readers", 2, 20, 1, LADDER.readers)
    patches = number("Patches", 10, 100, 1, LADDER.patches)
    design = forms.ChoiceField(label="Levels are shown", choices=DESIGNS, initial=LADDER.design)
    trials = number("Adaptive: pairs per reader", 30, 300, 10, LADDER.trials, "Of one ladder, without identical pairs.")
    levels = number("Levels of the ladder", 3, 16, 1, LADDER.levels)
    sets = number("Fixed: readings of every level (sets)", 1, 4, 1, LADDER.sets)
    times = number(
        "Threshold / smallest flip", 0.5, 8, 0.1, LADDER.times, "How much larger a change must be to be seen."
    )
    spread_readers = number("Spread of readers’ thresholds", 0, 1, 0.05, LADDER.spread_readers)
    spread_patches = number("Spread of thresholds between patches", 0, 1, 0.05, LADDER.spread_patches)
    spread_flips = number("Spread of smallest flips", 0.1, 1, 0.05, LADDER.spread_flips)
    lapse = number("Slips (%)", 0, 20, 1, round(100 * LADDER.lapse), "Wrong answers although the change is plain.")


class BiasForm(TaskForm):
    """Two twins, one pushed toward tumour and one away: which looks more like tumour?"""

    task, assumed, shares = "bias", BiasAssumptions, ("share",)
    folded = ("preference_sd",)
    folded_help = (
        "Readers like one image of a pair for reasons of their own and keep to it: the standard deviation of that "
        "preference on the logit scale, half of its variance shared by all readers. With 1.5 they are decided on most "
        "pairs."
    )

    pairs = number("Pairs", 10, 1000, 5, BIAS.pairs)
    readers = number("Readers", 1, 20, 1, BIAS.readers)
    sets = number("Readings of every pair (sets)", 1, 4, 1, BIAS.sets)
    share = number(
        "Bias to be found (%)", 51, 90, 1, round(100 * BIAS.share), "How often the twin toward tumour is chosen."
    )
    preference_sd = number("Readers’ own preferences", 0, 3, 0.1, BIAS.preference_sd)
