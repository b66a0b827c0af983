"""The reading room through plain forms: a whole study without JavaScript, and what its pages keep to themselves."""

import json
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from study.models import Case, Presentation, ReadingSession, ReadingSet, Response
from tests import factories

pytestmark = pytest.mark.django_db

BASE = "/reading/study/small/"


def fields(html: str) -> dict[str, str]:
    """The hidden fields of a page's forms."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', html))


def image_address(html: str) -> str:
    return re.search(r'<img class="patch[^"]*"[^>]* src="([^"]+)"', html)[1]


@pytest.fixture
def reader(client):
    def enter(**options):
        study = factories.open_study(**options)
        client.force_login(factories.assignment_of(study).reader)
        client.post(BASE + "viewing/", {"viewing": json.dumps({"inner_width": 1280, "device_pixel_ratio": 1.5})})
        return client

    return enter


def test_a_whole_study_without_javascript(client):
    study = factories.open_study(cases=2, copies=2, min_gap=1, ready=False)
    client.force_login(factories.assignment_of(study).reader)
    assert client.post(BASE + "consent/").status_code == 400
    assert client.post(BASE + "consent/", {"agree": "yes"}).url == BASE + "instructions/"
    assert client.post(BASE + "viewing/").url == BASE + "practice/1/"
    practised = client.post(BASE + "practice/1/", {"answer": "tumour"}).text
    assert "according to the reference diagnosis this patch shows tumour" in practised
    assert client.post(BASE + "practice/").url == BASE
    for number in (1, 2):
        for position in range(1, 5):
            page = client.get(BASE + "read/")
            assert re.search(rf"<span id=\"position\">\s*{position}</span>", page.text)
            assert client.get(image_address(page.text)).headers["Content-Type"] == "image/png"
            client.post(BASE + "read/", fields(page.text) | {"answer": "tumour"})
        assert client.post(BASE + "finish/", {"set": number}).url == BASE
    assert Response.objects.filter(revision=1).count() == 8
    sent = {"noticed": "no", "repeats": "yes", "share": "", "difference": "", "comment": ""}
    assert client.post(BASE + "questionnaire/", sent).url == BASE
    assert "Thank you for reading" in client.get(BASE).text


def test_a_form_sent_twice_is_one_answer(reader):
    client = reader()
    sent = fields(client.get(BASE + "read/").text) | {"answer": "tumour"}
    client.post(BASE + "read/", sent)
    client.post(BASE + "read/", sent)
    assert Response.objects.count() == 1


def test_the_last_answer_is_changed_by_a_form(reader):
    client = reader()
    client.post(BASE + "read/", fields(client.get(BASE + "read/").text) | {"answer": "tumour"})
    page = client.get(BASE + "change/").text
    assert fields(page)["replaces"] == "1"
    client.post(BASE + "read/", fields(page) | {"answer": "no_tumour"})
    assert list(Response.objects.values_list("revision", "answer")) == [(1, "tumour"), (2, "no_tumour")]


WORDS = re.compile(r"alter|perturb|adversar|attack|tamper|computer", re.I)
BEFORE = ("", "consent/", "instructions/", "viewing/", "practice/1/", "read/", "change/", "state/")


def said_to(client, *, task="labelling", **options) -> dict[str, set[str]]:
    """Words of altered images on every page that a reader reaches until the last image."""
    client.force_login(factories.assignment_of(factories.open_study(cases=2, min_gap=1, task=task, **options)).reader)
    client.post(BASE + "viewing/", {"viewing": "{}"})
    client.post(BASE + "read/", fields(client.get(BASE + "read/").text) | {"answer": "tumour"})
    pages = {name: client.get(BASE + name).text for name in BEFORE} | {"home": client.get("/reading/").text}
    return {name: set(WORDS.findall(text.replace("another computer", ""))) for name, text in pages.items()}


def test_a_reader_who_is_not_told_of_altered_images_meets_no_word_of_them(client):
    assert not {name: words for name, words in said_to(client, questions=["confidence", "note"]).items() if words}


def test_a_study_can_say_that_images_may_be_altered(client):
    assert said_to(client, tell_altered=True)["instructions/"]


def test_who_compares_pairs_is_told(client):
    assert said_to(client, task="pair")["instructions/"]


def test_a_missing_answer_is_asked_for_again(reader):
    client = reader(questions=["confidence"])
    page = client.post(BASE + "read/", fields(client.get(BASE + "read/").text) | {"answer": "tumour"}, follow=True)
    assert "How sure are you?: Choose a value from 1 to 5" in page.text
    assert not Response.objects.exists()


def test_reading_needs_consent_and_a_viewing_check_in_every_session(client):
    study = factories.open_study(ready=False)
    client.force_login(factories.assignment_of(study).reader)
    assert client.get(BASE + "read/").url == BASE
    assert client.get(BASE + "viewing/").url == BASE + "consent/"
    client.post(BASE + "consent/", {"agree": "yes"})
    client.post(BASE + "practice/")
    assert client.get(BASE + "read/").url == BASE + "viewing/"
    client.post(BASE + "viewing/", {"viewing": '{"inner_width": 900, "evil": "x", "scale": "2"}'})
    assert client.get(BASE + "read/").status_code == 200
    assert ReadingSession.objects.get().viewing == {"inner_width": 900}


def test_a_measured_screen_reaches_the_room_and_what_no_screen_has_does_not(client):
    study = factories.open_study(size_mm=42.5, practice_count=2)
    client.force_login(factories.assignment_of(study).reader)
    assert 'data-size-mm="42.5"' in client.get(BASE + "viewing/").content.decode()
    for said, kept in (("4.5", "4.5"), ("0.01", ""), ("true", ""), ('"4"', ""), ("900", "")):
        client.post(BASE + "viewing/", {"viewing": f'{{"pixels_per_mm": {said}}}'})
        for page in ("read/", "practice/1/"):
            text = client.get(BASE + page).content.decode()
            assert f'data-size-mm="42.5" data-pixels-per-mm="{kept}"' in text, (said, page)


@pytest.mark.parametrize("path", ["", "consent/", "instructions/", "viewing/", "practice/1/", "read/", "change/",
                                  "questionnaire/", "state/"])  # fmt: skip
def test_a_study_of_others_does_not_exist(client, path):
    factories.open_study()
    client.force_login(factories.user("stranger"))
    assert client.get(BASE + path).status_code == 404


@pytest.mark.parametrize("role", ["researcher", "admin"])
def test_a_researcher_cannot_read(client, role):
    factories.open_study()
    client.force_login(factories.user("curious", role))
    assert client.get(BASE + "read/").status_code == 404


def test_a_get_never_writes(client):
    study = factories.open_study(cases=2, min_gap=1)
    assignment = factories.assignment_of(study)
    client.force_login(assignment.reader)
    client.post(BASE + "viewing/")
    client.post(BASE + "read/", fields(client.get(BASE + "read/").text) | {"answer": "tumour"})
    tokens = list(Presentation.objects.order_by("position").values_list("token", flat=True))
    guide = study.guide_images.first().token
    addresses = ["/reading/", BASE, *(BASE + page for page in ("consent/", "instructions/", "viewing/", "practice/1/",
                 "read/", "change/", "questionnaire/", "state/", f"answers/{tokens[0]}/")),
                 *(f"/reading/image/{token}" for token in tokens), f"/reading/guide/{guide}"]  # fmt: skip
    for address in addresses:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            client.get(address)
        verbs = {query["sql"].split()[0].upper() for query in queries.captured_queries}
        assert verbs <= {"SELECT"}, (address, verbs)


def test_pages_and_documents_say_nothing_of_arms_or_patches_and_have_one_length(reader):
    client = reader(cases=5, copies=2, questions=["confidence"])
    patches = [*Case.objects.values_list("patch_id", flat=True), "perturbed", "original", "stimuli/"]
    lengths = {"page": set(), "state": set(), "answer": set()}
    for _ in range(10):
        page = client.get(BASE + "read/").text
        state = client.get(BASE + "state/")
        sent = fields(page) | {"answer": "tumour", "confidence": 3}
        saved = client.post(BASE + "answers/", sent, content_type="application/json")
        for text in (page, state.text, saved.text):
            assert not [word for word in patches if re.search(rf"\b{word}\b", text)]
        lengths["page"].add(len(page))
        lengths["state"].add(len(state.content))
        lengths["answer"].add(len(saved.content))
    assert ReadingSet.objects.get(number=1).presentations.count() == 10
    assert {name: len(seen) for name, seen in lengths.items()} == {"page": 1, "state": 1, "answer": 1}


def test_the_document_path_says_what_is_wrong(reader):
    client = reader()
    token = json.loads(client.get(BASE + "state/").content)["state"]["current"]["first"]
    good = {"token": token, "key": "0123456789", "answer": "tumour"}

    def post(**changes):
        return client.post(BASE + "answers/", good | changes, content_type="application/json")

    assert post(answer="perhaps").status_code == 400
    assert post(token="guessed").status_code == 404
    assert post().json()["revision"] == 1
    assert post(key="another-key").status_code == 409
    assert post(key="another-key").json()["state"]["answered"] == 1
    assert client.post(BASE + "answers/", "[1]", content_type="application/json").status_code == 400
    client.logout()
    assert post().status_code == 401


def test_an_ended_session_is_renewed_in_place_by_the_same_reader_alone(reader):
    client = reader(readers=("reader", "other"))
    client.logout()

    def sign_in(username, password=factories.PASSWORD, code="R01"):
        body = {"username": username, "password": password, "code": code}
        return client.post(BASE + "sign-in/", body, content_type="application/json").status_code

    assert sign_in("reader", "wrong") == 403
    assert sign_in("other") == 409
    assert client.get(BASE + "state/").status_code == 401
    assert sign_in("reader") == 200
    assert client.get(BASE + "state/").status_code == 200


def test_a_forged_form_is_refused(reader, client):
    from django.test import Client

    study_client = reader()
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = study_client.cookies
    assert strict.post(BASE + "finish/", {"set": 1}).status_code == 403
    assert strict.post(BASE + "answers/", {}, content_type="application/json").status_code == 403
