"""Eighty presentations by keyboard; the server is killed twice and the network cut three times: every answer, once."""

import random
import threading

import pytest

from tests import factories
from tests.browser.conftest import enter_room
from tests.own_server import OwnServer

pytestmark = pytest.mark.slow

KILLED_AT = {12, 55}
CUT_AT = {25, 40, 63}
ANSWER_LOST_AT = 33  # the server has stored the answer, but its reply never arrives


@pytest.fixture
def server(tmp_path):
    own = OwnServer(tmp_path)
    own.prepare(cases=20, copies=2, size=64, min_gap=5)
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
    """The request goes through; what comes back is thrown away."""
    route.fetch()
    route.abort()


def answer(page, server, number: int, key: str) -> None:
    """Press one key in whatever weather the test has made, and wait until the page has moved on."""
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


def test_every_answer_is_there_once(page, server):
    rng = random.Random(7)
    keys = [rng.choice("tn") for _ in range(80)]
    for number, key in enumerate(keys, start=1):
        page.wait_for_selector('#room[data-ready="yes"]')
        position = (number - 1) % 40 + 1
        assert page.text_content("#position").strip() == str(position)
        answer(page, server, number, key)
        if position < 40:
            page.wait_for_function(
                "n => document.getElementById('position').textContent.trim() == n", arg=str(position + 1)
            )
        else:
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
