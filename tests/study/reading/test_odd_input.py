"""Numbers, dates and texts out of range, as a program may send them: 400, and nothing stored."""

import json

import pytest
from django.test import Client

from study.models import Response
from tests import factories

pytestmark = pytest.mark.django_db
BASE = "/reading/study/small/"
LONE = "\ud800" * 8


@pytest.fixture
def reader(client: Client) -> Client:
    factories.open_study()
    client.post("/sign-in/", {"username": "reader", "password": factories.PASSWORD})
    client.post(BASE + "viewing/", {"viewing": "{}"})
    return client


def post(client: Client, path: str, body: object) -> int:
    return client.post(BASE + path, json.dumps(body), content_type="application/json").status_code


def an_answer(client: Client) -> dict:
    token = client.get(BASE + "state/").json()["state"]["current"]["first"]
    return {"token": token, "key": "0123456789abcdef", "answer": "tumour", "replaces": 0}


@pytest.mark.parametrize(
    "odd",
    [
        {"shown_at": "0001-01-01T00:00:00+14:00"},
        {"answered_at": "9999-12-31T23:59:59-12:00"},
        {"shown_at": "0001-01-01T00:00:00Z"},
        {"shown_at": 5},
        {"shown_at": LONE},
        {"key": LONE},
        {"key": "\0" * 8},
        {"token": LONE},
        {"answer": LONE},
        {"answer": ["tumour"]},
        {"replaces": 10**30},
        {"replaces": {"a": 1}},
        {"rt_ms": 10**400},
        {"rt_ms": 1e308},
        {"tumour_cell_count": 10**30},
        {"note": {"a": LONE}},
        {LONE: 1, "answer": "x"},
    ],
)
def test_an_answer_with_a_value_out_of_range_is_refused(reader, odd):
    assert post(reader, "answers/", an_answer(reader) | odd) == 400
    assert not Response.objects.exists()


def test_odd_measurements_of_a_screen_are_dropped(reader):
    viewing = {"scale": 10**400, "zoom": LONE, "touch": [1], "inner_width": 800}
    assert post(reader, "answers/", an_answer(reader) | {"viewing": viewing}) == 200
    assert Response.objects.get().viewing == {"inner_width": 800}
    assert reader.post(BASE + "viewing/", {"viewing": "[" * 100_000}).status_code == 302
    assert reader.post(BASE + "viewing/", {"viewing": '{"scale": 1' + "0" * 400 + "}"}).status_code == 302


@pytest.mark.parametrize(
    "sent",
    [
        {"username": ["a"], "password": {"b": 1}, "code": 1},
        {"username": LONE, "password": "x", "code": "R01"},
        {"username": None, "password": None, "code": None},
        {},
        [],
    ],
)
def test_signing_in_with_values_of_another_kind_is_refused(client, sent):
    factories.open_study()
    assert post(client, "sign-in/", sent) == 400


def test_a_document_nested_too_deeply_is_refused(reader):
    answer = reader.post(BASE + "answers/", "[" * 100_000, content_type="application/json")
    assert answer.status_code == 400
