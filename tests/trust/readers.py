"""Readers who never give up: each answers through the real pages, and sends again what was not acknowledged."""

import json
import random
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any

import httpx

from study.blinding.browser import Browser
from study.blinding.seen import Exchange
from tests.own_server import OwnServer
from tests.trust.ledger import FINISHED, ROWS, Ledger, Sent, Verdict

CASES = 20
SET = 2 * CASES  # presentations
REVISED, RELOADED = 0.1, 0.2


class Stopped(Exception):
    """The test has ended while a request was being repeated."""


def draw_answer(ledger: Ledger, rng: random.Random, token: str, replaces: int = 0) -> dict[str, Any]:
    """An answer as the page sends it, written down in the ledger before."""
    key = secrets.token_hex(16)
    answer = rng.choice(["tumour", "no_tumour"])
    sent = Sent(token, answer, confidence=rng.randint(1, 5), rt_ms=rng.randint(1, 10**6) / 8)
    ledger.send(key, sent)
    return {**sent._asdict(), "key": key, "replaces": replaces, "focus_lost_ms": 0}


class Reader:
    """One reader of ``studies``, one after the other."""

    def __init__(self, name: str, session: str, server: OwnServer, studies: list[str], ledger: Ledger, pace_s: float):
        cookies = httpx.Cookies()
        cookies.set("sessionid", session, domain="127.0.0.1")
        self.name, self.studies, self.ledger, self.pace_s = name, studies, ledger, pace_s
        self.browser = Browser(server.address, cookies)
        self.rng = random.Random(name)
        self.stop = Event()
        self.base = ""

    def read(self) -> None:
        try:
            for slug in self.studies:
                self.base = f"/reading/study/{slug}/"
                self._read_study(slug)
        except Stopped:
            pass
        except BaseException as error:
            self.ledger.wrong.append(f"{self.name}: {error!r}")
            raise
        finally:
            self.browser.close()

    def _read_study(self, slug: str) -> None:
        state = self.state()
        while state["stage"] in ("reading", "set_done") and not self.stop.is_set():
            if state["stage"] == "set_done":
                self._finish(slug, state["set"])
                state = self.state()
                continue
            before, token = state["answered"], state["current"]["first"]
            started = time.perf_counter()
            state, revision = self.answer(token, replaces=0)
            self.ledger.times.append(1000 * (time.perf_counter() - started))
            if revision and state["answered"] != before + 1:
                self.ledger.wrong.append(f"{self.name}: {before} answered, then {state['answered']}")
            if revision and state["previous"] and self.rng.random() < REVISED:
                state, _ = self.answer(token, replaces=revision)
            if state["current"]:
                self._get("image", f"/reading/image/{state['current']['first']}")
            self.stop.wait(self.pace_s * self.rng.uniform(0.5, 1.5))
        if not self.stop.is_set() and state["stage"] not in ("questionnaire", "finished"):
            raise RuntimeError(f"'{slug}' is at stage {state['stage']}")

    def _finish(self, slug: str, number: int) -> None:
        self.until_answered(lambda: self.browser.form(self.base + "finish/", set=number), {302})
        self.ledger.finished.add((slug, self.name, number))

    def _get(self, kind: str, path: str) -> Exchange:
        return self.until_answered(lambda: self.browser.exchange(kind, path), {200})

    def state(self) -> dict[str, Any]:
        return json.loads(self._get("state", self.base + "state/").body)["state"]

    def answer(self, token: str, replaces: int) -> tuple[dict[str, Any], int]:
        """The state after it, and its revision; 0 where the page was loaded again before it was acknowledged."""
        document = draw_answer(self.ledger, self.rng, token, replaces)
        may_reload = self.rng.random() < RELOADED

        def send() -> Exchange:
            return self.browser.document("answer", self.base + "answers/", document)

        exchange = self.until_answered(send, {200}, give_up=may_reload)
        if exchange is None:
            return self.state(), 0
        reply = json.loads(exchange.body)
        self.ledger.acknowledge(document["key"], reply["revision"])
        if reply["revision"] != replaces + 1:
            self.ledger.wrong.append(f"{self.name}: revision {reply['revision']} after {replaces}")
        return reply["state"], reply["revision"]

    def until_answered(self, send: Callable[[], Exchange], wanted: set[int], give_up: bool = False) -> Any:
        """Again and again, as the page's outbox does; None where it is given up after the first failure."""
        while True:
            try:
                exchange = send()
            except httpx.TransportError as error:
                self.ledger.fail(type(error).__name__)
            else:
                if exchange.status in wanted:
                    return exchange
                self.ledger.fail(str(exchange.status))
                if exchange.status < 500:
                    raise RuntimeError(f"{exchange.address}: {exchange.status} {exchange.body[:300]!r}")
            if give_up:
                return None
            if self.stop.wait(0.1):
                raise Stopped


class Reading:
    """What a test sees of readers at work."""

    def __init__(self, server: OwnServer, readers: list[Reader], ledger: Ledger):
        self.server, self.readers, self.ledger = server, readers, ledger
        self.working: list[Any] = []

    def wait_for_answers(self, more: int, seconds: float = 120.0) -> None:
        """Until so many further answers have been acknowledged.

        Raises:
            AssertionError: nobody reads any more.
        """
        wanted, end = len(self.ledger.acknowledged) + more, time.monotonic() + seconds
        while len(self.ledger.acknowledged) < wanted:
            gone = [work for work in self.working if work.done()]
            assert not gone, f"{len(gone)} readers have ended: {self.ledger.wrong[:3]}"
            assert time.monotonic() < end, f"no answers for {seconds:.0f} s: {self.ledger.failed}"
            time.sleep(0.01)

    def verdict(self) -> Verdict:
        return self.ledger.compare(self.server.rows(ROWS), self.server.rows(FINISHED))


@contextmanager
def reading(server: OwnServer, sessions: dict[str, str], studies: list[str], pace_s: float) -> Iterator[Reading]:
    """All readers answer while the block runs; then each ends its step."""
    ledger = Ledger()
    readers = [Reader(name, key, server, studies, ledger, pace_s) for name, key in sessions.items()]
    with ThreadPoolExecutor(len(readers)) as threads:
        at_work = Reading(server, readers, ledger)
        at_work.working = [threads.submit(reader.read) for reader in readers]
        try:
            yield at_work
        finally:
            for reader in readers:
                reader.stop.set()


def prepare(server: OwnServer, readers: int, answers: int) -> tuple[dict[str, str], list[str]]:
    """Studies with ``answers`` presentations or more for each reader; a session key each, and the studies' names."""
    studies = -(-answers // (4 * SET))
    sessions = server.prepare(
        readers=[f"reader-{number}" for number in range(readers)], studies=studies, slug="storm", passwords=False,
        cases=CASES, copies=4, size=64, min_gap=5, questions=["confidence"],
    )  # fmt: skip
    return sessions, [f"storm-{number}" for number in range(studies)]
