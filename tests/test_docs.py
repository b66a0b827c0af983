"""The documents name what there is, and nothing that there is not."""

import re
import shlex
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from scripts import reference

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TEXT = {str(file.relative_to(ROOT)): file.read_text() for file in DOCUMENTS}
FOLDERS = (
    "config", "core", "jobs", "model", "attacks", "study",
    "templates", "tests", "docs", "scripts", "deploy", "benchmarks",
)  # fmt: skip
each_document = pytest.mark.parametrize("name", TEXT)


def code_of(text: str) -> str:
    """The code spans and code blocks of a document, one per line."""
    blocks = re.findall(r"^```.*?\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    return "\n".join([*blocks, *spans])


def targets() -> set[str]:
    [phony] = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return {*phony.split(), *(f"bench-{file.stem}" for file in (ROOT / "benchmarks").glob("*.py"))}


def test_every_command_and_address_is_documented_as_it_is():
    for name, text in reference.pages().items():
        assert (ROOT / "docs" / name).read_text() == text, f"docs/{name} is out of date: run `make docs`"


def test_every_setting_from_the_environment_is_in_the_table_of_settings():
    read = set(re.findall(r"\benv(?:\.\w+)?\(\s*\"([A-Z0-9_]+)\"", (ROOT / "config" / "settings.py").read_text()))
    assert {"BLINDSPOT_HOME", "DATABASE_URL", "DEBUG"} <= read
    rows = [line.split("|")[1] for line in TEXT["docs/deployment.md"].splitlines() if line.startswith("| `")]
    documented = set(re.findall(r"`([A-Z0-9_]+)`", " ".join(rows)))
    assert read <= documented, f"not in docs/deployment.md: {read - documented}"
    assert documented <= read | {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}, "no such setting"


def test_every_make_target_is_documented():
    named = set(re.findall(r"\bmake (?:-\S+ |\w+=\S+ )*([\w-]+)", code_of("\n".join(TEXT.values()))))
    named |= set(re.findall(r"`(bench-\w+)`", "\n".join(TEXT.values())))
    assert targets() <= named, f"nowhere in README.md or docs/: {targets() - named}"


@each_document
def test_the_commands_that_it_quotes_exist(name):
    code = code_of(TEXT[name])
    ours_and_djangos = set(get_commands())
    assert set(re.findall(r"manage(?:\.py)? +(\w+)", code)) <= ours_and_djangos | {"COMMAND"}
    made = set(re.findall(r"^(?:.*\$ )?(?:sudo -u \w+ )?make (?:--directory \S+ )?([a-z][\w-]*)", code, re.MULTILINE))
    assert made <= targets() | {"bench-NAME"}


@each_document
def test_the_files_that_it_names_exist(name):
    code = code_of(TEXT[name])
    paths = re.findall(rf"(?<![\w/.:~-])((?:{'|'.join(FOLDERS)})/[\w./@*-]*)", code)
    missing = [path for path in paths if not list(ROOT.glob(path.rstrip("/.")))]
    assert not missing
    linked = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", TEXT[name])
    assert not [link for link in linked if not (ROOT / name).parent.joinpath(link).exists()]


@each_document
def test_the_modules_that_it_names_exist(name):
    dotted = re.findall(rf"`((?:{'|'.join(FOLDERS[:6])})(?:\.\w+)+)`", TEXT[name])
    unknown = []
    for module in dotted:
        parts = module.split(".")
        places = [ROOT.joinpath(*parts[:end]) for end in range(len(parts), 1, -1)]
        where = next((p for p in places if p.with_suffix(".py").exists() or (p / "__init__.py").exists()), None)
        rest = parts[len(where.relative_to(ROOT).parts) :] if where else []
        source = where.with_suffix(".py") if where else None
        if source is None or (rest and source.exists() and not re.search(rf"\b{rest[0]}\b", source.read_text())):
            unknown.append(module)
    assert not unknown


def test_every_document_can_be_reached_from_the_readme():
    reached, todo = set(), ["README.md"]
    while todo:
        name = todo.pop()
        if name in reached or name not in TEXT:
            continue
        reached.add(name)
        for link in re.findall(r"\]\((?!https?:|#)([^)#]+\.md)", TEXT[name]):
            todo.append(str((ROOT / name).parent.joinpath(link).resolve().relative_to(ROOT)))
    assert set(TEXT) <= reached, f"not linked: {set(TEXT) - reached}"


def test_the_floor_plan_names_every_room():
    text = TEXT["docs/architecture.md"]
    assert len(re.findall(rf"`(?:{'|'.join(FOLDERS)})/", text)) >= 40
    rooms = [*FOLDERS, *(f"study/{file.parent.name}" for file in (ROOT / "study").glob("*/__init__.py"))]
    for room in rooms:
        if room not in ("study/management", "study/migrations"):
            assert f"{room}/" in text, room


@each_document
def test_the_command_lines_that_it_shows_are_taken(name):
    blocks = "\n".join(re.findall(r"^```.*?\n(.*?)^```", TEXT[name], re.DOTALL | re.MULTILINE)).replace("\\\n", " ")
    for line in re.findall(r"^(?:\.venv/bin/python )?manage(?:\.py)? (.+)$", blocks, re.MULTILINE):
        command, *arguments = shlex.split(line, comments=True)
        parser = load_command_class(get_commands()[command], command).create_parser("manage.py", command)
        parser.parse_args(arguments)  # raises CommandError, with what is wrong
