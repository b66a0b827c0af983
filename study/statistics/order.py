"""Order and learning: what changes when a reader meets a patch again, and along a set and from set to set.

A reader who recognises a patch may repeat the earlier answer; then the second meeting shows nothing new and every
difference shrinks. :func:`order_effects` therefore estimates the change from first meetings alone, tests for carry-over
and period (Hills & Armitage 1979, British Journal of Clinical Pharmacology 8:7), and follows the fraction correct over
the positions. Both schedules are served: all arms of a patch in every set, or one arm per set and the other in
the next.

The two tests only describe. Nothing here chooses between the estimates by a test: such a choice would not keep its
rates (Freeman 1989, Statistics in Medicine 8:1421).
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from study.statistics.effects import Effect
from study.statistics.readings import crossover
from study.statistics.units import FEWEST_GROUPS, grouped, unit_of

ARMS = ("original", "perturbed")
PER_IMAGES = 100
NO_POSITIONS = "which arm of a patch came first in a set is not known: the table has no positions there"


@dataclass(frozen=True)
class Course:
    """How the fraction correct changes along the reading, by arm, and how its difference between the arms changes."""

    original: Effect
    perturbed: Effect
    difference: Effect


@dataclass(frozen=True)
class OrderEffects:
    """Changes are fractions, perturbed less original, and means over readers.

    ``first_exposure``      from each reader's first meeting with a patch, in whichever arm
    ``all_answers``         from every answer
    ``first_less_all``      the difference of these two; ``disagree`` where its interval excludes zero
    ``original_first``, ``perturbed_first``
                            from the first meeting with each arm, by which arm came first
    ``carry_over``          correct answers to both arms of a patch together, perturbed first less original first;
                            not zero when the first meeting works on into the second, unlike for the two arms
    ``period``              what a second meeting gains on a first one, whatever the arm
    ``within_set``          change of the fraction correct per 100 images of a set
    ``between_sets``        change from one set to the next
    """

    design: str
    unit: str
    first_exposure: Effect
    all_answers: Effect
    first_less_all: Effect
    disagree: bool
    original_first: Effect
    perturbed_first: Effect
    carry_over: Effect
    period: Effect
    within_set: Course
    between_sets: Course
    statement: str
    warnings: tuple[str, ...] = ()


def order_effects(rows: pd.DataFrame, perturbed_arm: str = "perturbed") -> OrderEffects:
    """Analyse ``rows``: one truth of a checked tidy table, ``original`` against ``perturbed_arm``.

    Further arms are not compared, but belong in ``rows``: a patch that was first met in a further arm has no first
    exposure here.
    """
    met = rows.reset_index(drop=True)
    compared = met["arm"].isin([ARMS[0], perturbed_arm]).to_numpy()
    first_of_all, first_known = _first_meetings(met)
    rows, first = met[compared].reset_index(drop=True), first_of_all[compared]
    rows = rows.assign(arm=np.where(rows["arm"] == ARMS[0], *ARMS))
    if rows["correct"].notna().sum() == 0:
        return _nothing("no answers in the two arms")
    codes = _Codes(rows)
    answered = rows["correct"].notna().to_numpy()
    order = _orders(rows)

    # Cells: first meetings original, perturbed; all answers original, perturbed.
    exposure = codes.cells([answered & first & codes.is_arm(0), answered & first & codes.is_arm(1),
                            answered & codes.is_arm(0), answered & codes.is_arm(1)])  # fmt: skip
    # Cells: original first, read as original, as perturbed; perturbed first, the same.
    pair = _whole_pairs(rows, order, answered)
    crossed = codes.cells([pair & (order == o) & codes.is_arm(a) for o in (0, 1) for a in (0, 1)])
    no_first = "" if first_known else NO_POSITIONS
    no_order = "" if (order >= 0).any() else NO_POSITIONS
    first_exposure = exposure.contrast((-1, 1, 0, 0), "no first meetings in both arms", no_first)
    everything = exposure.contrast((0, 0, -1, 1), "no answers in both arms")
    apart = exposure.contrast((-1, 1, 1, -1), "no first meetings in both arms", no_first, padded=False)
    one_order = "no patch was met in both arms, original first and perturbed first"
    result = OrderEffects(
        design="crossover" if crossover(rows) else "both arms of a patch in one set",
        unit="group" if grouped(rows) else "patch",
        first_exposure=first_exposure,
        all_answers=everything,
        first_less_all=replace(apart, answers=everything.answers),
        disagree=apart.found,
        original_first=crossed.contrast((-1, 1, 0, 0), "no patch was met in both arms, original first", no_order),
        perturbed_first=crossed.contrast((0, 0, -1, 1), "no patch was met in both arms, perturbed first", no_order),
        carry_over=crossed.contrast((-1, -1, 1, 1), one_order, no_order, padded=False),
        period=crossed.contrast((-0.5, 0.5, 0.5, -0.5), one_order, no_order, padded=False),
        within_set=_within_set(codes, answered),
        between_sets=_between_sets(codes, answered),
        statement="",
    )
    return _said(result)


def _nothing(reason: str) -> OrderEffects:
    none = Effect.none(reason)
    course = Course(none, none, none)
    return OrderEffects(
        "", "", none, none, none, False, none, none, none, none, course, course, f"Order effects: {reason}."
    )


def _moment(rows: pd.DataFrame) -> pd.DataFrame:
    position = rows["position"] if "position" in rows else pd.Series(np.nan, index=rows.index)
    return rows[["reader_id", "patch_id", "set", "arm"]].assign(position=position.astype(float))


def _first_meetings(rows: pd.DataFrame) -> tuple[np.ndarray, bool]:
    """Which of ``rows`` are a reader's first meeting with the patch, and whether that is known of any patch."""
    moments = _moment(rows)
    key = ["reader_id", "patch_id"]
    earliest = moments[moments["set"] == moments.groupby(key)["set"].transform("min")]
    position = earliest.groupby([earliest[name] for name in key])["position"]
    known = (position.transform("size") == 1) | (position.transform("count") == position.transform("size"))
    firsts = earliest[known].sort_values("position", kind="stable").drop_duplicates(key).index
    return moments.index.isin(firsts), len(firsts) > 0


def _earliest_in_arm(rows: pd.DataFrame) -> pd.DataFrame:
    """Each reader's first reading of a patch in an arm, with its place in ``rows``."""
    moments = _moment(rows).reset_index(names="row")
    return moments.sort_values("set", kind="stable").drop_duplicates(["reader_id", "patch_id", "arm"])


def _orders(rows: pd.DataFrame) -> np.ndarray:
    """Per row, of its reader and patch: 0 when the original came first, 1 for perturbed, -1 where that is not known."""
    wide = _earliest_in_arm(rows).pivot(index=["reader_id", "patch_id"], columns="arm", values=["set", "position"])
    wide = wide.reindex(columns=pd.MultiIndex.from_product([["set", "position"], ARMS])).astype(float)
    gap = [(wide[name, ARMS[1]] - wide[name, ARMS[0]]).to_numpy() for name in ("set", "position")]
    later = np.where(gap[0] != 0, gap[0], gap[1])  # NaN where an arm, or both positions in one set, are unknown
    order = pd.Series(np.select([later > 0, later < 0], [0, 1], -1), index=wide.index)
    return order.reindex(pd.MultiIndex.from_frame(rows[["reader_id", "patch_id"]])).fillna(-1).to_numpy(int)


def _whole_pairs(rows: pd.DataFrame, order: np.ndarray, answered: np.ndarray) -> np.ndarray:
    """Which rows are the first reading of a patch in their arm, both arms being answered and their order known."""
    earliest = np.zeros(len(rows), bool)
    earliest[_earliest_in_arm(rows)["row"].to_numpy()] = True
    kept = earliest & answered & (order >= 0)
    both = rows[kept].groupby(["reader_id", "patch_id"]).size() == 2
    return kept & pd.MultiIndex.from_frame(rows[["reader_id", "patch_id"]]).isin(both.index[both])


class _Codes:
    """Rows by number of unit, reader, set and arm."""

    def __init__(self, rows: pd.DataFrame) -> None:
        self.unit, units = pd.factorize(unit_of(rows), sort=True)
        self.reader, readers = pd.factorize(rows["reader_id"], sort=True)
        self.set = rows["set"].to_numpy(int)
        self.arm = (rows["arm"] == ARMS[1]).to_numpy(int)
        self.position = _moment(rows)["position"].to_numpy()
        self.correct = rows["correct"].to_numpy(float)
        self.units, self.readers = len(units), len(readers)

    def is_arm(self, number: int) -> np.ndarray:
        return self.arm == number

    def sums(self, kept: np.ndarray, values: np.ndarray) -> np.ndarray:
        """(units, readers) of the sum of ``values`` over the rows ``kept``."""
        cell = self.unit[kept] * self.readers + self.reader[kept]
        return np.bincount(cell, values[kept], self.units * self.readers).reshape(self.units, self.readers)

    def cells(self, kept: list[np.ndarray]) -> "Cells":
        ones = np.ones(len(self.correct))
        return Cells(
            np.stack([self.sums(rows, ones) for rows in kept], axis=-1),
            np.stack([self.sums(rows, self.correct) for rows in kept], axis=-1),
        )


@dataclass(frozen=True)
class Cells:
    """Answers ``n`` and correct ones ``right``, (units, readers, cells); leading axes may hold many studies."""

    n: np.ndarray
    right: np.ndarray

    def padded(self, used: np.ndarray) -> "Cells":
        """With four units more, which every reader read: half an answer right and half wrong, in each arm.

        Without them an interval at 100 % correct would have no width, and a lucky sample too little (Agresti & Caffo
        2000; Bonett & Price 2012 for pairs). ``used`` are the two cells.
        """
        shape = (*self.n.shape[:-3], 4, *self.n.shape[-2:])
        n, right = np.zeros(shape), np.zeros(shape)
        for number, cell in enumerate(np.repeat(np.flatnonzero(used), 2)):
            n[..., number, :, cell], right[..., number, :, cell] = 0.5, 0.5 * (number % 2)
        return Cells(np.concatenate([self.n, n], axis=-3), np.concatenate([self.right, right], axis=-3))

    def means(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Each reader's weighted sum of cell means (..., r), and the same with each unit left out (..., g, r)."""
        used = weights != 0
        n, right, w = self.n[..., used], self.right[..., used], weights[used]
        with np.errstate(divide="ignore", invalid="ignore"):
            whole = (right.sum(axis=-3) / n.sum(axis=-3)) @ w
            others = right.sum(axis=-3, keepdims=True) - right, n.sum(axis=-3, keepdims=True) - n
            left = (others[0] / others[1]) @ w
        return whole, left

    def contrast(self, weights: tuple[float, ...], nothing: str, reason: str = "", *, padded: bool = True) -> Effect:
        """The weighted sum of cell means, over the readers who have two units in each cell that it uses."""
        w = np.array(weights, float)
        used = w != 0
        has = ((self.n > 0).sum(axis=0) >= 2)[:, used].all(axis=1)
        if reason or not has.any():
            return Effect.none(reason or f"{nothing}, from two units at least of one reader")
        own = Cells(self.n[:, has], self.right[:, has])
        estimates, left = own.means(w)
        rows = own.n[..., used].sum(axis=(1, 2))
        rows, answers = rows[rows > 0], int(rows.sum())
        if not padded:
            return Effect.of(estimates, left, units=len(rows), answers=answers, fewest=FEWEST_GROUPS)
        middle, left = own.padded(used).means(w)
        centre = float(middle.mean())
        return Effect.change(estimates, left, rows, answers=answers, fewest=FEWEST_GROUPS, centre=centre)


def _within_set(codes: _Codes, answered: np.ndarray) -> Course:
    known = answered & np.isfinite(codes.position)
    if not known.any():
        return _no_course("the table has no positions")
    return _course(codes, known, codes.position / PER_IMAGES, codes.set)


def _between_sets(codes: _Codes, answered: np.ndarray) -> Course:
    if len(np.unique(codes.set[answered])) < 2:
        return _no_course("one set only")
    return _course(codes, answered, codes.set.astype(float), np.zeros_like(codes.set))


def _no_course(reason: str) -> Course:
    none = Effect.none(reason)
    return Course(none, none, none)


def _course(codes: _Codes, kept: np.ndarray, x: np.ndarray, stratum: np.ndarray) -> Course:
    """Least-squares slopes of correct on ``x`` within each reader, stratum and arm, by arm and as their difference."""
    x = np.where(kept, x, 0.0)
    y = np.where(kept, codes.correct, 0.0)
    powers = (np.ones_like(x), x, y, x * y, x * x)
    parts = [kept & (stratum == number) & codes.is_arm(arm) for number in np.unique(stratum[kept]) for arm in (0, 1)]
    sums = np.stack([np.stack([codes.sums(part, power) for power in powers], axis=-1) for part in parts], axis=2)
    sums = sums.reshape(codes.units, codes.readers, -1, 2, 5)  # units, readers, strata, arms, powers
    total = sums.sum(axis=0)
    whole, left = slopes(total), slopes(total - sums)  # (r, 2), (g, r, 2)
    answers = total[..., 0].sum(axis=(0, 1))  # (2,)

    def effect(weights: tuple[float, float]) -> Effect:
        w = np.array(weights)
        used = w != 0
        has = np.isfinite(whole[:, used]).all(axis=1) & np.isfinite(left[..., used]).all(axis=(0, 2))
        if not has.any():
            return Effect.none("too few answers for a slope", int(answers[used].sum()))
        units = int((sums[:, has][..., used, 0].sum(axis=(1, 2, 3)) > 0).sum())
        return Effect.of(
            whole[has][:, used] @ w[used],
            left[:, has][..., used] @ w[used],
            units=units,
            answers=int(sums[:, has][..., used, 0].sum()),
            fewest=FEWEST_GROUPS,
        )

    return Course(effect((1, 0)), effect((0, 1)), effect((-1, 1)))


def slopes(sums: np.ndarray) -> np.ndarray:
    """From sums (..., strata, arms, 5) of 1, x, y, xy, x^2: slopes (..., arms), centred within the strata.

    NaN where x does not vary.
    """
    n, sx, sy, sxy, sxx = np.moveaxis(sums, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        over_xy = np.where(n > 0, sxy - sx * sy / n, 0.0).sum(axis=-2)
        over_xx = np.where(n > 0, sxx - sx * sx / n, 0.0).sum(axis=-2)
        return np.where(over_xx > 1e-12, over_xy / over_xx, np.nan)


def _said(result: OrderEffects) -> OrderEffects:
    """With its statement and warnings in words."""
    first, everything, apart = result.first_exposure, result.all_answers, result.first_less_all
    if first.estimate is None:
        return replace(result, statement=f"No estimate from first meetings: {first.reason}.")
    said = f"From first meetings alone the change is {_points(first)}; from all answers {_points(everything)}."
    warnings = []
    if result.disagree:
        warnings.append(
            f"First meetings and all answers disagree: {said[0].lower()}{said[1:-1]}; they differ by {_points(apart)}. "
            "Readers may have recognised patches and repeated their answers, or learnt; go by the first meetings."
        )
    if result.carry_over.found:
        warnings.append(
            "Carry-over: it matters to both answers together which arm of a patch came first "
            f"({_points(result.carry_over)}, p {result.carry_over.p:.2g}; Hills & Armitage 1979)."
        )
    return replace(result, statement=said, warnings=tuple(warnings))


def _points(effect: Effect) -> str:
    if effect.estimate is None:
        return f"not known ({effect.reason})"
    text = f"{100 * effect.estimate:+.1f} points"
    if effect.ci95 is not None:
        text += " (95 % interval {:+.1f} to {:+.1f})".format(*(100 * end for end in effect.ci95))
    return text.replace("-", "−")
