"""The audit's walk: sign in, read every presentation of a study, keep all answers, and probe what must not exist."""

import json
import random
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from study.blinding.browser import Browser, decoded
from study.blinding.seen import Exchange, Seen

COMPRESSIONS = "gzip, deflate, br"  # all that readers' browsers offer: a compressed image would tell of its content


class WalkFailed(RuntimeError):
    """The pages did not lead a reader through the study."""


@dataclass
class Reader:
    """Who walks, and what no browser knows: all the reader's tokens, and one of another reader, to probe with."""

    code: str
    username: str
    password: str
    tokens: dict[tuple[int, int], str]
    foreign: str = ""
    questions: tuple[str, ...] = ()
    answers: tuple[str, str] = ("tumour", "no_tumour")
    language: str = ""


def _probes(browser: Browser, reader: Reader, number: int, position: int) -> Iterator[Exchange]:
    """Requests that must find nothing now: tokens from two ahead, from two back, guessed, and another reader's."""
    tried = {
        "ahead": reader.tokens.get((number, position + 2), ""),
        "replayed": reader.tokens.get((number, position - 2), ""),
        "guessed": secrets.token_urlsafe(16),
        "another reader's": reader.foreign,
    }
    for kind, token in tried.items():
        # Where there is no such token, a guessed one is used, so that every presentation is probed alike.
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
    seen: list[Seen] = []
    with Browser(address, accept_encoding=COMPRESSIONS) as browser:
        browser.sign_in(reader.username, reader.password)
        if reader.language:
            browser.form("/language/", language=reader.language)
        browser.on_request = on_request
        browser.form(base + "viewing/", viewing='{"pixels_per_mm": 4.2}')
        while True:
            state_exchange = browser.exchange("state", base + "state/")
            state = json.loads(decoded(state_exchange))["state"]
            if state["stage"] == "set_done":
                browser.form(base + "finish/", set=state["set"])
            elif state["stage"] == "reading":
                seen.append(_read_one(browser, reader, base, state, state_exchange, rng, probe))
                on_step()
            elif state["stage"] == "questionnaire":
                return seen
            else:
                raise WalkFailed(f"reader {reader.code} is at '{state['stage']}' after {len(seen)} presentations")


def _read_one(
    browser: Browser, reader: Reader, base: str, state: dict, state_exchange: Exchange, rng: random.Random, probe: bool
) -> Seen:
    current = state["current"]
    tokens = tuple(token for token in (current["first"], current["second"]) if token)
    exchanges = [state_exchange, browser.exchange("page", base + "read/")]
    for kind, token in zip(("image", "second"), tokens):
        exchanges.append(browser.exchange(kind, f"/reading/image/{token}"))
    number, position = state["set"], state["answered"] + 1
    reader.tokens.setdefault((number, position), current["first"])  # those of an adaptive set are made one by one
    probes = tuple(_probes(browser, reader, number, position)) if probe else ()
    answer = _answer(reader, rng) | {"token": current["first"], "key": f"{rng.getrandbits(128):032x}", "replaces": 0}
    exchanges.append(browser.document("answer", base + "answers/", answer))
    if exchanges[-1].status != 200:
        raise WalkFailed(f"an answer was refused with {exchanges[-1].status}: {exchanges[-1].body[:200]!r}")
    # What a reader receives who goes back to change the answer.
    exchanges.append(browser.exchange("given", f"{base}answers/{current['first']}/"))
    exchanges.append(browser.exchange("change", base + "change/"))
    chose_first = answer["answer"] == reader.answers[0]
    return Seen(reader.code, number, position, tokens, tuple(exchanges), probes, chose_first)
