"""The style of all figures, and how to save them so that equal figures give equal bytes."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from core.figure_sizes import DOUBLE, DPI, SINGLE

__all__ = ["DOUBLE", "SINGLE", "SMALL", "look", "new", "picture", "render", "unit_square"]

# From the palette of Okabe and Ito, which colour-blind people can tell apart.
BLUE, ORANGE, GREEN, VERMILION, SKY, BLACK, GREY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#56B4E9",
    "#000000",
    "#7F7F7F",
)
_DRAWING = RLock()
SMALL = 8
LOOK: Any = {
    "font.size": 8.5,
    "axes.linewidth": 0.7,
    "lines.linewidth": 1.2,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 8.5,
    "figure.titlesize": 9,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "legend.fontsize": SMALL,
    "svg.hashsalt": "blindspot",
    "svg.fonttype": "path",  # the same letters wherever it is opened
    "savefig.dpi": DPI,
    "image.interpolation": "nearest",
    "text.parse_math": False,  # names come from anybody: "$\\frac{$" is a name, and no formula
}


def new(width: float, height: float) -> Figure:
    """An empty figure of that many inches; ``width`` is ``SINGLE`` or ``DOUBLE``. Draw inside ``with look()``."""
    return Figure(figsize=(width, height), layout="constrained")


@contextmanager
def look(more: Any = None) -> Iterator[None]:
    """The context in which figures are drawn and saved, one at a time; ``more`` settings go with it.

    Matplotlib's settings belong to the process. A second thread that left this context in the middle of the first
    one's figure would take its style away, and with it that names are no formulas.
    """
    with _DRAWING, matplotlib.rc_context(LOOK | (more or {})):
        yield


def render(figure: Figure, kind: str = "svg") -> bytes:
    """The figure as "svg", "png" or "pdf"; equal figures give equal bytes (no date is written)."""
    buffer = io.BytesIO()
    no_date = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {"Software": None}}[kind]
    with look():
        figure.savefig(buffer, format=kind, metadata=no_date)
    return buffer.getvalue()


def unit_square(axes: Axes, x: str, y: str) -> None:
    """Axes for two shares: 0 to 1 both ways, of equal scale."""
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), xlabel=x, ylabel=y, aspect="equal")


def picture(axes: Axes, pixels: Any, title: str = "", **options: Any) -> Any:
    """An image without ticks."""
    shown = axes.imshow(pixels, **options)
    axes.set(xticks=[], yticks=[], title=title)
    for side in axes.spines.values():
        side.set_visible(False)
    return shown
