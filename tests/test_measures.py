"""What sizes of changes are called on pages."""

from attacks.engine.norms import MEASURED, PERCEPTUAL
from core.measures import NAMES, UNITS, named
from core.pages import in_words
from study.statistics.visibility.ladders import MEASURES


def test_every_measure_has_a_name_and_a_unit():
    assert {*MEASURED, *PERCEPTUAL, *MEASURES} <= set(NAMES) & set(UNITS)
    assert (named("linf"), named("l2"), named("none")) == ("L∞", "L2", "none")


def test_only_norms_are_written_as_norms():
    """A classifier may be called l2."""
    assert in_words({"norm": "linf", "norms": ["l2", "linf"], "classifier": "l2"}) == {
        "norm": "L∞", "norms": "L2, L∞", "classifier": "l2",
    }  # fmt: skip
