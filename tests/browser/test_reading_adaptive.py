"""Sixty adaptive pairs by keyboard; the server is killed, the network cut and a reply lost: every answer is there once.

The next pair is chosen from the answers, so that an answer that came twice, or not at all, would show in what follows.
"""

import random

import pytest

from tests.browser.weather import Weather, reading_room
from tests.own_server import OwnServer

pytestmark = pytest.mark.slow

PAIRS = 60
WEATHER = Weather(killed_at=frozenset({9, 41}), cut_at=frozenset({22, 50}), answer_lost_at=31)
RELOADED_AT = 36


@pytest.fixture
def server(tmp_path):
    own = OwnServer(tmp_path)
    own.prepare(ladder_="adaptive", cases=5, size=64, min_gap=3, trials=27, identical=6)
    own.start()
    yield own
    own.kill()


@pytest.fixture
def page(chromium, server):
    with reading_room(chromium, server) as page:
        yield page


def test_sixty_adaptive_pairs_are_there_once_and_every_level_follows_from_them(page, server):
    images = []
    page.on("request", lambda request: images.append(request.url) if "/reading/image/" in request.url else None)
    rng = random.Random(3)
    keys = [rng.choice("lr") for _ in range(PAIRS)]
    for number, key in enumerate(keys, start=1):
        page.wait_for_selector('#room[data-ready="yes"]')
        assert len(set(images)) <= 2 * number  # nothing was fetched ahead
        WEATHER.answer(page, server, number, key, last=PAIRS)
        if number == RELOADED_AT:
            page.reload()
    page.wait_for_selector("#done:not([hidden])")
    page.click("#finish")
    page.wait_for_url("**/study/small/")

    stored = server.rows(
        "SELECT p.position, r.answer, r.revision FROM study_response r"
        " JOIN study_presentation p ON p.id = r.presentation_id ORDER BY p.position, r.revision"
    )
    expected = {"l": "first", "r": "second"}
    assert stored == [(number, expected[key], 1) for number, key in enumerate(keys, start=1)]
    assert server.rows("SELECT count(*) FROM study_presentation") == [(PAIRS,)]
    assert server.rows("SELECT count(*) FROM study_readingset WHERE completed_at IS NOT NULL") == [(1,)]
    verified = server.manage("verify", "small")
    assert verified.returncode == 0, verified.stdout + verified.stderr
