"""What every wing raises when its input is wrong, and how long work tells how far it is."""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called as ``progress(done, total)``; commands turn it into a bar on stderr, jobs into a bar on the page."""


class BadInput(ValueError):
    """Input from outside that cannot be used.

    The message names the file, row or field, what is wrong with it and what to do. Nothing has been changed
    when it is raised. Commands print it and exit non-zero; pages show it beside the field.
    """


def no_progress(done: int, total: int) -> None:
    """The default ``progress``: say nothing."""
