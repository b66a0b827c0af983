"""The figures of results page and report, as bytes of SVG, PNG or PDF; without pyplot, and in the one style."""

from typing import Any

from matplotlib.patches import FancyBboxPatch

from core import plot_style as style
from study.results.exports import visibility
from study.results.exports.tables import points, present

INK, MUTED, ACCENT, SECOND, BAND = "#22262e", "#6b7280", "#5b3f8f", "#b3541e", "#efeaf7"
_INKS: Any = {
    "font.family": "sans-serif",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def forest(analysis: dict[str, Any], kind: str = "svg") -> bytes:
    """Change of the TPF per reader and over all with 95 % intervals, the verdict's own interval, the frozen margin."""
    primary = analysis["primary"]
    rows = [(f"Reader {row['reader']}", row["delta"], row["tango_neff_ci95"], "") for row in analysis["per_reader"]]
    crossed = analysis.get("crossed")
    if crossed:
        rows.append(("These readers, patches random", crossed["fixed_readers"]["delta"],
                     crossed["fixed_readers"]["ci95"], "overall"))  # fmt: skip
        rows.append(("Readers and patches random", crossed["delta"], crossed["ci95"], "overall"))
    rows.append(("By the rule of the verdict", primary["delta"], primary["ci"], "verdict"))
    rows = [row for row in rows if present(row[1]) and present(row[2])]
    with style.look(_INKS):
        figure = style.new(style.DOUBLE, 0.8 + 0.32 * max(len(rows), 1))
        axes = figure.subplots()
        margin = primary["margin"]
        if margin:
            axes.axvspan(-100 * margin, 100 * margin, color=BAND, zorder=0, lw=0)
            axes.annotate(
                f"margin ±{100 * margin:g}", (100 * margin, 1), xycoords=("data", "axes fraction"), xytext=(3, -2),
                textcoords="offset points", va="top", fontsize=style.SMALL, color=MUTED,
            )  # fmt: skip
        axes.axvline(0, color=INK, lw=0.8)
        for place, (_name, delta, ci, over) in enumerate(rows):
            colour = ACCENT if over else INK
            axes.plot(
                [100 * ci[0], 100 * ci[1]],
                [place, place],
                color=colour,
                lw=3.2 if over == "verdict" else 1.4,
                solid_capstyle="butt",
            )
            axes.plot([100 * delta], [place], marker="D" if over else "s", ms=5 if over else 4, color=colour)
            numbers = f"{points(delta)} [{points(ci[0])}, {points(ci[1])}]"
            axes.annotate(
                numbers, (1.02, place),
                xycoords=("axes fraction", "data"), va="center", fontsize=style.SMALL, color=colour,
            )  # fmt: skip
        axes.set_yticks(range(len(rows)), [row[0] for row in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlabel("Change of the true positive fraction, perturbed less original (percentage points)")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        return style.render(figure, kind)


def flow(analysis: dict[str, Any], kind: str = "svg") -> bytes:
    """Invited, started, finished; scheduled, answered, analysed."""
    readers, shown = analysis["flow"]["readers"], analysis["flow"]["presentations"]
    boxes = [
        f"Readers invited\n{readers['invited']}",
        f"Readers who started\n{readers['started']}",
        f"Presentations scheduled for them\n{shown['scheduled_for_started']}",
        f"Answered\n{shown['answered']}",
        f"Analysed (intention to read)\n{shown['analysed']}",
    ]
    asides = {
        1: finished(readers),
        2: f"{shown['unanswered_of_started']} not answered",
        3: f"{shown['amended']} amended: the last revision counts",
        4: f"{shown['flagged']} of them flagged for exclusion: kept here, left out of the\nper-protocol analysis "
        f"({shown['analysed_per_protocol']} presentations)",
    }
    with style.look(_INKS):
        figure = style.new(style.DOUBLE, 4.0)
        axes = figure.subplots()
        axes.set_axis_off()
        axes.set_xlim(0, 10)
        axes.set_ylim(-0.2, len(boxes))
        for i, text in enumerate(boxes):
            y = len(boxes) - 1 - i
            axes.add_patch(FancyBboxPatch((0.1, y + 0.1), 4.3, 0.62, boxstyle="round,pad=0.02,rounding_size=0.1",
                                          fc="#fbfafd", ec=ACCENT, lw=1.1))  # fmt: skip
            axes.text(2.25, y + 0.41, text, ha="center", va="center", fontsize=8.5, linespacing=1.35)
            if i < len(boxes) - 1:
                axes.annotate("", (2.25, y - 0.26), (2.25, y + 0.08), arrowprops={"arrowstyle": "-|>", "color": MUTED})
            if i in asides:
                axes.plot([4.45, 4.85], [y + 0.41, y + 0.41], color=MUTED, lw=0.9)
                axes.text(4.95, y + 0.41, asides[i], va="center", fontsize=8.5, color=INK)
        return style.render(figure, kind)


def finished(readers: dict[str, Any]) -> str:
    """How many came to the end; a table knows the answers only, a study also which sets were declared finished."""
    said = f"{readers['finished']} answered everything"
    declared = readers.get("declared_finished")
    return said if declared is None else f"{said}, {declared} declared every set finished"


def psychometric(analysis: dict[str, Any], kind: str = "svg") -> bytes | None:
    """Proportion correct against budget with the fitted curve; None without enough budgets."""
    curves = analysis.get("psychometric")
    if not curves:
        return None
    import numpy as np

    with style.look(_INKS):
        figure = style.new(style.SINGLE if len(curves) == 1 else style.DOUBLE, 2.9)
        for axes, (name, curve) in zip(np.atleast_1d(figure.subplots(1, len(curves))), curves.items()):
            fit = curve["pooled"]
            x, n = np.array(fit["budgets"]), np.array(fit["n"])
            p = np.array(fit["correct"]) / n
            axes.errorbar(x, p, yerr=np.sqrt(p * (1 - p) / n), fmt="o", color=INK, ms=5, lw=1, label="readers ± SE")
            if fit["threshold"]:
                grid = np.geomspace(x.min() / 1.5, x.max() * 1.5, 200)
                sign = 1 if fit["rising"] else -1
                f = 1 / (1 + np.exp(-sign * fit["slope"] * (np.log(grid) - np.log(fit["threshold"]))))
                axes.plot(grid, fit["guess"] + (1 - fit["guess"] - fit["lapse"]) * f, color=ACCENT, label="fit")
                axes.axvline(fit["threshold"], color=SECOND, lw=1, ls="--", label=f"threshold {fit['threshold']:.2g}")
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter("{x:g}")  # matplotlib's own writes formulas, which no figure here reads
            axes.xaxis.set_minor_formatter("")
            axes.set_ylim(-0.03, 1.03)
            axes.set_title(name)
            axes.set_xlabel("Budget (0-255 units; l0: share of pixels)")
            axes.set_ylabel("Proportion correct")
            axes.legend()
        return style.render(figure, kind)


FIGURES = {"forest": forest, "flow": flow, "psychometric": psychometric, "visibility": visibility.figure}
