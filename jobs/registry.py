"""The kinds of jobs. Each wing registers its own in its ``tasks`` module, which is imported at start."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.errors import InvalidInput

Work = Callable[..., dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Kind:
    """``work(context, **arguments)`` returns a JSON object. It must be safe to call again after being cut off.

    ``unit`` names what progress counts. ``divisible`` work also takes ``part=(i, n)``, the i-th of n shares of its
    chunks. After all parts it is called once more without ``part``, with every chunk in place, and sums up.
    """

    name: str
    title: str
    unit: str
    work: Work
    divisible: bool = False
    cleanup: Callable[..., None] | None = None
    links: Callable[..., list["Link"]] | None = None
    for_admins: tuple[str, ...] = ()
    form: Callable[[dict[str, Any]], str] | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """A link to a result of a finished job: its text, and the name and arguments of its address."""

    text: str
    address: str
    args: tuple[Any, ...]


def by_name(model: Any, key: str, address: str, text: str = "{word} {name}") -> Callable[..., list[Link]]:
    """Links to the row whose name a job's result keeps under ``key``; none once that row is gone."""

    def links(arguments: dict[str, Any], result: dict[str, Any]) -> list[Link]:
        rows = model._default_manager.filter(name=result.get(key)).only("pk", "name")
        word = model._meta.verbose_name
        return [Link(text.format(word=word, name=row.name), address, (row.pk,)) for row in rows]

    return links


_kinds: dict[str, Kind] = {}


def job(
    name: str,
    *,
    title: str,
    unit: str = "",
    divisible: bool = False,
    cleanup: Callable[..., None] | None = None,
    links: Callable[..., list[Link]] | None = None,
    for_admins: tuple[str, ...] = (),
    form: Callable[[dict[str, Any]], str] | None = None,
):
    """Register the decorated function as the work of a kind of job.

    ``cleanup(**arguments)`` is called when a job of this kind is done; until then it may be retried.
    ``links(arguments, result)`` gives links to the results of a finished job, as far as they still exist.
    ``for_admins`` names arguments that researchers do not see.
    ``form(arguments)`` is the address of the form that asks for such a job; ``?job=`` fills it in.
    """

    def register(work: Work) -> Work:
        if name in _kinds and _kinds[name].work is not work:
            raise ValueError(f"there is a kind of job '{name}' already")
        _kinds[name] = Kind(
            name=name,
            title=title,
            unit=unit,
            work=work,
            divisible=divisible,
            cleanup=cleanup,
            links=links,
            for_admins=for_admins,
            form=form,
        )
        return work

    return register


def kinds() -> list[Kind]:
    """All kinds, by their titles."""
    return sorted(_kinds.values(), key=lambda kind: kind.title)


def kind_named(name: str) -> Kind:
    try:
        return _kinds[name]
    except KeyError:
        raise InvalidInput(f"There is no kind of job '{name}'. Kinds: {', '.join(sorted(_kinds))}.") from None
