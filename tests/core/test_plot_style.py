"""Figures that are drawn at the same time, as the pages of one study ask for them, keep the style of each."""

from threading import Event, Thread

import matplotlib

from core.plot_style import LOOK, look


def test_a_second_thread_that_draws_does_not_take_the_style_of_the_first():
    inside, kept = Event(), []

    def second() -> None:
        inside.wait()
        with look():
            kept.append(matplotlib.rcParams["font.size"])

    other = Thread(target=second)
    other.start()
    with look():
        inside.set()
        other.join(timeout=0.2)  # it waits its turn; without turns it has come and gone by now
        assert not kept and matplotlib.rcParams["font.size"] == LOOK["font.size"]
        with look():  # as when a figure is saved inside of it
            assert matplotlib.rcParams["text.parse_math"] is False
        assert matplotlib.rcParams["text.parse_math"] is False
    other.join()
    assert kept == [LOOK["font.size"]] and matplotlib.rcParams["font.size"] != LOOK["font.size"]
