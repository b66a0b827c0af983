"""A reader's browser that keeps everything: signs in, reads every presentation of a study, and probes what is shut."""

import http.client
import json
import random
import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from study.blinding.seen import Exchange, Seen


class WalkFailed(RuntimeError):
    """The pages did not lead a reader through the study."""


@dataclass
class Browser:
    """One connection kept alive, with cookies."""

    address: str
    cookies: dict[str, str] = field(default_factory=dict)
    connection: http.client.HTTPConnection | None = None
    used: bool = False
    on_request: Callable[[str], None] = lambda path: None

    def exchange(self, kind: str, path: str, body: bytes | None = None, type_: str = "") -> Exchange:
        """Send one request and keep all of its answer; times from the first byte sent to the last received."""
        self.on_request(path)
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        headers |= {"Accept-Encoding": "gzip, deflate, br", "X-CSRFToken": self.cookies.get("csrftoken", "")}
        if body is not None:
            headers["Content-Type"] = type_
        try:
            response, content, seconds = self._send(path, body, headers)
        except (http.client.RemoteDisconnected, ConnectionError):
            if not self.used:
                raise
            # A server may close a connection that was idle for a while, just as we send: RFC 9112, 9.3.1.
            self.close()
            response, content, seconds = self._send(path, body, headers)
        for name, value in response.getheaders():
            if name.lower() == "set-cookie":
                key, _, rest = value.partition("=")
                self.cookies[key] = rest.partition(";")[0]
        return Exchange(kind, path, response.status, tuple(response.getheaders()), content, seconds)

    def _send(
        self, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[http.client.HTTPResponse, bytes, float]:
        if self.connection is None:
            self.connection = http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=120)
        started = time.perf_counter()
        self.connection.request("GET" if body is None else "POST", path, body=body, headers=headers)
        response = self.connection.getresponse()
        content = response.read()
        self.used = True
        return response, content, time.perf_counter() - started

    def form(self, path: str, **fields: Any) -> Exchange:
        return self.exchange("form", path, urlencode(fields).encode(), "application/x-www-form-urlencoded")

    def document(self, kind: str, path: str, value: dict[str, Any]) -> Exchange:
        return self.exchange(kind, path, json.dumps(value).encode(), "application/json")

    def close(self) -> None:
        if self.connection:
            self.connection.close()
        self.connection, self.used = None, False


def sign_in(address: str, username: str, password: str) -> Browser:
    browser = Browser(address)
    page = browser.exchange("page", "/sign-in/")
    found = re.search(rb'name="csrfmiddlewaretoken" value="([^"]+)"', page.body)
    if found is None:
        raise WalkFailed(f"no sign-in form at {address}/sign-in/ ({page.status})")
    token = found[1].decode()
    answer = browser.form("/sign-in/", username=username, password=password, csrfmiddlewaretoken=token)
    if answer.status != 302:
        raise WalkFailed(f"signing in was answered by {answer.status}")
    return browser


@dataclass
class Reader:
    """Who walks, and what the audit knows of them that no browser does: all their tokens, to try the shut ones."""

    code: str
    username: str
    password: str
    tokens: dict[tuple[int, int], str]
    foreign: str = ""
    questions: tuple[str, ...] = ()
    answers: tuple[str, str] = ("tumour", "no_tumour")


def _probes(browser: Browser, reader: Reader, number: int, position: int) -> Iterator[Exchange]:
    """Names that must not exist now: two ahead, two back, guessed, and another reader's."""
    tried = {
        "ahead": reader.tokens.get((number, position + 2), ""),
        "replayed": reader.tokens.get((number, position - 2), ""),
        "guessed": secrets.token_urlsafe(16),
        "another reader's": reader.foreign,
    }
    for kind, token in tried.items():
        # Where there is none to try, a guess stands in, so that every presentation is probed alike.
        yield browser.exchange(kind, f"/reading/image/{token or secrets.token_urlsafe(16)}")


def _answer(reader: Reader, rng: random.Random) -> dict[str, Any]:
    """An answer that has nothing to do with the image."""
    asked = {
        "confidence": rng.randint(1, 5),
        "perturbed_response": rng.random() < 0.5,
        "tumour_cell_count": rng.randint(0, 30),
    }
    chosen = {name: value for name, value in asked.items() if name in reader.questions}
    return {"answer": rng.choice(reader.answers), **chosen}


def walk(
    address: str,
    slug: str,
    reader: Reader,
    *,
    seed: int = 0,
    probe: bool = True,
    on_step: Callable[[], None] = lambda: None,
    on_request: Callable[[str], None] = lambda path: None,
) -> list[Seen]:
    """Read every set of the study to its end, as the page with JavaScript does; what was received, in order."""
    base = f"/reading/study/{slug}/"
    rng = random.Random(f"{seed} {reader.code}")
    browser = sign_in(address, reader.username, reader.password)
    browser.on_request = on_request
    try:
        browser.form(base + "viewing/", viewing="{}", csrfmiddlewaretoken=browser.cookies["csrftoken"])
        seen: list[Seen] = []
        while True:
            state_exchange = browser.exchange("state", base + "state/")
            state = json.loads(state_exchange.body)["state"]
            if state["stage"] == "set_done":
                browser.form(base + "finish/", set=state["set"], csrfmiddlewaretoken=browser.cookies["csrftoken"])
            elif state["stage"] == "reading":
                seen.append(_read_one(browser, reader, base, state, state_exchange, rng, probe))
                on_step()
            elif state["stage"] == "questionnaire":
                return seen
            else:
                raise WalkFailed(f"reader {reader.code} stands at '{state['stage']}' after {len(seen)} presentations")
    finally:
        browser.close()


def _read_one(
    browser: Browser, reader: Reader, base: str, state: dict, state_exchange: Exchange, rng: random.Random, probe: bool
) -> Seen:
    named = state["current"]
    tokens = tuple(token for token in (named["first"], named["second"]) if token)
    exchanges = [state_exchange, browser.exchange("page", base + "read/")]
    for kind, token in zip(("image", "second"), tokens):
        exchanges.append(browser.exchange(kind, f"/reading/image/{token}"))
    number, position = state["set"], state["answered"] + 1
    probes = tuple(_probes(browser, reader, number, position)) if probe else ()
    answer = _answer(reader, rng) | {"token": named["first"], "key": f"{rng.getrandbits(128):032x}", "replaces": 0}
    exchanges.append(browser.document("answer", base + "answers/", answer))
    if exchanges[-1].status != 200:
        raise WalkFailed(f"an answer was refused with {exchanges[-1].status}: {exchanges[-1].body[:200]!r}")
    # What a reader sees who goes back to change it.
    exchanges.append(browser.exchange("given", f"{base}answers/{named['first']}/"))
    exchanges.append(browser.exchange("change", base + "change/"))
    return Seen(reader.code, number, position, tokens, tuple(exchanges), probes)
