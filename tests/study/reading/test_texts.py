"""Every text that a reader meets is marked for translation, and every language has all of them."""

import re
import string
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext, to_locale

from scripts import messages
from study.protocol import duration
from study.reading import texts

ROOT = Path(__file__).resolve().parents[3]
CORE = ("sign_in", "sign_in_code", "password_change", "password_code", "password_forgotten", "password_new", "locked",
        "error", "_about", "_languages", "_another_link")  # fmt: skip
TEMPLATES = [
    *sorted((ROOT / "templates/reading").glob("*.html")),
    *(ROOT / f"templates/core/{name}.html" for name in CORE),
    *(ROOT / f"templates/{name}.html" for name in ("base", "400", "403", "403_csrf", "404", "500")),
]
SCRIPTS = sorted((ROOT / "study/static/study/reading").glob("*.js"))
KEYS = {"P", "T", "N", "Y", "X", "UTC", "Blindspot"}
ENGLISH = messages.collected()
TRANSLATIONS = {code: messages.translated(code) for code in messages.CODES}


def bare(source: str) -> str:
    """What of a template reaches readers as it stands: neither tags nor texts marked for translation."""
    source = re.sub(r"{% block (?:body_class|theme) %}.*?{% endblock(?: body_class)? %}|{#.*?#}", "", source)
    source = re.sub(r"{% blocktranslate.*?{% endblocktranslate %}", " ", source, flags=re.S)
    told = re.findall(r"""(?:aria-label|alt|title|placeholder)="([^"]*)\"""", source)
    return re.sub(r"\{%.*?%\}|\{\{.*?\}\}|<[^>]*>|&\w+;", " ", " ".join([source, *told]), flags=re.S)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_a_template_has_no_words_of_its_own(template):
    words = set(re.findall(r"[A-Za-z]+", bare(template.read_text(encoding="utf-8"))))
    assert not words - KEYS


def test_every_text_of_the_scripts_exists_and_is_used():
    sources = [script.read_text(encoding="utf-8") for script in SCRIPTS]
    asked = {key for source in sources for key in re.findall(r'say\("(\w+)"', source)}
    known = texts.ROOM.keys() | texts.VIEWING.keys()
    assert asked and asked <= known
    assert not [key for key in known if not any(f'"{key}"' in source for source in sources)]


@pytest.mark.parametrize("code", messages.CODES)
def test_a_language_has_every_text(code):
    translated = {(message.context, message.id): message.string for message in TRANSLATIONS[code] if message.id}
    wanted = {(message.context, message.id) for message in ENGLISH if message.id}
    assert translated.keys() == wanted, "run: make messages"
    missing = [key for key, text in translated.items() if not all(text if isinstance(text, tuple) else (text,))]
    assert not missing, f"{code}: not translated: {missing}"


def _places(text: str) -> set[str]:
    """What is filled in: ``%(name)s`` in Python and templates, ``{name}`` in scripts; and the marks of HTML."""
    in_python = re.findall(r"%\(\w+\)[sd]|%%", text)
    in_scripts = [f"{{{field}}}" for _, field, _, _ in string.Formatter().parse(text) if field]
    return {*in_python, *in_scripts, *re.findall(r"</?\w+>", text)}


@pytest.mark.parametrize("code", messages.CODES)
def test_a_translation_keeps_the_places_and_breaks_no_page(code):
    for message in TRANSLATIONS[code]:
        originals = message.id if isinstance(message.id, tuple) else (message.id,)
        translated = message.string if isinstance(message.string, tuple) else (message.string,)
        for text in translated if message.id else ():
            assert _places(text) == _places(originals[-1]), f"{code}: {text}"
            assert '"' not in text, f"{code}: {text}: a straight quote ends an attribute"
            assert not re.search(r"  |^\s|\s$", text), f"{code}: {text!r}"


@pytest.mark.parametrize("code", messages.CODES)
def test_what_was_translated_is_compiled(code):
    file = messages.po_of(code).with_suffix(".mo")
    assert file.read_bytes() == messages.compiled(TRANSLATIONS[code]), "run: make messages"


def test_every_language_that_readers_may_choose_is_there():
    chosen = [to_locale(code) for code, _ in settings.LANGUAGES if code != settings.LANGUAGE_CODE]
    assert sorted(chosen) == sorted(messages.CODES)
    with translation.override("de"):
        assert gettext("No tumour") == "Kein Tumor"
        assert duration.pause(336) == "14 Tage"


def test_how_long_it_takes_is_said_in_words():
    assert duration.minutes("labelling", 3) == "1 minute" and duration.minutes("pair", 90) == "30 minutes"
    assert duration.pause(336) == "14 days" and duration.pause(1) == "1 hour" and duration.pause(1.5) == "1.5 hours"
