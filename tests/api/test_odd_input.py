"""Numbers and texts out of range in the API: 400 with the field, never a server error."""

import json

import pytest
from knox.models import AuthToken

from jobs.models import Job
from tests import factories

pytestmark = pytest.mark.django_db
HUGE = 99999999999999999999


@pytest.fixture
def ask(client):
    key = AuthToken.objects.create(user=factories.user("ada", "admin"))[1]

    def call(path: str, body: object = None):
        headers = {"Authorization": f"Token {key}"}
        if body is None:
            return client.get("/api/v1/" + path, headers=headers)
        sent = body if isinstance(body, str) else json.dumps(body)
        return client.post("/api/v1/" + path, sent, content_type="application/json", headers=headers)

    return call


@pytest.mark.parametrize("header", ["Token \xff\xfe", "Token a\x00b", "Token", "Token \xff x"])
def test_a_token_that_is_no_text_is_refused(client, header):
    assert client.get("/api/v1/studies/", headers={"Authorization": header}).status_code in (400, 401)


@pytest.mark.parametrize("query", [f"limit={HUGE}", f"offset={HUGE}", f"limit=5&offset={HUGE}"])
@pytest.mark.parametrize("rows", ["datasets", "jobs", "studies"])
def test_a_limit_out_of_range_is_refused_with_its_name(ask, rows, query):
    answer = ask(f"{rows}/?{query}")
    assert answer.status_code == 400 and set(answer.json()) <= {"limit", "offset"}


@pytest.mark.parametrize("query", [f"parent={HUGE}", "parent=%00", "state=%F0%9F%98%80", "kind=%ED%A0%80"])
def test_an_odd_filter_finds_nothing_or_is_refused(ask, query):
    assert ask(f"jobs/?{query}").status_code in (200, 400)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("datasets/pannuke/", {"name": "a", "folds": ["x" * 400]}),
        ("datasets/pannuke/", {"name": "a", "folds": ["a\0b"]}),
        ("datasets/pannuke/", {"name": "a", "folds": ["\ud800"]}),
        ("datasets/", {"name": "a", "folder": "x" * 400}),
        ("datasets/", {"name": "a", "folder": "x", "size": HUGE}),
        ("datasets/", {"name": "\ud800", "folder": "x"}),
        ("datasets/", {"\ud800": 1}),
        ("pairs/", {"name": "a", "folder": "x" * 400}),
        ("pairs/", {"name": "a", "folder": "x", "classifier": "\ud800"}),
        ("attacks/", {"kind": "pgd", "classifier": ["a"], "seed": HUGE}),
        ("attacks/", {"kind": "pgd", "classifier": "x", "budget": 10**400}),
        ("attacks/", "[" * 100_000),
        ("studies/", {"name": "a", "seed": 1.5, "margin": 10**400}),
        ("studies/", [1, 2]),
        ("studies/", '{"name": NaN}'),
    ],
)
def test_a_request_with_a_value_out_of_range_is_refused(ask, path, body):
    assert ask(path, body).status_code == 400
    assert not Job.objects.exists()


@pytest.mark.parametrize("path", ["classifiers/1/curves/", "studies/", "jobs/1/"])
def test_options_are_not_asked_for(client, path):
    key = AuthToken.objects.create(user=factories.user("ada", "admin"))[1]
    assert client.options(f"/api/v1/{path}", headers={"Authorization": f"Token {key}"}).status_code == 405
