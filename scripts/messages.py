"""Readers' texts and their translations: collect the English ones, and compile what was translated.

    make messages    brings locale/*/LC_MESSAGES/django.po up to date and compiles django.mo

Both files are kept in the repository: nobody needs gettext's tools to run or to translate.
"""

import ast
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parents[1]
LOCALE = ROOT / "locale"
CODES = ("de", "fr", "es", "zh_Hans")
"""Folders in locale/: Django's names of the languages, as locales."""
UNDATED = datetime(2026, 1, 1, tzinfo=UTC)
PACKAGES = ("core", "study")
LITERAL = r"""u?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
CALL = re.compile(rf"\b(n?p?gettext|_)\(({LITERAL}(?:, {LITERAL})*)")
FUNCTIONS = {"_": "gettext"} | {f"{n}{p}gettext{lazy}": f"{n}{p}gettext" for n in ("", "n") for p in ("", "p")
                                for lazy in ("", "_lazy")}  # fmt: skip

Found = tuple[str | tuple[str, str], str | None, str]
"""The text (with its plural), its context, and where it stands."""


def _message(function: str, texts: list[str], where: str) -> Found:
    context = texts.pop(0) if "pgettext" in function else None
    return ((texts[0], texts[1]) if function.startswith("n") else texts[0]), context, where


def in_template(path: Path) -> Iterator[Found]:
    """The texts of ``translate`` and ``blocktranslate`` tags."""
    where = path.relative_to(ROOT).as_posix()
    for function, arguments in CALL.findall(templatize(path.read_text(encoding="utf-8"), origin=where)):
        yield _message(FUNCTIONS[function], list(ast.literal_eval(f"[{arguments}]")), where)


def in_module(path: Path) -> Iterator[Found]:
    """The texts given to gettext's functions, under the names that this project imports them by."""
    where = path.relative_to(ROOT).as_posix()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id not in FUNCTIONS:
            continue
        given = [part.value for part in node.args if isinstance(part, ast.Constant) and isinstance(part.value, str)]
        if given:
            yield _message(FUNCTIONS[node.func.id], given, where)


def empty(code: str | None = None) -> Catalog:
    """A catalogue without texts; it carries no date, so that it changes with its texts alone."""
    return Catalog(
        locale=code, project="Blindspot", version="0", charset="utf-8", fuzzy=False,
        creation_date=UNDATED, revision_date=UNDATED, last_translator="Blindspot", language_team="Blindspot",
        msgid_bugs_address="Blindspot", header_comment="# Readers' texts. Translate here, then run: make messages",
    )  # fmt: skip


def collected() -> Catalog:
    """Every text that readers may see, in English."""
    catalog = empty()
    templates = sorted((ROOT / "templates").rglob("*.*"))
    modules = sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))
    for files, search in ((templates, in_template), (modules, in_module)):
        for file in files:
            for text, context, where in search(file):
                catalog.add(text, context=context, locations=[(where, 0)])
    return catalog


def po_of(code: str) -> Path:
    return LOCALE / code / "LC_MESSAGES" / "django.po"


def translated(code: str) -> Catalog:
    """What is there of a language; an empty catalogue where there is none."""
    path = po_of(code)
    if not path.exists():
        return empty(code)
    with path.open("rb") as file:
        return read_po(file, locale=code)


def compiled(catalog: Catalog) -> bytes:
    """The bytes of the .mo file, the same for the same texts."""
    out = BytesIO()
    bare = empty(str(catalog.locale))
    for message in catalog:
        if message.id and message.string:
            bare.add(message.id, message.string, context=message.context)
    write_mo(out, bare)
    return out.getvalue()


def updated(code: str, english: Catalog) -> Catalog:
    """A language with exactly the texts of today, in their order; no guesses for new ones."""
    old, new = translated(code), empty(code)
    for message in english:
        if message.id:
            known: Message | None = old.get(_key(message), context=message.context)
            new.add(message.id, known.string if known else None, locations=message.locations, context=message.context)
    return new


def _key(message: Message) -> Any:
    return message.id[0] if isinstance(message.id, tuple) else message.id


def main() -> None:
    english = collected()
    for code in CODES:
        catalog = updated(code, english)
        path = po_of(code)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            write_po(file, catalog, width=0, include_lineno=False, omit_header=False)
        path.with_suffix(".mo").write_bytes(compiled(catalog))
        missing = [message for message in catalog if message.id and not all(_strings(message))]
        print(f"{code}: {len(catalog)} texts, {len(missing)} not translated", file=sys.stderr)


def _strings(message: Message) -> tuple[str, ...]:
    return message.string if isinstance(message.string, tuple) else (message.string,)


if __name__ == "__main__":
    main()
