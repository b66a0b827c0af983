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
