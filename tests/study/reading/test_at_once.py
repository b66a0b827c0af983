"""Many requests at the same moment, on the real server: one answer each, whatever comes twice or crosswise."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from study.blinding.browser import Browser
from tests import factories
from tests.own_server import OwnServer

BASE = "/reading/study/small/"


@pytest.fixture
def server(tmp_path):
    own = OwnServer(tmp_path)
    own.prepare(cases=4, copies=1, size=16)
    own.start()
    yield own
    own.kill()


def post_all(browser: Browser, sent: list[dict]) -> list[int]:
    """Every document over a connection of its own, all at once."""

    def post(document: dict) -> int:
        own = Browser(browser.address, browser.cookies)
        try:
            return own.document("answer", BASE + "answers/", document).status
        finally:
            own.close()

    with ThreadPoolExecutor(len(sent)) as pool:
        return sorted(pool.map(post, sent))


@pytest.mark.slow
def test_retries_and_rivals_at_the_same_moment_give_one_answer_each(server):
    browser = Browser(server.address)
    browser.sign_in("reader", factories.PASSWORD)
    browser.form(BASE + "viewing/")

    def current() -> str:
        return json.loads(browser.exchange("state", BASE + "state/").body)["state"]["current"]["first"]

    first = {"token": current(), "answer": "tumour", "replaces": 0}
    assert post_all(browser, [first | {"key": "the-same-key"}] * 8) == [200] * 8
    second = {"token": current(), "answer": "no_tumour", "replaces": 0}
    statuses = post_all(browser, [second | {"key": f"rival-key-{number}"} for number in range(8)])
    assert statuses == [200] + [409] * 7
    changes = [second | {"key": f"change-key-{number}", "replaces": 1} for number in range(8)]
    assert post_all(browser, changes) == [200] + [409] * 7
    stored = server.rows(
        "SELECT p.position, r.revision FROM study_response r JOIN study_presentation p ON p.id = r.presentation_id"
        " ORDER BY 1, 2"
    )
    assert stored == [(1, 1), (2, 1), (2, 2)]
    browser.close()
