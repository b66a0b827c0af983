"""How much the missing answers could matter: by how many of them would the verdict tip?

No answer can be had for what was not read. So missing answers are filled in, more and more of them, against the claim
(perturbed patches wrong, original ones right), and the other way round, until the verdict is another one. Whether so
many could have been like that is then for a person to judge (Yan, Lee & Li 2009, Journal of Biopharmaceutical
Statistics 19:1085).
"""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

Judge = Callable[[pd.DataFrame], str | None]
"""The verdict on a table: whatever the primary analysis says of it."""
LOOKS = 8
"""The path is looked at in so many steps before the place of the first change is searched."""
AGAINST = {"perturbed": 0.0, "original": 1.0}
FOR = {"perturbed": 1.0, "original": 0.0}


@dataclass(frozen=True)
class TippingPath:
    """Missing answers filled in with ``perturbed_right`` and ``original_right``, evenly over readers and patches.

    ``tips_at`` is the smallest number of them that changes the verdict, to ``becomes``; ``perturbed`` and ``original``
    of them are in each arm, ``share`` is the share of all that could be filled in. All None where no number does.
    """

    perturbed_right: bool | None
    original_right: bool | None
    missing: int
    tips_at: int | None
    perturbed: int | None
    original: int | None
    share: float | None
    becomes: str | None


@dataclass(frozen=True)
class Tipping:
    """``missing`` presentations by arm, of ``of``; the ``verdict`` as it stands, and the paths along which it tips.

    ``against``: perturbed wrong and original right, the worst case for a claim that nothing was lost. ``towards``: the
    other way round. ``perturbed_wrong`` and ``original_right``: the parts of ``against`` in one arm alone, the other
    arm's missing answers left out as they are.
    """

    missing: int
    missing_perturbed: int
    missing_original: int
    of: int
    verdict: str | None
    against: TippingPath
    towards: TippingPath
    perturbed_wrong: TippingPath
    original_right: TippingPath
    statement: str


def tipping(rows: pd.DataFrame, judge: Judge) -> Tipping | None:
    """Analyse ``rows``: one truth of a checked tidy table in the arms ``original`` and ``perturbed``.

    ``judge`` gets the same rows with more and more of the missing ``correct`` (and ``label``) filled in; none filled
    in is the verdict as it stands. None where nothing is missing.
    """
    rows = rows[rows["arm"].isin(["original", "perturbed"])]
    missing = rows.index[rows["correct"].isna()]
    if len(missing) == 0:
        return None
    verdict = judge(rows)
    sequence = _sequence(rows.loc[missing])
    arm = rows.loc[sequence, "arm"]

    def along(filling: dict[str, float]) -> TippingPath:
        return _path(rows, judge, verdict, sequence[arm.isin(list(filling)).to_numpy()], filling)

    against = along(AGAINST)
    result = Tipping(
        missing=len(missing),
        missing_perturbed=int((arm == "perturbed").sum()),
        missing_original=int((arm == "original").sum()),
        of=len(rows),
        verdict=verdict,
        against=against,
        towards=along(FOR),
        perturbed_wrong=along({"perturbed": 0.0}),
        original_right=along({"original": 1.0}),
        statement="",
    )
    return Tipping(**(vars(result) | {"statement": _said(result)}))


def _sequence(missing: pd.DataFrame) -> pd.Index:
    """The missing rows in the order of filling in: the arms in step, and within each the readers in turn."""
    order = missing.sort_values(["arm", "patch_id", "set", "reader_id"], kind="stable")
    turn = order.groupby(["arm", "reader_id"]).cumcount()
    order = order.assign(turn=turn).sort_values(["arm", "turn", "reader_id"], kind="stable")
    rank = order.groupby("arm").cumcount() + 0.5
    step = rank / order.groupby("arm")["arm"].transform("size")
    return order.assign(step=step).sort_values(["step", "arm"], kind="stable").index


def _path(
    rows: pd.DataFrame, judge: Judge, verdict: str | None, sequence: pd.Index, filling: dict[str, float]
) -> TippingPath:
    """Find the first number of filled rows at which the verdict is another one.

    The verdict is looked at ``LOOKS`` times along the path, and between the last look without and the first with a
    change by halving: exact where the verdict, once changed, stays so up to that look.
    """
    filled_with = rows.loc[sequence, "arm"].map(filling)
    known: dict[int, str | None] = {0: verdict}

    def at(number: int) -> str | None:
        if number not in known:
            filled = rows.copy()
            some = sequence[:number]
            filled.loc[some, "correct"] = filled_with[some]
            if "label" in filled:
                truth, right = filled.loc[some, "truth"], filled_with[some]
                filled.loc[some, "label"] = truth.where(right == 1, 1 - truth)
            known[number] = judge(filled)
        return known[number]

    total = len(sequence)
    low, high = 0, None
    for look in sorted({-(-total * step // LOOKS) for step in range(1, LOOKS + 1)}) if total else []:
        if at(look) != verdict:
            high = look
            break
        low = look
    p, o = (None if arm not in filling else bool(filling[arm]) for arm in ("perturbed", "original"))
    if high is None:
        return TippingPath(p, o, total, None, None, None, None, None)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if at(middle) != verdict else (middle, high)
    arms = rows.loc[sequence[:high], "arm"]
    counts = int((arms == "perturbed").sum()), int((arms == "original").sum())
    return TippingPath(p, o, total, high, *counts, high / total, at(high))


def _said(found: Tipping) -> str:
    text = (
        f"{found.missing} of {found.of} presentations have no answer ({found.missing_perturbed} perturbed, "
        f"{found.missing_original} original). "
    )
    against, towards = found.against, found.towards
    worst = "every missing perturbed answer were wrong and every missing original one right"
    best = "were they all the other way round"
    as_it_is = f"The verdict ({_word(found.verdict)})"
    if against.tips_at is None and towards.tips_at is None:
        return f"{text}{as_it_is} would stay if {worst}, and {best}."
    if against.tips_at is None:
        text += f"{as_it_is} would stay if {worst}"
    else:
        text += f"{as_it_is} would become {_word(against.becomes)} if {_counted(against)}"
    if towards.tips_at is None:
        return f"{text}; it would stay {best}."
    return f"{text}; it would become {_word(towards.becomes)} if {_counted(towards)}."


def _counted(path: TippingPath) -> str:
    parts = (("perturbed", path.perturbed, path.perturbed_right), ("original", path.original, path.original_right))
    named = [f"{number} {arm} were {'right' if right else 'wrong'}" for arm, number, right in parts if number]
    return f"{' and '.join(named)} ({100 * (path.share or 0):.0f} % of the missing)"


def _word(verdict: str | None) -> str:
    return "none" if verdict is None else verdict.replace("_", "-")
