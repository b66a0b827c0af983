"""The blind spot as pages, reports and files tell it: words, table rows and the figure of the two curves."""

from typing import Any

import numpy as np
from matplotlib.ticker import LogLocator

from core import plot_style as style
from core.measures import UNITS, named
from core.proportions import wilson
from study.results.exports.tables import percent, percents, present
from study.statistics.visibility.ladders import MEASURES

COLUMNS = ("ladder", "norm", "attack", "classifier_id", "readers", "patches", "answers", "flips_found", "threshold",
           "threshold_low", "threshold_high", "blind_spot_index", "index_low", "index_high", "index_these_low",
           "index_these_high", "safety_factor", "factor_low", "factor_high", "median_flip", "patch_sd",
           "reasons")  # fmt: skip
_IN_WORDS = ("index", "index_ci95", "factor")
"""What is lacking is told by the statement, with its reason."""
TOO_WIDE = 0.8
"""An interval of the index that is wider than this says nothing."""
READER_COLUMNS = ("ladder", "norm", "classifier_id", "reader_id", "answers", "threshold", "threshold_low",
                  "threshold_high", "slope", "lapse", "blind_spot_index")  # fmt: skip


def rows(analysis: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per ladder and model, as ``blind_spot.csv`` holds it."""
    return [
        {
            "ladder": one["ladder"], "norm": one["norm"], "attack": one["attack"], "classifier_id": one["classifier"],
            "readers": one["readers"], "patches": one["patches"], "answers": one["answers"],
            "flips_found": one["flips"], "threshold": one["threshold"], **_ends("threshold", one["threshold_ci95"]),
            "blind_spot_index": one["index"], **_ends("index", one["index_ci95"]),
            **_ends("index_these", one["index_these_ci95"]), "safety_factor": one["factor"],
            **_ends("factor", one["factor_ci95"]), "median_flip": _median_flip(one), "patch_sd": one["patch_sd"],
            "reasons": "; ".join(f"{name}: {why}" for name, why in one["reasons"].items()),
        }
        for one in analysis["visibility"]
    ]  # fmt: skip


def reader_rows(analysis: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per reader, ladder and model, as ``thresholds.csv`` holds it."""
    return [
        {
            "ladder": one["ladder"], "norm": one["norm"], "classifier_id": one["classifier"],
            "reader_id": row["reader"], "answers": row["answers"], "threshold": row["threshold"],
            **_ends("threshold", row["ci95"]), "slope": row["slope"], "lapse": row["lapse"],
            "blind_spot_index": row["index"],
        }
        for one in analysis["visibility"]
        for row in one["per_reader"]
    ]  # fmt: skip


def _ends(name: str, ci: list[float] | None) -> dict[str, float | None]:
    low, high = ci or (None, None)
    return {f"{name}_low": low, f"{name}_high": high}


def _median_flip(one: dict[str, Any]) -> float | None:
    """None where the flip of half of the patches was not found."""
    missing = one["patches"] - one["flips"]
    flips = (one["curves"] or {}).get("flips", [])
    middle = float(np.median([*flips, *[np.inf] * missing])) if flips else np.inf
    return middle if np.isfinite(middle) else None


def page_rows(analysis: dict[str, Any]) -> list[dict[str, Any]]:
    """What the results page shows of each ladder."""
    return [
        {
            **one,
            "title": title(one),
            "unit": f"{named(one['norm'])}, {UNITS.get(one['norm'], '0-255 units')}",
            "median_flip": _median_flip(one),
            "statement": statement(one),
            "measures": [{**row, "name": named(row["measure"])} for row in one["measures"]],
            "why": sorted(set(one["reasons"].values()) - {one["reasons"].get(name) for name in _IN_WORDS}),
        }
        for one in analysis["visibility"]
    ]


def predictor_rows(analysis: dict[str, Any]) -> list[dict[str, Any]]:
    """The measures of a change in words, the best first."""
    return [{**row, "name": named(row["measure"])} for row in analysis["predictors"]]


def unranked(analysis: dict[str, Any]) -> list[str]:
    """The measures that nobody took of the shown changes, where others are ranked."""
    ranked = {row["measure"] for row in analysis["predictors"]}
    return [named(name) for name in MEASURES if name not in ranked] if ranked else []


def title(one: dict[str, Any]) -> str:
    """The ladder in words."""
    kind, _, which = one["ladder"].partition("-")
    words = {"perturbed": "The attack", "noise": "Noise of equal energy", "natural": "A natural change"}
    said = words.get(kind, one["ladder"])
    return f"{said} ({which or one['attack']})" if which or (one["attack"] and kind == "perturbed") else said


def statement(one: dict[str, Any]) -> str:
    """The blind spot in plain words; the reason where there is no number."""
    if one["index"] is None:
        return f"No blind-spot index: {one['reasons'].get('index', 'not known')}."
    said = (
        f"In {percent(one['index'])} of all looks of one reader at one patch{_within(percents, one['index_ci95'])} the "
        "smallest change that fools the model lies below what that reader can see."
    )
    ends = one["index_ci95"]
    if ends and ends[1] - ends[0] > TOO_WIDE:
        said += " So few readers or answers say nothing of other readers; the table also tells of these readers alone."
    if not present(ends) and (why := one["reasons"].get("index_ci95")):
        said += f" There is no interval, so this says nothing of other readers, patches or slides: {why}."
    if one["factor"] is None:
        return f"{said} No safety factor: {one['reasons'].get('factor', 'not known')}."
    return (
        f"{said} To be seen, a change must be {one['factor']:.2g} times as large as the one that fools the model"
        f"{_within(_plain, one['factor_ci95'])}."
    )


def _within(words: Any, ci: list[float] | None) -> str:
    return f" (95 % interval {words(ci)})" if present(ci) else ""


def _plain(ci: list[float]) -> str:
    return f"{ci[0]:.2g} to {ci[1]:.2g}"


def figure(analysis: dict[str, Any], kind: str = "svg") -> bytes | None:
    """Per ladder the model's success curve and the readers' curves on one axis, with both histograms above.

    None where no curve could be fitted.
    """
    fitted = [one for one in page_rows(analysis) if one["curves"]]
    if not fitted:
        return None
    with style.look():
        drawn = style.new(style.DOUBLE, 4.6 * len(fitted))
        for part, one in zip(drawn.subfigures(len(fitted), 1, squeeze=False)[:, 0], fitted):
            _draw(part, one)
    return style.render(drawn, kind)


def _draw(part: Any, one: dict[str, Any]) -> None:
    curves = one["curves"]
    levels, flips = np.array(curves["level"]), np.array(curves["flips"])
    hist, axes = part.subplots(2, 1, sharex=True, height_ratios=[1, 3.2])
    bins = np.geomspace(levels[0], levels[-1], 25)
    hist.hist(np.clip(curves["thresholds"], *levels[[0, -1]]), bins, color=style.BLUE, alpha=0.55, density=False,
              weights=np.full(len(curves["thresholds"]), 1 / len(curves["thresholds"])))  # fmt: skip
    if len(flips):
        hist.hist(flips, bins, weights=np.full(len(flips), 1 / one["patches"]), color=style.VERMILION, alpha=0.55)
    hist.set_yticks([])
    hist.spines["left"].set_visible(False)
    hist.set_title(one["title"])
    hist.set_ylabel("How\noften", rotation=0, ha="right", va="center", fontsize=style.SMALL)
    for curve in curves["readers"].values():
        axes.plot(levels, _above_guessing(curve), color=style.BLUE, lw=0.8, alpha=0.7)
    band = np.array([[np.nan if end is None else end for end in ends] for ends in curves["band"]], float)
    axes.fill_between(curves["band_level"], *_above_guessing(band.T), color=style.SKY, alpha=0.3, lw=0)
    axes.plot(
        levels, _above_guessing(curves["mean"]), color=style.BLUE, lw=2.6, label="Readers see the change (thin: each)"
    )
    share = np.array([(flips <= level).sum() for level in levels]) / one["patches"]
    if len(flips):
        low, high = np.array([wilson(value * one["patches"], one["patches"]) for value in share]).T
        axes.fill_between(levels, low, high, color=style.ORANGE, alpha=0.2, lw=0, step="post")
    axes.plot(levels, share, color=style.VERMILION, lw=2.2, drawstyle="steps-post", label="The model is fooled by it")
    if one["threshold"]:
        axes.axvline(one["threshold"], color=style.BLUE, lw=1, ls=":")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")  # no formulas
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_formatter("")
    axes.set(xlim=levels[[0, -1]], ylim=(-0.02, 1.02), xlabel=f"Size of the change that is shown ({one['unit']})",
             ylabel="Share of patches on which the model errs")  # fmt: skip
    axes.legend(loc="upper left", frameon=False)
    right = axes.secondary_yaxis("right", functions=(lambda y: 50 + 50 * y, lambda p: (p - 50) / 50))
    right.set_ylabel("Readers: right answers (%)")


def _above_guessing(right: Any) -> np.ndarray:
    """Right answers from guessing (0) to always (1)."""
    return (np.asarray(right, float) - 0.5) / 0.5
