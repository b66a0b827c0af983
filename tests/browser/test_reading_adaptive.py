"""Sixty adaptive pairs by keyboard; the server is killed, the network cut and a reply lost: every answer is there once.

The next pair is chosen from the answers, so that an answer that came twice, or not at all, would show in what follows.
"""

import random
import threading

import pytest

from tests import factories
from tests.browser.conftest import enter_room
from tests.own_server import OwnServer

pytestmark = pytest.mark.slow

PAIRS = 60
KILLED_AT = {9, 41}
CUT_AT = {22, 50}
ANSWER_LOST_AT = 31  # the server has stored the answer and chosen the next pair, but its reply never arrives
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
    context = chromium.new_context(viewport={"width": 1280, "height": 720}, base_url=server.address)
    context.set_default_timeout(120_000)
    page = context.new_page()
    page.goto("/sign-in/")
    page.fill("input[name=username]", "reader")
    page.fill("input[name=password]", factories.PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/reading/")
    enter_room(page)
    yield page
    context.close()


def lose_the_reply(route) -> None:
    route.fetch()
    route.abort()


def answer(page, server, number: int, key: str) -> None:
    if number in KILLED_AT:
        server.kill()
        threading.Timer(1.0, server.start).start()
    elif number in CUT_AT:
        page.context.set_offline(True)
    elif number == ANSWER_LOST_AT:
        page.route("**/answers/", lose_the_reply, times=1)
    page.keyboard.press(key)
    if number in CUT_AT:
        page.wait_for_selector("#banner:not([hidden])")
        page.wait_for_timeout(700)
        page.context.set_offline(False)


def test_sixty_adaptive_pairs_are_there_once_and_every_level_follows_from_them(page, server):
    images = []
    page.on("request", lambda request: images.append(request.url) if "/reading/image/" in request.url else None)
    rng = random.Random(3)
    keys = [rng.choice("lr") for _ in range(PAIRS)]
    for number, key in enumerate(keys, start=1):
        page.wait_for_selector('#room[data-ready="yes"]')
        assert page.text_content("#position").strip() == str(number)
        assert len(set(images)) <= 2 * number  # nothing was fetched ahead
        answer(page, server, number, key)
        if number < PAIRS:
            page.wait_for_function(
                "n => document.getElementById('position').textContent.trim() == n", arg=str(number + 1)
            )
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
