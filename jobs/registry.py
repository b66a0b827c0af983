"""What can be done as a job. Each wing registers its kinds in its ``tasks`` module, found at start."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.errors import InvalidInput

Work = Callable[..., dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Kind:
    """``work(context, **arguments)`` returns a JSON object. It must be safe to call again after being cut off.

    ``unit`` names what progress counts. ``divisible`` work also takes ``part=(i, n)``: the i-th of n shares of its
    chunks; after all of them the whole is called once more without ``part``, finds every chunk made, and sums up.
    """

    name: str
    title: str
    unit: str
    work: Work
    divisible: bool = False
    cleanup: Callable[..., None] | None = None
    links: Callable[..., list["Link"]] | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """What a finished job made, as a page names it: its text, and the name and arguments of its address."""

    text: str
    address: str
    args: tuple[Any, ...]


_kinds: dict[str, Kind] = {}


def job(
    name: str,
    *,
    title: str,
    unit: str = "",
    divisible: bool = False,
    cleanup: Callable[..., None] | None = None,
    links: Callable[..., list[Link]] | None = None,
):
    """Register the decorated function as the work of a kind of job.

    ``cleanup(**arguments)`` is called when a job of this kind is done; until then it may be retried.
    ``links(arguments, result)`` names what a finished job made, as far as it still exists.
    """

    def register(work: Work) -> Work:
        if name in _kinds and _kinds[name].work is not work:
            raise ValueError(f"there is a kind of job '{name}' already")
        _kinds[name] = Kind(
            name=name, title=title, unit=unit, work=work, divisible=divisible, cleanup=cleanup, links=links
        )
        return work

    return register


def kind_named(name: str) -> Kind:
    try:
        return _kinds[name]
    except KeyError:
        raise InvalidInput(f"There is no kind of job '{name}'. Kinds: {', '.join(sorted(_kinds))}.") from None
