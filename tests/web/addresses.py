"""Every address of the project, from its own map: a new one is tried at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, get_resolver
from django.utils.regex_helper import normalize


@dataclass(frozen=True)
class Address:
    """``route`` is its name with its name space; ``pattern`` has ``%(name)s`` for each argument."""

    route: str
    pattern: str

    @property
    def arguments(self) -> list[str]:
        return list(dict.fromkeys(part.split(")")[0] for part in self.pattern.split("%(")[1:]))

    def filled(self, values: dict[str, Any]) -> str:
        return self.pattern % values


def addresses() -> list[Address]:
    """All of them; one without a name is called by what leads there."""
    return sorted(_walk(get_resolver().url_patterns, "/", ()), key=lambda address: (address.route, address.pattern))


def _walk(patterns: Any, before: str, spaces: tuple[str, ...]) -> Iterator[Address]:
    for entry in patterns:
        here = before + normalize(entry.pattern.regex.pattern)[0][0]
        if isinstance(entry, URLPattern):
            yield Address(":".join([*spaces, entry.name or here]), here)
        else:
            yield from _walk(entry.url_patterns, here, (*spaces, entry.namespace) if entry.namespace else spaces)
