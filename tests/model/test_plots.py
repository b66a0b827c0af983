"""Figures that go into a paper as they are: two widths, legible letters, one scale, legends that name every symbol."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from attacks.comparison import plot_compared
from attacks.engine.curves import AXES, panels_for, plot, success_curve
from core.figure_sizes import DOUBLE, SINGLE
from core.plot_style import look, render
from model.learning.plots import evaluation, interpretation, spaces
from study.results.exports import figures as results

ANSWERS = (np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9]))
FOLDS = [
    {"accuracy": 0.8, "auc": 0.9, "colour_only": {"accuracy": 0.6, "auc": 0.7}},
    {"accuracy": 0.7, "auc": 0.8, "colour_only": {"accuracy": 0.5, "auc": 0.6}},
]
HISTORY = [{"epoch": 1, "loss": 0.7, "accuracy": 0.5}, {"epoch": 2, "loss": 0.4, "accuracy": 0.8}]


def pair(reach: int) -> interpretation.Pair:
    rng = np.random.default_rng(reach)
    original = rng.integers(50, 200, (24, 24, 3), dtype=np.uint8)
    change = rng.integers(-reach, reach + 1, original.shape)
    change[0, 0] = reach
    return interpretation.Pair("folder/a.png", original, (original + change).astype(np.uint8), 0.9, 0.1, True)


def mapped():
    groups = {kind: np.random.default_rng(n).normal(size=(5, 2)) for n, kind in enumerate(spaces.MARKS)}
    tracks = [np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 1.0]])] * 2
    return spaces.embedding_figure(groups, tracks, method="umap", title="an attack")


def of_saliency():
    maps = np.random.default_rng(0).random((2, 24, 24))
    return interpretation.saliency_figure([pair(4), pair(8)], maps, maps, "gradient", "the score", "an attack", gain=8)


FIGURES = {
    "roc": lambda: evaluation.roc_figure([ANSWERS] * 3, "t"),
    "precision and recall": lambda: evaluation.precision_recall_figure([ANSWERS], "t"),
    "calibration": lambda: evaluation.calibration_figure([ANSWERS], "t"),
    "confusion": lambda: evaluation.confusion_figure([[1, 2], [3, 4]], "t"),
    "folds": lambda: evaluation.folds_figure(FOLDS, "t"),
    "training": lambda: evaluation.training_figure([HISTORY, HISTORY[:1]], "t"),
    "pairs": lambda: interpretation.pairs_figure([pair(4)], "t"),
    "saliency": of_saliency,
    "universal": lambda: interpretation.universal_figure(np.ones((24, 24, 3)), [pair(4)] * 3, "t"),
    "features": mapped,
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_one_or_two_columns_wide_and_its_letters_are_8_to_9_points(name):
    figure = FIGURES[name]()
    assert round(figure.get_figwidth(), 3) in (round(SINGLE, 3), round(DOUBLE, 3))
    sizes = {text.get_fontsize() for text in figure.findobj(Text) if text.get_text().strip()}
    assert sizes and min(sizes) >= 8 and max(sizes) <= 9, sizes
    width = int.from_bytes(render(figure, "png")[16:20], "big")
    assert width in (1062, 1063, 2125, 2126), "300 dots per inch, and nothing cut off or added"


@pytest.mark.parametrize(("folds", "label"), [(1, "AUC 1.000"), (3, "mean, AUC 1.000 ± 0.000")])
def test_a_single_classifiers_curve_is_not_called_a_mean(folds, label):
    [axes] = evaluation.roc_figure([ANSWERS] * folds).axes
    assert label in [text.get_text() for text in axes.get_legend().get_texts()]


def test_the_map_of_features_names_every_symbol_in_its_legend():
    [axes] = mapped().axes
    shown = {text.get_text() for text in axes.get_legend().get_texts()}
    assert {f"{kind} (5)" for kind in spaces.MARKS} <= shown
    assert {"track of an attack, 2 steps", "its start: the original", "its end: the displayed image"} <= shown
    assert len(shown) == len(spaces.MARKS) + 3, "the second track is not named again"


def test_table_1a_fold_by_fold_has_one_scale_and_its_numbers_stand_under_the_marks():
    accuracy, auc = evaluation.folds_figure(FOLDS, "t").axes
    assert accuracy.get_ylim() == auc.get_ylim()
    assert [text.get_text() for text in accuracy.get_xticklabels()][:2] == [
        "network\n0.750 ± 0.071",
        "colour only\n0.550 ± 0.071",
    ]
    assert not accuracy.texts, "nothing is written over the marks"


@pytest.mark.parametrize("gain", [8, None])
def test_one_gain_is_printed_over_all_differences_of_a_figure(gain):
    figure = interpretation.pairs_figure([pair(4), pair(16)], "t", gain=gain)
    titles = {axes.get_title(loc="left") for axes in figure.axes if "difference" in axes.get_title(loc="left")}
    assert titles == {f"difference × {gain or 4}"}


def searched(*names: str) -> pd.DataFrame:
    return pd.concat([success_curve(np.array([0.5, 1.0, 2.0]), search=name) for name in names], ignore_index=True)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_success_curves_have_units_and_come_in_every_format(count):
    names = list(AXES)[:count]
    with look():
        figure, panels = panels_for(names)
    assert round(figure.get_figwidth(), 3) == round(SINGLE if count == 1 else DOUBLE, 3) and list(panels) == names
    curves = searched(*names)
    assert plot(curves, pd.DataFrame(), kind="png")[:4] == b"\x89PNG"
    assert plot(curves, pd.DataFrame(), kind="pdf")[:4] == b"%PDF"
    assert plot(curves, pd.DataFrame()) == plot(curves, pd.DataFrame())
    assert b"<svg" in plot_compared(curves.assign(classifier="a"))[:1_000]


def test_the_unit_of_a_success_curve_is_on_its_axis():
    from attacks.engine.curves import axis_label

    assert axis_label("linf") == "L∞ (levels of 0–255)" and axis_label("l0") == "L0 (share of pixels)"


def test_figures_of_results_are_two_columns_wide():
    readers = {"invited": 3, "started": 2, "finished": 1}
    shown = {"scheduled_for_started": 80, "unanswered_of_started": 3, "answered": 77, "amended": 2, "flagged": 1,
             "analysed": 77, "analysed_per_protocol": 76}  # fmt: skip
    svg = results.flow({"flow": {"readers": readers, "presentations": shown}}).decode()
    assert 'width="510' in svg, "180 mm are 510 points"
