"""One line for each statistical word that a page shows: at the place where it stands, and together in the glossary."""

GLOSSARY = {
    "AC1": (
        "Gwet's measure of agreement beyond chance, from 0 (chance) to 1 (complete); unlike kappa it stays "
        "steady where nearly all answers are the same."
    ),
    "AUC": (
        "The area under the ROC curve: how often a random patch with tumour gets a higher score than a random "
        "one without; 0.5 is chance, 1 is perfect."
    ),
    "Bang's blinding index": (
        "Of the readers (or answers) of one arm, the share that guessed it rightly less the share that "
        "guessed wrongly: 0 is perfect blinding, 1 is none."
    ),
    "bias (c)": "How readily a reader says ‘tumour’, whatever the image shows: above 0 reluctantly, below 0 readily.",
    "blind-spot index": (
        "The share of looks of one reader at one patch in which the smallest change that fools the model lies below "
        "what that reader can see."
    ),
    "bootstrap": "An interval found by drawing the patches (or slides) again and again with replacement.",
    "Brier score": "The mean squared distance between a predicted probability and what was true: 0 is best.",
    "calibration": "Whether of the patches that get a probability of 0.8 about 8 in 10 show tumour.",
    "Cohen's kappa": (
        "Agreement of two readings beyond what chance alone would give, from 0 (chance) to 1 (complete)."
    ),
    "confidence interval": (
        "The range of true values that fit the data; a 95 % interval misses the true value in 1 of 20 studies."
    ),
    "CR2": "A correction that keeps intervals honest where patches come from few slides.",
    "d′": (
        "How well two kinds of image are told apart, in standard deviations: 0 is not at all, above 3 nearly always."
    ),
    "equivalence": "The claim that a change lies within the margin on both sides.",
    "exact McNemar test": (
        "Compares the patches that were right in one arm only with those right in the other only, by counting."
    ),
    "Fleiss' kappa": "Kappa for more than two readers.",
    "GEE": (
        "Generalised estimating equations: a logistic regression that allows for answers to the same patch being alike."
    ),
    "intraclass correlation": "How alike patches of one slide are: 0 not at all, 1 completely.",
    "jackknife": "A standard error found by leaving out one patch or slide after the other.",
    "Krippendorff's alpha": "Agreement beyond chance that also takes missing answers: 0 is chance, 1 is complete.",
    "margin": "The largest change that would not matter, fixed before the first answer.",
    "mid-p": "An exact p that counts what was observed only half; a little less strict than the exact one.",
    "n_eff": "The number of independent patches that would tell as much as the patches at hand, which share slides.",
    "Newcombe interval": "An interval for a change between paired shares, joined from two Wilson intervals.",
    "non-inferiority": "The claim that readers lose less than the margin; they may also gain.",
    "Obuchowski-Rockette": "A comparison of arms that treats both readers and patches as samples of many (MRMC).",
    "odds ratio": (
        "The odds of a correct answer in the perturbed arm divided by those in the original arm; 1 is no change."
    ),
    "p": "How often data as far from ‘no change’ as these would come up if there were none.",
    "power": "How often a study of this size would find a change that is really there.",
    "ROC curve": "True against false positives of a classifier at every threshold.",
    "sensitivity (TPF)": "True positive fraction: the share of patches with tumour that are called tumour.",
    "specific agreement": (
        "Of two readings, how often the second says ‘tumour’ (or ‘no tumour’) where one of them does."
    ),
    "specificity": "The share of patches without tumour that are called so.",
    "sign-flip test": "Whether the differences of the patches could just as well have had the other sign.",
    "Tango interval": "An interval for a change between paired shares that keeps its level in small tables.",
    "threshold of seeing": (
        "The size of change that a reader sees on every second look with the original beside it, guesses and slips "
        "taken off."
    ),
    "tipping point": "How the missing answers would have to turn out for the result to change.",
    "VIF": (
        "Variance inflation factor (design effect): how many times more patches are needed because patches of "
        "one slide are alike."
    ),
    "Wilson interval": "An interval for one share that stays between 0 and 100 % and holds for few patches.",
    "wash-out": "The pause between two sets, so that images are forgotten.",
}
"""The word as pages write it, and what it means, in one line."""


def explained(*words: str) -> list[tuple[str, str]]:
    """The words with their lines.

    Raises:
        KeyError: a word is not in the glossary.
    """
    return [(word, GLOSSARY[word]) for word in words]
