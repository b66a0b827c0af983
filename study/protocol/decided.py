"""What a researcher leaves to the program, decided once the pool is known, and said in words.

Nothing is decided silently: each decision that is not the plain default comes with a sentence, which the study keeps
and shows on its page, in the command's result and in the API.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from core.errors import InvalidInput
from study.design.sampling import demand_enough, units
from study.design.twin_split import check_sets
from study.models import Study
from study.protocol.case_sources import CaseSource
from study.protocol.chosen import StudySettings
from study.statistics.units import FEWEST_GROUPS

SPLIT, PAPER = Study.ArmOrder.TWIN_SPLIT.value, Study.ArmOrder.PAPER.value
USUAL_GAP = 12


def decided(settings: StudySettings, *, source: CaseSource, pool: pd.DataFrame) -> tuple[StudySettings, list[str]]:
    """The settings without anything left open but the gap, and a sentence for each decision to be known.

    Args:
        pool: the source's candidates.

    Raises:
        InvalidInput: naming the setting that the pool or the number of arms does not allow.
    """
    notes: list[str] = []
    settings = _negatives(settings, pool, notes)
    settings = _stratify(settings, pool)
    settings = _arm_order(settings, source.arm_count + settings.noise, notes)
    if not settings.negatives:
        settings = replace(settings, floor_d_prime=None)
    if settings.catch:
        _demand_catch(settings, source)
    return settings, notes


def catch_positives(settings: StudySettings) -> int:
    """How many of the further catch patches show tumour: the share that the cases have."""
    return round(settings.catch * settings.positives / (settings.positives + (settings.negatives or 0)))


def usual_gap(largest: int | None) -> int:
    """The gap where none is asked for: 12, or the largest feasible one where that is smaller."""
    return USUAL_GAP if largest is None else min(USUAL_GAP, largest)


def arm_order(task: str, asked: str | None, *, arms: int, copies: int) -> str:
    """The order of arms that was asked for, or else that of the number of sets.

    Args:
        arms: of a case, the original and controls among them.

    Raises:
        InvalidInput: twins in different sets were asked for, and the sets are no multiple of the arms.
    """
    if task != Study.Task.LABELLING:
        return PAPER
    if asked == SPLIT:
        check_sets(arms, copies)
    return asked or (PAPER if copies % arms else SPLIT)


def _negatives(settings: StudySettings, pool: pd.DataFrame, notes: list[str]) -> StudySettings:
    truth = pool["truth"].astype(bool)
    held = {"positives": int(truth.sum()), "negatives": int((~truth).sum())}
    demand_enough("positives", held["positives"], settings.positives)
    demand_enough("negatives", held["negatives"], settings.negatives or 0)
    negatives = settings.negatives
    if negatives is None:
        negatives = min(settings.positives, held["negatives"])
        if negatives < settings.positives:
            notes.append(
                f"As many negatives as positives ({settings.positives}) were wanted, but the pool has {negatives}: "
                f"{negatives or 'none'} will be shown. Attack more patches without tumour to have more."
            )
    if not negatives and settings.task == Study.Task.LABELLING:
        notes.append(
            "Positives only: a reader who always answers “tumour” would look the same as one who sees every tumour. "
            "Negatives of the same slides or patients would tell them apart."
        )
    return replace(settings, negatives=negatives)


def _demand_catch(settings: StudySettings, source: CaseSource) -> None:
    """Raises InvalidInput unless there are so many cases, or where twins lie apart so many further patches."""
    cases = {True: settings.positives, False: settings.negatives or 0}
    if settings.arm_order == PAPER:
        if settings.catch > sum(cases.values()):
            raise InvalidInput(f"{settings.catch} is more than the {sum(cases.values())} cases.", field="catch")
        return
    held = Counter(patch.truth for patch in source.outside())
    wanted = {True: catch_positives(settings), False: settings.catch - catch_positives(settings)}
    for truth, word in ((True, "with"), (False, "without")):
        left = held[truth] - cases[truth]
        if wanted[truth] > left:
            raise InvalidInput(
                f"where twins lie in different sets, catch images are patches of their own: {wanted[truth]} {word} "
                f"tumour are needed, but the data set has {left} beside the cases. Ask for fewer.",
                field="catch",
            )


def _stratify(settings: StudySettings, pool: pd.DataFrame) -> StudySettings:
    known = bool((pool["group"].fillna("").astype(str) != "").any())
    if settings.stratify == "group" and not known:
        text = "no patch of the pool has a slide or patient; leave this out, or draw at random."
        raise InvalidInput(text, field="stratify")
    return replace(settings, stratify=settings.stratify or ("group" if known else "random"))


def _arm_order(settings: StudySettings, arms: int, notes: list[str]) -> StudySettings:
    order = arm_order(settings.task, settings.arm_order, arms=arms, copies=settings.copies)
    if order == PAPER and settings.arm_order is None and settings.task == Study.Task.LABELLING:
        notes.append(
            f"Twins lie in the same set (the paper’s order): {_sets(settings.copies)} no multiple of the {arms} arms "
            f"of a patch. With {arms} sets each patch would be met in one arm per set, so that no twin can be "
            "recognised within a set."
        )
    return replace(settings, arm_order=order)


def _sets(number: int) -> str:
    return "1 set is" if number == 1 else f"{number} sets are"


def group_counts(cases: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Per class of cases its number of patches, and of groups among them; ``known``: patches whose group is known."""
    counts = {}
    for name, truth in (("positives", True), ("negatives", False)):
        rows = cases[cases["truth"].astype(bool) == truth]
        if len(rows):
            counts[name] = {
                "patches": len(rows),
                "groups": len(set(units(rows))),
                "known": int((rows["group"].fillna("").astype(str) != "").sum()),
            }
    return counts


def group_notes(counts: dict[str, dict[str, int]]) -> list[str]:
    """A warning for each class of cases that comes from too few groups for a claim."""
    return [
        f"{row['patches']} {name} come from {row['groups']} slide{'s' * (row['groups'] != 1)} or patients only. With "
        f"fewer than {FEWEST_GROUPS} the analysis shows estimates and intervals, but no verdict."
        for name, row in counts.items()
        if row["groups"] < FEWEST_GROUPS and row["known"]
    ]


def in_words(counts: dict[str, dict[str, int]]) -> Sequence[str]:
    """``40 positives from 12 slides or patients``, for each class."""
    return [
        f"{row['patches']} {name}"
        + (f" from {row['groups']} slide{'s' * (row['groups'] != 1)} or patients" if row["known"] else "")
        for name, row in counts.items()
    ]
