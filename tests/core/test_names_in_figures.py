"""Names come from anybody: what looks like a formula is drawn as it stands."""

from pathlib import Path

import pytest

from core import plot_style as style

FORMULAS = [r"$\frac{$", r"$\unknown$", "$", "a $ b $ c_{", r"50 \% of $x"]


@pytest.mark.parametrize("name", FORMULAS)
def test_a_name_that_looks_like_a_formula_is_drawn_as_it_stands(name):
    with style.look():
        figure = style.new(3, 2)
        axes = figure.subplots()
        axes.plot([1, 2], [1, 2], label=name)
        axes.set(title=name, xlabel=name)
        axes.set_xticks([1, 2], [name, name])
        axes.annotate(name, (1, 1))
        figure.legend()
    assert style.render(figure).startswith(b"<?xml")


def test_every_figure_is_drawn_in_a_style_that_reads_no_formulas():
    """Only what opens a style of its own could draw outside it: each of these leaves formulas out."""
    root = Path(style.__file__).resolve().parent.parent
    own = [
        path
        for wing in ("core", "model", "attacks", "study")
        for path in (root / wing).rglob("*.py")
        if "rc_context(" in path.read_text()
    ]
    assert own
    for path in own:
        text = path.read_text()
        assert '"text.parse_math": False' in text or "_STYLE: Any = style.LOOK | {" in text, path
