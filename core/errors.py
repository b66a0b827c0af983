"""The error that every wing raises for wrong input, and the signature by which long work reports progress."""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called as ``progress(done, total)``; commands turn it into a bar on stderr, jobs into a bar on the page."""


def stage(progress: Progress, number: int, count: int) -> Progress:
    """The progress of the ``number``-th (from 0) of ``count`` stages of equal length, as progress of the whole."""
    return lambda done, total: progress(number * total + done, count * total)


class InvalidInput(ValueError):
    """Input from outside that cannot be used.

    The message names the file or row (``field`` names the setting), says what is wrong and what to do. Nothing has
    been changed when it is raised. Commands print it and exit non-zero; pages show ``message`` beside ``field``; the
    API answers 400 with both.
    """

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.message, self.field = message, field

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class NotYet(InvalidInput):
    """A valid request at the wrong time, such as results before unblinding; the API answers 409."""


def no_progress(done: int, total: int) -> None:
    """The default ``progress``: report nothing."""
