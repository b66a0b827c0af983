"""The curves of a plan, as SVG bytes: power against the number of patches."""

from typing import Any

from core import plot_style as style

# Curves differ in colour and in dash, so they can be told apart in grey and by colour-blind people.
LINES = {
    "mcnemar_exact": ("find the change: exact McNemar", style.BLUE, "-"),
    "mcnemar_midp": ("find the change: mid-p McNemar", style.SKY, "--"),
    "different": ("find the change", style.BLUE, "-"),
    "non_inferior": ("claim non-inferiority, if nothing changed", style.GREEN, "-."),
    "equivalent": ("claim equivalence, if nothing changed", style.VERMILION, ":"),
}


def power_curves(part: dict[str, Any], patches: int) -> bytes:
    """``part`` is ``one_reading`` or ``crossed`` of a plan; the planned number of patches is marked."""
    curve = part["curve"]
    with style.look():
        figure = style.new(style.DOUBLE, 3.2)
        axes = figure.subplots()
        for target in (0.8, 0.9):
            axes.axhline(100 * target, color=style.GREY, lw=0.7)
        axes.axvline(patches, color=style.GREY, lw=0.9, ls=(0, (2, 2)))
        axes.annotate(f" {patches} planned", (patches, 101), va="bottom", fontsize=style.SMALL, annotation_clip=False)
        for name, (label, colour, dash) in LINES.items():
            if name in curve[0]:
                axes.plot(
                    [point["patches"] for point in curve],
                    [100 * point[name] for point in curve],
                    color=colour,
                    ls=dash,
                    lw=1.5,
                    label=label,
                )
        axes.set(ylim=(0, 101), xlim=(0, curve[-1]["patches"]), xlabel="Patches", ylabel="Power (%)")
        axes.set_yticks([0, 20, 40, 60, 80, 90, 100])
        figure.legend(loc="outside lower center", ncols=1 if len(curve[0]) < 4 else 2)
    return style.render(figure)


def expected_intervals(plan: dict[str, Any]) -> bytes:
    """A ladder's plan: the expected interval of the blind-spot index over numbers of readers and of patches."""
    with style.look():
        figure = style.new(style.DOUBLE, 2.9)
        for axes, (name, word) in zip(
            figure.subplots(1, 2, sharey=True), (("by_readers", "readers"), ("by_patches", "patches"))
        ):
            rows = [row for row in plan[name] if row["index"]]
            for place, row in enumerate(rows):
                planned = row[word] == plan["assumptions"][word]
                axes.plot(
                    [place, place],
                    [100 * row["index"]["low"], 100 * row["index"]["high"]],
                    color=style.VERMILION if planned else style.BLUE,
                    lw=5 if planned else 3,
                    solid_capstyle="butt",
                )
            axes.axhline(100 * plan["truth"]["index"], color=style.GREY, lw=0.9, ls=(0, (2, 2)))
            axes.set_xticks(range(len(rows)), [str(row[word]) for row in rows])
            axes.set(ylim=(0, 101), xlim=(-0.6, len(rows) - 0.4), xlabel=word.capitalize())
        figure.axes[0].set_ylabel("Expected interval of\nthe blind-spot index (%)")
    return style.render(figure)


def bias_curve(plan: dict[str, Any]) -> bytes:
    """A bias's plan: power against the number of pairs; the planned number is marked."""
    pairs = plan["assumptions"]["pairs"]
    with style.look():
        figure = style.new(style.DOUBLE, 2.9)
        axes = figure.subplots()
        for target in (0.8, 0.9):
            axes.axhline(100 * target, color=style.GREY, lw=0.7)
        axes.axvline(pairs, color=style.GREY, lw=0.9, ls=(0, (2, 2)))
        axes.annotate(f" {pairs} planned", (pairs, 101), va="bottom", fontsize=style.SMALL, annotation_clip=False)
        curve = plan["curve"]
        axes.plot([row["pairs"] for row in curve], [100 * row["power"] for row in curve], color=style.BLUE, lw=1.5)
        axes.set(ylim=(0, 101), xlim=(0, curve[-1]["pairs"]), xlabel="Pairs", ylabel="Power to find the bias (%)")
        axes.set_yticks([0, 20, 40, 60, 80, 90, 100])
    return style.render(figure)
