# ruff: noqa: E501
"""What was once a server error, one request each; on PostgreSQL by ``make test-services``, too."""

import json

import pytest

from tests.web.cast import World
from tests.web.odd import Odd, Sent

DEEP, HUGE = "[" * 100_000, 10**400


@pytest.fixture
def odd(db, tmp_path) -> Odd:
    return Odd(World(tmp_path))


def document(**fields) -> bytes:
    return json.dumps(fields).encode()


ANSWER = {"token": "x" * 22, "key": "k" * 20, "answer": "tumour"}
SIGN_IN = "/reading/study/open/sign-in/"
CRAFTED = [
    Sent("admin", "GET", "/new-study/power"),
    Sent("admin", "GET", "/new-study/power?positives=" + "9" * 5_000),
    Sent("researcher", "GET", "/studies/unblinded/results/figure/forest.svg"),
    Sent("researcher", "GET", "/studies/unblinded/results/figure/psychometric.svg"),
    *(Sent("stranger", "POST", SIGN_IN, document(username="reader", password=odd, code="R01"), "application/json")
      for odd in (["x"], 5, {"a": 1}, None, "\ud800", "a\0b", "x" * 100_000)),
    *(Sent("stranger", "POST", SIGN_IN, document(username=odd, password="x", code="R01"), "application/json")
      for odd in (["x"], 5, "\ud800", "a\0b", "x" * 100_000)),
    *(Sent("reader", "POST", "/reading/study/open/answers/", document(**ANSWER | {name: odd}), "application/json")
      for name in ("rt_ms", "shown_at", "replaces", "viewing", "confidence", "note", "token", "key")
      for odd in (HUGE, "9999-12-31T23:59:59-23:59", "\ud800", "a\0b", [[]], {"\ud800": 1}, float("nan"), "9" * 5_000)),
    Sent("reader", "POST", "/reading/study/open/answers/", DEEP.encode(), "application/json"),
    Sent("reader", "POST", "/reading/study/open/viewing/", b"viewing=" + DEEP.encode()),
    Sent("reader", "POST", "/reading/study/open/viewing/", b"viewing=%7B%22a%22%3A%22%5Cud800%5Cu0000%22%7D"),
    Sent("reader", "POST", "/reading/study/open/viewing/", b"viewing=%7B%22a%22%3A1e999%7D"),
    Sent("reader", "POST", "/reading/study/open/viewing/", b"viewing={}", headers={"User-Agent": "a\0b\ud800"[:2] + "\xff"}),
    *(Sent("reader", "GET", f"/reading/{what}") for what in ("image/a%00b", "guide/a%00b", "image/%ED%A0%80", "study/open/answers/a%00b/")),
    *(Sent("admin", "GET", f"/preview/{what}") for what in ("image/a%00b", "guide/a%00b", "study/open/answers/a%00b/")),
    *(Sent("stranger", method, "/reading/join/a%00b/", b"password=a%00b&again=a%00b") for method in ("GET", "POST")),
    Sent("admin", "POST", "/studies/open/readers/a%00b/withdraw/", b"reason=a%00b"),
    Sent("admin", "POST", "/studies/open/readers/R01/withdraw/", b"reason=a%00b"),
    Sent("admin", "POST", "/studies/open/readers/a%00b/invite-again/"),
    Sent("admin", "GET", "/new-study/?clone=a%00b"),
    Sent("admin", "GET", "/new-study/?attack=a%00b&pairs=" + "9" * 5_000),
    Sent("admin", "GET", "/attacks/compare/?classifier=" + "9" * 5_000),
    Sent("admin", "GET", "/attacks/compare/?classifier=a%00b"),
    *(Sent("admin", "GET", f"/{where}/?page={odd}") for where in ("jobs", "attacks/1/patches") for odd in ("a%00b", "9" * 5_000, "-1")),
    *(Sent("admin", "GET", f"/{kind}/{'9' * count}/") for kind in ("jobs", "datasets", "attacks", "pairs") for count in (30, 5_000)),
    Sent("researcher", "GET", "/studies/unblinded/results/file/a%00b"),
    Sent("researcher", "GET", "/figures/a%00b/1/"),
    Sent("researcher", "GET", "/figures/classifier/1/roc.a%00b"),
    Sent("researcher", "GET", "/api/v1/studies/open/readers/a%00b/"),
    Sent("researcher", "GET", "/api/v1/studies/unblinded/exports/a%00b"),
    *(Sent("researcher", "GET", f"/api/v1/jobs/?{name}={odd}") for name in ("state", "kind", "parent") for odd in ("a%00b", "%ED%A0%80", "9" * 5_000)),
    Sent("stranger", "POST", "/sign-in/", b"username=a%00b&password=a%00b"),
    Sent("stranger", "POST", "/sign-in/?next=a%00b", b"username=reader&password=x"),
    Sent("admin", "GET", "/admin/core/user/?q=a%00b"),
    Sent("admin", "GET", "/admin/core/user/a%00b/change/"),
    Sent("admin", "POST", "/admin/core/user/add/", b"username=a%00b&password1=a%00b&password2=a%00b"),
    Sent("admin", "GET", "/", headers={"Cookie": "sessionid=a\0b; csrftoken=a\0b"}),
]  # fmt: skip


@pytest.mark.slow
def test_what_was_once_a_server_error_is_refused(odd):
    faults = {}
    for sent in CRAFTED:
        answer = odd.ask(sent)
        if answer.status_code >= 500:
            faults.setdefault(odd.reason(answer), str(sent)[:300])
    assert not faults, "\n".join(f"{reason}\n    {sent}" for reason, sent in faults.items())
