"""Which language a page has, and that no page of a reader holds a text that is not translated."""

import json
import re

import lxml.html
import pytest
from babel.messages.catalog import Catalog
from django.conf import settings as project
from django.urls import reverse

from core.models import User
from scripts import messages
from study.models import ReadingSession
from study.protocol.readers import invite
from tests import factories

pytestmark = pytest.mark.django_db

BASE = "/reading/study/small/"
EVERYTHING = ["confidence", "perturbed_response", "tumour_cell_count", "note"]
GERMAN = {"HTTP_ACCEPT_LANGUAGE": "de-AT,de;q=0.9,en;q=0.5"}
OWN = re.compile(
    r"A small study|Tumour when there are five tumour cells or more\.|Your part\.|study@example\.org|Blindspot|reader|"
    r"newcomer|R\d\d|UTC|Firefox/1|English|Deutsch|Français|Español|简体中文"
)
"""What a study, a person and the program are called, and what the study says itself."""


def language_of(page) -> str:
    return re.search(r'<html lang="([\w-]+)"', page.text)[1]


def test_a_readers_browser_says_the_language_until_the_reader_chooses(client):
    factories.open_study()
    client.force_login(User.objects.get(username="reader"))
    assert language_of(client.get("/reading/")) == "en-gb"
    assert language_of(client.get("/reading/", **GERMAN)) == "de"
    assert language_of(client.get("/reading/", HTTP_ACCEPT_LANGUAGE="tlh")) == "en-gb"
    chosen = client.post("/language/", {"language": "es", "next": "/reading/"})
    assert chosen.url == "/reading/" and client.cookies["django_language"]["httponly"]
    assert language_of(client.get("/reading/", **GERMAN)) == "es"
    assert "Sus estudios" in client.get("/reading/").text


def test_the_choice_leads_nowhere_else_and_takes_no_unknown_language(client):
    assert client.post("/language/", {"language": "de", "next": "https://example.org/"}).url == "/"
    client.cookies.clear()
    client.post("/language/", {"language": "../de", "next": "/sign-in/"})
    assert "django_language" not in client.cookies
    assert client.get("/language/").status_code == 405


def test_the_dashboard_and_the_interface_are_english_for_everybody(client):
    factories.open_study()
    client.force_login(factories.user("ada", User.Role.ADMIN))
    client.cookies["django_language"] = "de"
    for address in ("/", "/studies/small/readers/", "/account/", "/jobs/", "/nowhere/", "/people/"):
        page = client.get(address, **GERMAN)
        assert language_of(page) == "en-gb" and not re.search("Abmelden|Sprache", page.text), address
    assert client.get("/api/v1/studies/nowhere/", **GERMAN).json()["detail"] == "No Study matches the given query."
    assert language_of(client.get("/preview/study/small/", **GERMAN)) == "de"  # what a reader sees


def test_refusals_and_errors_are_in_the_readers_language(client):
    factories.open_study(questions=["confidence"])
    client.force_login(User.objects.get(username="reader"))
    assert "Kein Zugang" in client.get("/studies/", **GERMAN).text
    assert "Nicht gefunden" in client.get("/reading/study/other/", **GERMAN).text
    client.post(BASE + "viewing/", {"viewing": "{}"}, **GERMAN)
    page = client.get(BASE + "read/", **GERMAN)
    token = re.search(r'name="token" value="([^"]+)"', page.text)[1]
    sent = {"token": token, "key": "a key of its own", "answer": "tumour", "replaces": 0}
    refused = client.post(BASE + "answers/", sent, content_type="application/json", **GERMAN)
    assert refused.json()["message"] == "confidence: Wählen Sie einen Wert von 1 bis 5."


def test_another_language_is_another_session(client):
    factories.open_study()
    client.force_login(User.objects.get(username="reader"))
    client.post(BASE + "viewing/", {"viewing": "{}"}, **GERMAN)
    assert client.get(BASE + "read/", **GERMAN).status_code == 200
    assert client.get(BASE + "read/", HTTP_ACCEPT_LANGUAGE="fr").url == BASE + "viewing/"
    client.post(BASE + "viewing/", {"viewing": "{}"}, HTTP_ACCEPT_LANGUAGE="fr")
    assert list(ReadingSession.objects.values_list("language", flat=True)) == ["de", "fr"]


@pytest.fixture
def marked(settings, tmp_path):
    """A language in which every text stands in brackets."""
    catalog = Catalog(locale="eo")
    for message in messages.collected():
        if message.id:
            plural = isinstance(message.id, tuple)
            catalog.add(
                message.id, tuple(f"⟦{text}⟧" for text in message.id) if plural else f"⟦{message.id}⟧",
                context=message.context,
            )  # fmt: skip
    folder = tmp_path / "eo/LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "django.mo").write_bytes(messages.compiled(catalog))
    settings.LOCALE_PATHS = [tmp_path]
    settings.LANGUAGES = [*project.LANGUAGES, ("eo", "Español")]
    return {"HTTP_ACCEPT_LANGUAGE": "eo"}


def unmarked(page) -> set[str]:
    """Words of the page, and of what it tells scripts and screen readers, that stand in no brackets.

    The sign-in and password forms hold texts of Django's, which it translates itself.
    """
    tree = lxml.html.document_fromstring(page.content)
    said = list(tree.xpath("//body//text()[not(ancestor::script or ancestor::kbd or ancestor::code)] | //title/text()"))
    said += tree.xpath("//@alt | //@aria-label | //@title | //@placeholder")
    for script in tree.xpath("//script[@type='application/json']/text()"):
        said += json.loads(script).values()
    whole = re.sub(r"⟦[^⟦⟧]*(⟦[^⟦⟧]*⟧[^⟦⟧]*)*⟧", " ", "\n".join(said))
    whole = re.sub(r"\b[0-9a-f]{8,}\b|<[^>]*>", " ", OWN.sub(" ", whole))
    return set(re.findall(r"[^\W\d_]{2,}", whole))


@pytest.mark.parametrize("options", [{}, {"task": "pair"}, {"task": "pair", "pair_display": "alternating"}])
def test_no_page_of_a_reader_holds_a_text_that_is_not_translated(client, marked, options):
    study = factories.open_study(
        cases=1, copies=1, size=16, min_gap=1, ready=False, questions=EVERYTHING, contact="study@example.org",
        consent_text="Your part.", tell_altered=True, break_every=1, **options,
    )  # fmt: skip
    _, secret = invite(study=study, username="newcomer", actor="office", language="eo")
    seen: dict[str, set[str]] = {}

    def look(name: str, page) -> None:
        seen[name] = unmarked(page)

    for address in ("/sign-in/", "/password/forgotten/", "/password/new/", "/reading/join/", "/nowhere/"):
        look(address, client.get(address, **marked))
    look("gone", client.post("/reading/join/", {"code": "x" * 43}, **marked))
    client.post("/reading/join/", {"code": secret}, **marked)
    look("join", client.get("/reading/join/", **marked))
    look("differ", client.post("/reading/join/", {"password": "one", "again": "two"}, **marked))
    client.force_login(User.objects.get(username="reader"))
    answer = "tumour" if study.task == "labelling" else "first"
    for name in ("", "help/", "about/", "stored/"):
        look(f"reading/{name}", client.get(f"/reading/{name}", **marked))
    look("forbidden", client.get("/studies/", **marked))
    look("account", client.get(reverse("account"), **marked))
    for name in ("", "consent/"):
        look(name, client.get(BASE + name, **marked))
    look("no consent", client.post(BASE + "consent/", {}, **marked))
    client.post(BASE + "consent/", {"agree": "yes"}, **marked)
    for name in ("instructions/", "viewing/", "practice/1/"):
        look(name, client.get(BASE + name, **marked))
    for given in ("tumour", "no_tumour", "first", "second"):
        look(f"feedback {given}", client.post(BASE + "practice/1/", {"answer": given}, **marked))
    client.post(BASE + "practice/", **marked)
    client.post(BASE + "viewing/", {"viewing": "{}"}, HTTP_USER_AGENT="Firefox/1", **marked)
    look("start", client.get(BASE, **marked))
    for position in range(1, 5):
        page = client.get(BASE + "read/", **marked)
        look(f"room {position}", page)
        if not (token := re.search(r'name="token" value="([^"]+)"', page.text)):
            break
        sent = {"token": token[1], "key": f"the key {position}", "answer": answer, "replaces": 0, "confidence": 3}
        look(f"missing {position}", client.post(BASE + "read/", sent, follow=True, **marked))
        client.post(BASE + "read/", sent | {"perturbed_response": "true"}, **marked)
        look(f"change {position}", client.get(BASE + "change/", **marked))
    client.post(BASE + "finish/", {"set": 1}, **marked)
    for name in ("", "questionnaire/"):
        look(f"end {name}", client.get(BASE + name, **marked))
    look(
        "wrong share", client.post(BASE + "questionnaire/", {"noticed": "no", "repeats": "no", "share": 101}, **marked)
    )
    client.post(BASE + "questionnaire/", {"noticed": "no", "repeats": "no"}, **marked)
    look("finished", client.get(BASE, **marked))
    assert {name: words for name, words in seen.items() if words} == {}
    assert len(seen) > 30
