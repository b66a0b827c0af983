"""The two pages of docs/ that are written from the code: every command with its options, and every address.

``make docs`` writes them; ``tests/test_docs.py`` fails while they differ from the code.
"""

import argparse
import inspect
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
WINGS = ("model", "attacks", "study", "jobs", "core")
NOTE = "<!-- `make docs` writes this page from the code. Edit the code's help texts and docstrings, not this page. -->"


def commands_page() -> str:
    """Every management command of ours: what it does, its arguments, its options."""
    from django.core.management import get_commands

    parts = [
        "# Commands",
        NOTE,
        "`.venv/bin/python manage.py COMMAND --help` prints the same. Every command but `run_worker` takes `--json`: "
        "it then prints one JSON document on stdout. Progress and messages go to stderr in any case.",
    ]
    for wing in WINGS:
        names = sorted(name for name, app in get_commands().items() if app == wing)
        if names:
            parts += [f"## {wing}/", *(_command(wing, name) for name in names)]
    return "\n\n".join(parts) + "\n"


def _command(wing: str, name: str) -> str:
    from django.core.management import BaseCommand, load_command_class

    common = {action.dest for action in BaseCommand().create_parser("manage.py", name)._actions} | {"json"}
    command = load_command_class(wing, name)
    actions = [a for a in command.create_parser("manage.py", name)._actions if a.dest not in common]
    text = f"### {name}\n\n{_plain(command.help)}"
    if actions:
        text += "\n\n| argument | meaning | default |\n|---|---|---|\n" + "\n".join(map(_row, actions))
    return text


def _row(action: argparse.Action) -> str:
    name = ", ".join(action.option_strings) or action.dest.upper()
    if action.option_strings and action.nargs != 0 and not action.choices:
        name += f" {action.metavar if isinstance(action.metavar, str) else action.dest.upper()}"
    meaning = [action.help or ""]
    if action.choices:
        meaning.append(f"one of {', '.join(str(choice) for choice in action.choices if choice != '')}")
    default = "" if action.default in (None, [], "") or action.default is False else f"`{action.default}`"
    if action.required and action.option_strings:
        default = "required"
    return f"| `{name}` | {_plain('; '.join(filter(None, meaning)))} | {default} |"


def addresses_page() -> str:
    """Every address of ours, with the view that answers it."""
    from django.urls import get_resolver

    rows = []
    for address, view in _views(get_resolver().url_patterns, "/"):
        where = getattr(view, "view_class", None) or getattr(view, "cls", None) or view
        if where.__module__.split(".")[0] not in WINGS:
            continue  # a library's, such as the API's schema
        actions = dict(getattr(view, "actions", None) or {})
        actions.pop("head", None)  # added by the first request that a process answers
        name = where.__name__ + (f" ({', '.join(map(str.upper, actions))})" if actions else "")
        methods = [getattr(where, action) for action in actions.values() if action in where.__dict__]
        text = next(filter(None, map(inspect.getdoc, [*methods, where])), "").split("\n")[0]
        rows.append(f"| `{address}` | `{where.__module__.replace('.', '/')}.py` {name} | {_plain(text)} |")
    parts = [
        "# Addresses",
        NOTE,
        "Readers see `/reading/` and nothing else. Everything else is for researchers and admins, except signing in "
        "and `/healthz`. `/admin/` is Django's admin. `/api/` documents what the addresses under `/api/v1/` take and "
        "answer; the schema is at `/api/v1/schema/`. Words in capitals stand for numbers and names.",
        "| address | view | what it shows or does |\n|---|---|---|\n" + "\n".join(rows),
    ]
    return "\n\n".join(parts) + "\n"


def _views(patterns: list, prefix: str) -> Iterator[tuple[str, object]]:
    from django.urls import URLResolver
    from rest_framework.routers import APIRootView

    for pattern in patterns:
        address = prefix + _readable(str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            if address != "/admin/":
                yield from _views(pattern.url_patterns, address)
        elif getattr(pattern.callback, "cls", None) is not APIRootView:
            yield address, pattern.callback


def _readable(route: str) -> str:
    """``<int:pk>`` and ``(?P<pk>[0-9]+)`` as ``PK``."""
    route = re.sub(r"\(\?P<(\w+)>[^)]*\)", r"<\1>", route.strip("^$").removesuffix("\\Z"))
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda name: name[1].upper(), route)


def _plain(text: str) -> str:
    """One line of Markdown."""
    return " ".join(text.replace("``", "`").replace("%%", "%").replace("|", "\\|").split())


def pages() -> dict[str, str]:
    """Text by file name in ``docs/``."""
    return {"commands.md": commands_page(), "addresses.md": addresses_page()}


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    for name, text in pages().items():
        (DOCS / name).write_text(text)
