"""Two tabs of one reader answer the same image at the same moment, repeat themselves, and come late."""

import json
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from study.blinding.browser import Browser
from tests.trust import sizes
from tests.trust.ledger import FINISHED, ROWS, Ledger
from tests.trust.readers import draw_answer, prepare

pytestmark = [pytest.mark.trust, pytest.mark.slow]

READERS = 4
BASE = "/reading/study/storm-0/"


class Tabs:
    """Two windows of one browser: they share cookies, not connections."""

    def __init__(self, server, session: str, ledger: Ledger):
        self.ledger = ledger
        self.tabs = []
        for _ in range(2):
            cookies = httpx.Cookies()
            cookies.set("sessionid", session, domain="127.0.0.1")
            self.tabs.append(Browser(server.address, cookies))
        self.rng = random.Random(session)
        self.pool = ThreadPoolExecutor(2)
        self.late: dict | None = None
        self.replies: Counter = Counter()

    def state(self, tab: Browser) -> dict:
        return json.loads(tab.exchange("state", BASE + "state/").body)["state"]

    def document(self, token: str) -> dict:
        return draw_answer(self.ledger, self.rng, token)

    def both(self, first: dict, second: dict) -> list[int]:
        """The two tabs send at once; what is acknowledged goes into the ledger."""
        sent = [self.pool.submit(tab.document, "answer", BASE + "answers/", document)
                for tab, document in zip(self.tabs, (first, second))]  # fmt: skip
        replies = [future.result() for future in sent]
        for document, reply in zip((first, second), replies):
            self.replies[reply.status] += 1
            if reply.status == 200:
                self.ledger.acknowledge(document["key"], json.loads(reply.body)["revision"])
        return sorted(reply.status for reply in replies)

    def round(self) -> None:
        """Two answers to one image: one is taken. One answer twice: both are told the same. A late one: not taken."""
        state = self.state(self.tabs[0])
        if state["stage"] == "set_done":
            self.tabs[1].form(BASE + "finish/", set=state["set"])
            state = self.state(self.tabs[0])
            self.late = None
        token = state["current"]["first"]
        first, second = self.document(token), self.document(token)
        self.expect(self.both(first, second), [200, 409], "two answers to one image")
        if state["next"] is None:
            return
        same = self.document(self.state(self.tabs[1])["current"]["first"])
        self.expect(self.both(same, same), [200, 200], "one answer, sent twice")
        if self.late is not None:
            # A tab that slept wakes up and sends its answer to an image of long ago, and repeats a taken one.
            answered = self.document(self.late["token"])
            self.expect(self.both(answered, answered), [409, 409], "an answer that comes late")
            self.expect(self.both(self.late, self.late), [200, 200], "a taken answer, sent once more")
        self.late = same

    def expect(self, got: list[int], wanted: list[int], what: str) -> None:
        if got != wanted:
            self.ledger.wrong.append(f"{what}: {got}, not {wanted}")

    def close(self) -> None:
        self.pool.shutdown()
        for tab in self.tabs:
            tab.close()


def test_two_tabs_store_one_answer_per_image(own_server, judge):
    sessions, _ = prepare(own_server, READERS, answers=160)
    own_server.start()
    ledger = Ledger()
    tabs = [Tabs(own_server, session, ledger) for session in sessions.values()]
    for one in tabs:
        one.state(one.tabs[1])  # each tab's first state gives it the token for forms

    def read(one: Tabs) -> None:
        for _ in range(sizes.ROUNDS):
            one.round()
        one.close()

    with ThreadPoolExecutor(READERS) as threads:
        list(threads.map(read, tabs))
    replies = sum((one.replies for one in tabs), Counter())
    verdict = ledger.compare(own_server.rows(ROWS), own_server.rows(FINISHED))
    judge("doubled and late answers from two tabs", sum(replies.values()), verdict, replies=dict(replies))
