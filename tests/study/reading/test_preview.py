"""The preview is the reading: the same pages on an assignment that is not saved, marked on every page, and no arm."""

import json
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.models import User
from study.models import Presentation, ReadingSession, Response, Stimulus
from study.reading.preview import Preview
from tests import factories

pytestmark = pytest.mark.django_db
BASE = "/preview/study/small/"
READING = "/reading/study/small/"
MARK = "Preview: nothing is stored."


@pytest.fixture
def admin(client):
    client.force_login(factories.user("ada", User.Role.ADMIN))
    return client


def post(client, name: str, **fields):
    return client.post(BASE + name, fields)


def send(client, token: str, base: str = BASE, **fields):
    sent = {"token": token, "key": f"key-of-{token}", "replaces": 0, "answer": "tumour"} | fields
    return client.post(f"{base}answers/", json.dumps(sent), "application/json")


def state(client) -> dict:
    return json.loads(client.get(BASE + "state/").content)["state"]


def enter(client) -> None:
    """Up to the first image."""
    post(client, "begin-again/")
    post(client, "consent/", agree="yes")
    post(client, "viewing/", viewing="{}")
    post(client, "practice/")


def unmarked(html: str) -> str:
    """A page without the mark, and without what differs between any two visits."""
    html = re.sub(r'\n<aside class="preview".*?</aside>\n', "", html, flags=re.S)
    html = re.sub(r'(name="(csrfmiddlewaretoken|key|token)" value=")[^"]*', r"\1", html)
    html = re.sub(r'(/reading/image/)[^"]{22}', r"\1", html.replace("/preview/", "/reading/"))
    return html.replace("R00", "R01").replace(">ada<", ">reader<").replace('value="ada"', 'value="reader"')


@pytest.mark.parametrize("task", ["labelling", "pair"])
def test_every_page_is_the_readers_own_but_for_the_mark(client, task):
    study = factories.open_study(cases=3, ready=False, washout_hours=48, questions=["confidence"], task=task)
    reader = factories.assignment_of(study).reader
    admin = factories.user("ada", User.Role.ADMIN)

    def visit(user, base: str) -> list[tuple[str, str]]:
        client.force_login(user)
        pages = []

        def look(*names: str) -> None:
            pages.extend((name, client.get(base + name).text) for name in names)

        look("", "consent/", "instructions/")
        client.post(base + "consent/", {"agree": "yes"})
        look("", "consent/", "instructions/", "viewing/")
        client.post(base + "viewing/", {"viewing": "{}"})
        look("", "practice/1/")
        pages.append(("feedback", client.post(base + "practice/2/", {"answer": "tumour"}).text))
        client.post(base + "practice/")
        for _ in range(study.cases.count() * (2 if task == "labelling" else 1)):
            look("read/")
            fields = dict(re.findall(r'name="(token|key|replaces)" value="([^"]*)"', pages[-1][1]))
            answer = "tumour" if task == "labelling" else "first"
            client.post(base + "read/", fields | {"answer": answer, "confidence": 3})
            look("change/")
        look("", "read/")
        return pages

    shown, seen = visit(admin, BASE), visit(reader, READING)
    assert len(seen) >= 17
    for (name, preview), (_, page) in zip(shown, seen, strict=True):
        assert preview.count(MARK) == 2, name  # to be read, and the name of the region
        assert "review" not in page, name
        assert unmarked(preview) == unmarked(page), name


def test_it_walks_through_every_image_without_a_word_of_arms_and_stores_nothing(admin):
    study = factories.open_study(cases=3)
    assert admin.get(BASE + "read/").status_code == 302
    pages = []
    with CaptureQueriesContext(connection) as queries:
        assert post(admin, "begin-again/").url == BASE + "consent/"
        pages += [admin.get(BASE), admin.get(BASE + "consent/")]
        assert post(admin, "consent/").status_code == 400
        assert post(admin, "consent/", agree="yes").url == BASE + "instructions/"
        pages += [admin.get(BASE + "instructions/"), admin.get(BASE + "viewing/")]
        assert post(admin, "viewing/").url == BASE + "practice/1/"
        pages += [admin.get(BASE + "practice/1/"), admin.post(BASE + "practice/1/", {"answer": "tumour"})]
        assert post(admin, "practice/").url == BASE
        images = []
        for position in range(1, 7):
            page = admin.get(BASE + "read/")
            pages.append(page)
            assert "reading/read.html" in [template.name for template in page.templates]
            now = state(admin)
            assert (now["answered"], now["count"]) == (position - 1, 6)
            token = now["current"]["first"]
            images.append(admin.get(f"/preview/image/{token}").content)
            assert send(admin, token).status_code == 200
            own = admin.get(f"{BASE}answers/{token}/")
            assert json.loads(own.content)["answer"] == "tumour"
        pages.append(admin.get(BASE + "read/"))
        assert post(admin, "finish/", set=1).url == BASE
        pages += [admin.get(BASE), admin.get(BASE + "questionnaire/")]
        filled = {"noticed": "no", "repeats": "yes", "share": "", "difference": "", "comment": ""}
        assert post(admin, "questionnaire/", **filled).url == BASE
    assert "Thank you for reading" in admin.get(BASE).text
    for page in pages:
        assert page.text.count(MARK) == 2
        assert not re.search(r'(href|src|action|url)="/reading/', page.text)
        text = re.sub(r'<script id="texts".*?</script>', "", page.text, flags=re.S)
        assert "perturbed" not in text and "original" not in text
    stored = [row.image.open().read() for row in Stimulus.objects.filter(case__study=study)]
    assert sorted(images) == sorted(stored)
    assert admin.get(f"/preview/image/{'x' * 22}").status_code == 404
    written = [query["sql"] for query in queries.captured_queries if not query["sql"].startswith(("SELECT", "SAVEPOINT",
               "RELEASE"))]  # fmt: skip
    assert all("django_session" in sql for sql in written), written
    assert not Response.objects.exists() and not ReadingSession.objects.exists()
    assert study.assignments.count() == 1


def test_looking_at_a_page_writes_nothing(admin):
    study = factories.open_study()
    enter(admin)
    token, guide = state(admin)["current"]["first"], study.guide_images.first().token
    names = ("", "consent/", "instructions/", "viewing/", "practice/1/", "read/", "change/", "questionnaire/", "state/")
    for address in [*(BASE + name for name in names), f"/preview/image/{token}", f"/preview/guide/{guide}"]:
        with CaptureQueriesContext(connection) as queries:
            admin.get(address)
        assert {query["sql"].split()[0] for query in queries.captured_queries} == {"SELECT"}, address


def test_a_previews_tokens_and_a_readers_are_worth_nothing_to_each_other(admin, client):
    study = factories.open_study()
    enter(admin)
    token = state(admin)["current"]["first"]
    real = Presentation.objects.get(position=1, reading_set__number=1).token
    assert len(token) == len(real)
    assert admin.get(f"/preview/image/{real}").status_code == 404
    assert send(admin, real).status_code == 404
    assert admin.get(f"/reading/image/{token}").status_code == admin.get(f"/reading/image/{real}").status_code == 404
    client.force_login(factories.assignment_of(study).reader)
    assert client.get(f"/reading/image/{token}").status_code == 404
    assert send(client, token, READING).status_code == 404
    assert client.get(f"/reading/image/{real}").status_code == 200
    assert not Response.objects.exists()


def test_only_the_window_is_served_and_only_of_the_study_at_hand(admin):
    factories.open_study()
    factories.open_study(slug="other", seed=2, readers=("someone",))
    enter(admin)
    now = state(admin)
    tokens = [now["current"]["first"], now["next"]["first"]]
    assert [admin.get(f"/preview/image/{token}").status_code for token in tokens] == [200, 200]
    send(admin, tokens[0])
    send(admin, tokens[1])
    assert [admin.get(f"/preview/image/{token}").status_code for token in tokens] == [404, 200]
    admin.post("/preview/study/other/begin-again/")
    assert admin.get(f"/preview/image/{tokens[1]}").status_code == 404
    assert admin.get(BASE + "read/").url == BASE


def test_an_answer_is_held_to_the_rules_of_the_reading(admin):
    factories.open_study(questions=["confidence"])
    enter(admin)
    now = state(admin)
    first, second = now["current"]["first"], now["next"]["first"]
    assert "confidence" in json.loads(send(admin, first).content)["message"]
    assert send(admin, second, confidence=3).status_code == 404
    assert [send(admin, first, confidence=3).status_code for _ in range(2)] == [200, 200]
    assert send(admin, first, confidence=3, key="another-key").status_code == 409
    changed = send(admin, first, confidence=5, key="another-key", replaces=1)
    assert json.loads(changed.content)["revision"] == 2
    assert json.loads(admin.get(f"{BASE}answers/{first}/").content)["confidence"] == 5
    assert post(admin, "finish/", set=1).url == BASE
    assert state(admin)["answered"] == 1


@pytest.mark.parametrize("options", [{}, {"cases": 0}, {"copies": 2, "washout_hours": 336}])
def test_a_draft_can_be_looked_at(admin, options):
    factories.draft_study(**options)
    enter(admin)
    page = admin.get(BASE + "read/")
    assert page.status_code == 200
    assert MARK in page.text
    assert page.text.count('<canvas id="first"') == 1


def test_the_previews_order_cannot_be_drawn_from_the_studys_seed(client, settings):
    study = factories.open_study(cases=8)

    def order() -> list[int]:
        return [row.stimulus.pk for row in Preview(client.session, study).presentations]

    before = order()
    study.seed += 1
    assert order() == before
    settings.SECRET_KEY = "another key of the server, which nobody knows"
    assert order() != before
