"""Every text of the reading pages stands in one file, and every text there is used."""

import json
import re
import string
from pathlib import Path

import pytest

from study.reading import texts
from study.reading.forms import ANSWER_FIELDS

ROOT = Path(__file__).resolve().parents[3]
TEMPLATES = sorted((ROOT / "templates/reading").glob("*.html"))
SCRIPTS = sorted((ROOT / "study/static/study/reading").glob("*.js"))
ENGLISH = json.loads((texts.FOLDER / "en.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_a_template_has_no_words_of_its_own(template):
    source = template.read_text(encoding="utf-8")
    source = re.sub(r"{% block body_class %}.*?{% endblock(?: body_class)? %}|{#.*?#}", "", source)
    bare = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|<[^>]*>|&\w+;", " ", source, flags=re.S)
    words = [word for word in re.findall(r"[A-Za-z]+", bare) if word not in {"P", "T", "N", "Y", "X", "UTC"}]
    assert not words


def used_by_templates() -> set[str]:
    used = set()
    for template in TEMPLATES:
        used |= set(re.findall(r"{% say ['\"]([\w.]+)['\"]", template.read_text(encoding="utf-8")))
    for source in (ROOT / "study/reading").rglob("*.py"):
        used |= set(re.findall(r"\bsay\(\"([\w.]+)\"", source.read_text(encoding="utf-8")))
    return used


def test_every_text_that_is_asked_for_exists():
    missing = {key for key in used_by_templates() if key.split(".")[1] not in ENGLISH[key.split(".")[0]]}
    assert not missing


def test_every_text_of_the_scripts_exists():
    known = ENGLISH["page"].keys() | ENGLISH["viewing"].keys()
    asked = {key for script in SCRIPTS for key in re.findall(r'say\("(\w+)"', script.read_text(encoding="utf-8"))}
    assert asked
    assert asked <= known


def test_every_text_is_used():
    composed = {f"read.{name}{ending}" for name in ("first", "second") for ending in ("", "_alternating")}
    used = used_by_templates() | composed
    scripts = "".join(script.read_text(encoding="utf-8") for script in SCRIPTS)
    said_by_scripts = {f"{name}.{key}" for name in ("page", "viewing") for key in ENGLISH[name]
                       if re.search(rf'"{key}"', scripts)}  # fmt: skip
    labels = {f"labels.{name}" for name in ANSWER_FIELDS if name in ENGLISH["labels"]}
    known = {f"{name}.{key}" for name, section in ENGLISH.items() for key in section}
    assert known == used | said_by_scripts | labels


def test_a_text_with_places_is_filled_in():
    assert texts.say("read.set", set=1, sets=2) == "Set 1 of 2"
    with pytest.raises(KeyError):
        texts.say("read.set")


def test_a_translation_may_be_incomplete_but_keeps_the_places():
    for file in texts.FOLDER.glob("*.json"):
        for name, section in json.loads(file.read_text(encoding="utf-8")).items():
            for key, text in section.items():
                places = {field for _, field, _, _ in string.Formatter().parse(text) if field}
                original = {field for _, field, _, _ in string.Formatter().parse(ENGLISH[name][key]) if field}
                assert places == original, f"{file.name}: {name}.{key}"
