"""Names come from anybody: what looks like a formula is drawn as it stands."""

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


def test_every_figure_is_drawn_in_this_style():
    """Outside ``look()`` texts would be read as formulas."""
    from pathlib import Path

    root = Path(style.__file__).resolve().parent.parent
    drawing = [
        path
        for wing in ("core", "model", "attacks", "study")
        for path in (root / wing).rglob("*.py")
        if "matplotlib" in path.read_text() and path.name != "plot_style.py"
    ]
    for path in drawing:
        text = path.read_text()
        assert "plt." not in text and ".subplots(" not in text or "look()" in text, path
