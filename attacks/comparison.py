"""Success curves of several classifiers on one plot: a panel per norm, a line per classifier."""

from collections.abc import Sequence

import pandas as pd

from attacks.engine.curves import AXES, axis_label, panels_for
from attacks.models import Attack
from attacks.selectors import curves_of
from core import plot_style as style
from model.models import Classifier

COLOURS = (style.BLUE, style.VERMILION, style.GREEN, style.ORANGE, style.SKY, style.BLACK)
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)))
MOST = len(COLOURS)


def searched_classifiers() -> list[Classifier]:
    """Those with a finished search for minimal perturbations, which a curve needs; the newest first."""
    searched = Attack.objects.filter(kind=Attack.Kind.MINIMAL, completed_at__isnull=False).values("classifier")
    return list(
        Classifier.objects.filter(pk__in=searched)
        .select_related("dataset")
        .defer("split", "test_probabilities", "history")
        .order_by("-created_at")
    )


def compared(classifiers: Sequence[Classifier]) -> pd.DataFrame:
    """The curves of all, one under the other: the columns of ``success_curve`` and ``classifier`` before them."""
    parts = []
    for classifier in classifiers:
        curves = curves_of(classifier)
        curves.insert(0, "classifier", classifier.name)
        parts.append(curves)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def plot_compared(curves: pd.DataFrame, *, kind: str = "svg") -> bytes:
    """A picture of what ``compared`` gives; equal curves give equal bytes. Lines differ in colour and in dashes."""
    searches = [search for search in AXES if search in set(curves["search"])]
    names = list(dict.fromkeys(curves["classifier"]))
    drawn = {}
    with style.look():
        figure, panels = panels_for(searches)
        for search, axes in panels.items():
            panel = curves[curves["search"] == search]
            end = float(panel["budget"].max()) * 1.08 or 1.0
            for name, colour, dashes in zip(names, COLOURS, DASHES):
                curve = panel[panel["classifier"] == name]
                if not len(curve):
                    continue
                last = curve.iloc[[-1]].assign(budget=end)  # each goes on level to the edge of the panel
                curve = pd.concat([curve, last], ignore_index=True)
                band = {"step": "post", "color": colour, "alpha": 0.13, "linewidth": 0}
                axes.fill_between(curve["budget"], curve["low"], curve["high"], **band)
                (drawn[name],) = axes.step(curve["budget"], curve["share"], where="post", color=colour, ls=dashes)
            axes.set(xlim=(0, end), ylim=(0, 1.02), xlabel=axis_label(search))
            axes.grid(alpha=0.3)
        figure.set_figheight(figure.get_figheight() + 0.2 * (1 + len(names) // 3))
        figure.legend(drawn.values(), drawn.keys(), loc="outside lower center", ncols=min(3, len(drawn)))
    return style.render(figure, kind)
