# ruff: noqa: E501
"""Requests that no page sends: any address, any role, any method, with values that nobody expects."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from django.db import transaction
from django.test import Client
from django.urls import Resolver404, resolve
from hypothesis import strategies as st
from lxml import html

from tests.web.addresses import Address, addresses
from tests.web.cast import ROLES, World

TEXTS = [
    "", " ", "\0", "a\0b", "\ud800", "½", "٣", "２", "𝟙", "\u202e", "é" * 300, "x" * 5_000, "9" * 400, "9" * 5_000, "-1", "0", "1",
    "1e400", "-1e400", "nan", "inf", "1_000", "0x10", "99999999999999999999", "2147483648", "9223372036854775808", "1.5",
    "9999-12-31T23:59:59.999999-23:59", "0001-01-01T00:00:00+23:59", "10000-01-01", "2026-02-30", "true", "null", "None", "[]", "{}",
    "[" * 3_000, '{"a":' * 3_000, '"\\ud800"', "../../etc/passwd", "/etc/passwd\0.png", "%00", "%s", "{0}", "{{ 1 }}", "${x}",
    r"$\frac{$", "<script>alert(1)</script>", "' OR 1=1 --", "=1+1", "\r\nSet-Cookie: a=b", "a/b", "a\\b", ".", "..", "\ufeff", "\uffff", "#", "?",
]  # fmt: skip
NUMBERS = [
    0,
    -1,
    1,
    2,
    3,
    1.5,
    10**9,
    2**31,
    2**63,
    10**20,
    10**400,
    -(10**400),
    1e308,
    float("nan"),
    float("inf"),
    1e-320,
]
METHODS = ["GET", "GET", "GET", "POST", "POST", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
TYPES = ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "multipart/form-data",
         "text/plain", "application/json; charset=utf-7", "application/json; charset=nothing", "", "x" * 300]  # fmt: skip
HEADERS: dict[str, list[str]] = {
    "Accept": ["application/xml", "*/*", "text/html;q=x", "a" * 500],
    "Accept-Language": ["x" * 600, "de-" * 200, "é"],
    # No Content-Length: a server checks it before Django sees it (tests/test_half_sent.py).
    "Cookie": ["sessionid=\x7f", "csrftoken=" + "x" * 3_000, "sessionid=" + "a" * 32, "a" * 100, "messages=[[["],
    "Host": ["evil.example.org", "localhost:99999", "[", "a\0b", "localhost:x"],
    "If-Modified-Since": ["Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 99 Jan 0000 00:00:00 GMT"],
    "If-None-Match": ['"', "*", "W/"],
    "Range": ["bytes=-99999999999999999999", "bytes=5-1"],
    "Authorization": ["Token", "Token a b", "Token \xff\xfe", "Basic", "Basic ====", "Bearer x"],
    "User-Agent": ["", "x" * 5_000, "\xff\xfe"],
    "X-Forwarded-Proto": ["https, http", "\xff"],
    "X-Forwarded-For": ["x", "1.2.3.4, ::1, " + "9" * 300],
    "Referer": ["http://[", "javascript:1"],
    "X-CSRFToken": ["x", "\xff" * 32],
}
BODIES = [b"", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 50_000, b'"\\ud800"', b'{"\\u0000": 1}', b"NaN", b"1e999", b"9" * 10_000, b"{", b"null", b"[]",
          b"a=%00&a=%ED%A0%80", b"&" * 5_000, b"a=1&" * 2_000, b"--x\r\n", b'--x\r\nContent-Disposition: form-data; name="upload"; filename="a.zip"\r\n\r\nPK\r\n--x--',
          b'--x\r\nContent-Disposition: form-data; name="\xff\x00"\r\n\r\n\xff\r\n--x--', b"{}"]  # fmt: skip


@dataclass
class Sent:
    """One request, so that a failure can be read and sent again."""

    role: str
    method: str
    path: str
    body: bytes = b""
    content_type: str = "application/x-www-form-urlencoded"
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        body = self.body if len(self.body) < 600 else self.body[:300] + b"... %d bytes" % len(self.body)
        return f"{self.role} {self.method} {self.path[:600]} {self.content_type[:80]} {self.headers} {body!r}"


class Odd:
    """What can be asked of this world, and the asking. Nothing lasts: each request is undone."""

    def __init__(self, world: World):
        self.world, self.addresses = world, addresses()
        self.clients = {role: self._client(role) for role in ROLES}
        self.fields: dict[str, dict[str, list[str]]] = {}

    def _client(self, role: str) -> Client:
        client = Client(raise_request_exception=False)
        if (person := self.world.people[role]) is not None:
            client.force_login(person)
        return client

    def fields_of(self, address: Address) -> dict[str, list[str]]:
        """What the forms that are sent to this address hold, each field with the value that stands there."""
        if address.route not in self.fields:
            self.fields[address.route] = {}
            who = "reader" if address.pattern.startswith("/reading/") else "admin"
            for state in ("draft", "open", "closed") if "slug" in address.arguments else ("",):
                values = self.world.values(address.pattern, address.arguments, state)
                # The page itself; for an address that only takes forms, the pages above it.
                path = quote(address.filled(values))
                pages = dict.fromkeys([path, *(path.rsplit("/", up)[0] + "/" for up in (1, 2, 3))])
                for form in (form for page in pages for form in self._forms(Sent(who, "GET", page))):
                    sent = {name: [str(value)] for name, value in form.form_values()}
                    empty = {name: [""] for name in form.fields.keys() if name not in sent}  # noqa: SIM118
                    if self._route_of(form.get("action") or path) == address.route:
                        self.fields[address.route] |= sent | empty
        return self.fields[address.route]

    def _forms(self, sent: Sent) -> list[Any]:
        answer = self.ask(sent)
        is_page = answer.status_code == 200 and "html" in answer.headers.get("Content-Type", "")
        return html.fromstring(answer.content).forms if is_page and answer.content else []

    def _route_of(self, path: str) -> str | None:
        try:
            match = resolve(path.partition("?")[0])
        except Resolver404:
            return None
        return ":".join([*match.namespaces, match.url_name or path])

    def _known(self, argument: str) -> list[Any]:
        """Values for an argument; one that nobody has named here yet gets a number and a word."""
        return self.world.known.get(argument, [1, "a"])

    def ask(self, sent: Sent) -> Any:
        """The answer, read to its end; what the request wrote is undone."""
        client = self.clients[sent.role]
        headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in sent.headers.items()}
        if "HTTP_CONTENT_LENGTH" in headers:
            headers["CONTENT_LENGTH"] = headers.pop("HTTP_CONTENT_LENGTH")
        path, _, query = sent.path.partition("?")
        cookies = client.cookies.copy()
        with transaction.atomic():
            answer = client.generic(
                sent.method, path, sent.body, content_type=sent.content_type, QUERY_STRING=query, **headers
            )
            if answer.streaming:
                answer.getvalue()
            transaction.set_rollback(True)
        client.cookies = cookies
        return answer

    def reason(self, answer: Any) -> str:
        """Why it is a fault, in a line."""
        kind, error, trace = answer.exc_info or (None, "no exception", None)
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
        return f"{getattr(kind, '__name__', '')}: {str(error)[:200]} at {where}"

    # --- What hypothesis draws ---------------------------------------------------------------------------------------

    def requests(self) -> st.SearchStrategy[Sent]:
        return st.composite(self._request)()

    def _request(self, draw: Any) -> Sent:
        address = draw(st.sampled_from(self.addresses))
        inside = (
            "reader" if address.pattern.startswith("/reading/") else "admin"
        )  # who comes far enough to break something
        role = draw(st.sampled_from([*ROLES, inside, inside, inside, inside]))
        method = draw(st.sampled_from(METHODS))
        odd = draw(st.integers(0, 9))  # one part at a time, mostly: a wrong address hides a wrong body
        values = {}
        for name in address.arguments:
            known = st.sampled_from(self._known(name))
            values[name] = draw(st.one_of(known, _texts(), st.integers())) if odd < 2 else draw(known)
        path = _quoted(address.filled(values))
        known_fields = self.fields_of(address)
        if odd in (2, 3, 4) or method == "GET":
            path += "?" + _encoded(draw(self._form(known_fields)))
        body, content_type = b"", "application/x-www-form-urlencoded"
        if method in ("POST", "PUT", "PATCH", "DELETE"):
            body, content_type = draw(self._body(known_fields))
        headers = {}
        if odd in (8, 9):
            name = draw(st.sampled_from(sorted(HEADERS)))
            headers[name] = draw(st.sampled_from(HEADERS[name]))
        return Sent(role, method, path, body, content_type, headers)

    def _form(self, known: dict[str, list[str]]) -> st.SearchStrategy[dict[str, Any]]:
        """The form as it stands, with up to three fields changed."""
        names = st.sampled_from(
            [*sorted(known), "page", "limit", "offset", "next", "clone", "attack", "format", "state"]
        )
        changed = st.dictionaries(
            st.one_of(names, names, names, _texts()), st.one_of(_texts(), _texts(), st.integers()), max_size=3
        )
        return changed.map(lambda other: {**known, **{name: [value] for name, value in other.items()}})

    def _body(self, known: dict[str, list[str]]) -> st.SearchStrategy[tuple[bytes, str]]:
        form = self._form(known).map(lambda sent: (_encoded(sent).encode(), "application/x-www-form-urlencoded"))
        scalars = st.one_of(_texts(), st.sampled_from(NUMBERS), st.integers(), st.floats(), st.booleans(), st.none())
        values = st.recursive(
            scalars,
            lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_texts(), inner, max_size=3)),
            max_leaves=6,
        )
        names = st.sampled_from([*sorted(known), *NAMES])
        document = st.dictionaries(st.one_of(names, names, names, _texts()), values, max_size=6)
        as_json = st.one_of(document, document, document, values).map(
            lambda value: (json.dumps(value).encode(), "application/json")
        )
        raw = st.tuples(st.sampled_from(BODIES), st.sampled_from(TYPES))
        return st.one_of(form, form, as_json, as_json, raw)


NAMES = ["username", "password", "code", "token", "key", "replaces", "answer", "confidence", "note", "rt_ms", "shown_at", "answered_at",
         "viewing", "tumour_cell_count", "perturbed_response", "name", "folder", "seed", "margin", "alpha", "attack", "classifier", "kind", "budget",
         "copies", "reason", "confirm", "days", "positives", "questions", "size"]  # fmt: skip


def _texts() -> st.SearchStrategy[str]:
    return st.one_of(st.sampled_from(TEXTS), st.sampled_from(TEXTS), st.text(max_size=8))


def _quoted(path: str) -> str:
    return quote(path.encode("utf-8", "surrogatepass"), safe="/%")


def _encoded(form: dict[str, Any]) -> str:
    pairs = [(_bytes(name), _bytes(value)) for name, values in form.items() for value in values]
    return urlencode(pairs)


def _bytes(value: Any) -> bytes:
    return str(value).encode("utf-8", "surrogatepass")
