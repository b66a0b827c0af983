"""What the legends of curves say."""

import numpy as np
import pytest

from model.learning.plots.evaluation import roc_figure


@pytest.mark.parametrize(("folds", "label"), [(1, "AUC 1.000"), (3, "mean, AUC 1.000 ± 0.000")])
def test_a_single_classifiers_curve_is_not_called_a_mean(folds, label):
    answers = (np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9]))
    [axes] = roc_figure([answers] * folds).axes
    assert label in [text.get_text() for text in axes.get_legend().get_texts()]
