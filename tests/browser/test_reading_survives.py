"""Eighty presentations by keyboard; the server is killed twice and the network cut three times: every answer, once."""

import random

import pytest

from tests.browser.weather import Weather, reading_room
from tests.own_server import OwnServer

pytestmark = pytest.mark.slow

PER_SET = 40
WEATHER = Weather(killed_at=frozenset({12, 55}), cut_at=frozenset({25, 40, 63}), answer_lost_at=33)


@pytest.fixture
def server(tmp_path):
    own = OwnServer(tmp_path)
    own.prepare(cases=20, copies=2, size=64, min_gap=5)
    own.start()
    yield own
    own.kill()


@pytest.fixture
def page(chromium, server):
    with reading_room(chromium, server) as page:
        yield page


def test_every_answer_is_there_once(page, server):
    rng = random.Random(7)
    keys = [rng.choice("tn") for _ in range(80)]
    for number, key in enumerate(keys, start=1):
        WEATHER.answer(page, server, number, key, last=PER_SET)
        if number % PER_SET == 0:
            page.click("#finish")
            page.wait_for_url("**/study/small/")
            if number == 40:
                page.goto("/reading/study/small/read/")
    stored = server.rows(
        "SELECT s.number, p.position, r.answer, r.revision FROM study_response r"
        " JOIN study_presentation p ON p.id = r.presentation_id JOIN study_readingset s ON s.id = p.reading_set_id"
        " ORDER BY s.number, p.position, r.revision"
    )
    expected = {"t": "tumour", "n": "no_tumour"}
    assert stored == [
        ((number - 1) // 40 + 1, (number - 1) % 40 + 1, expected[key], 1) for number, key in enumerate(keys, start=1)
    ]
    assert server.rows("SELECT count(*) FROM study_readingset WHERE completed_at IS NOT NULL") == [(2,)]
