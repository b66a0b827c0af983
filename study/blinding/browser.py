"""A reader's browser without a window: one kept connection, cookies, and pages read as they work without JavaScript.

The rehearsal answers with it through the real pages, the blinding audit keeps everything that it receives, and
``benchmarks/reading.py`` measures with it. Proxies and other settings of the environment are not used.
"""

import json
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Self, TypeAlias
from urllib.parse import urlencode, urljoin, urlsplit

import httpx
import lxml.html

from study.blinding.seen import Exchange

TIMEOUT_S = 120.0
MOST_REDIRECTS = 10
FORM = "application/x-www-form-urlencoded"
Form: TypeAlias = lxml.html.FormElement


class SignInFailed(RuntimeError):
    """There is no sign-in form, or it did not accept the reader."""


@dataclass(frozen=True)
class Page:
    """A page that was received, after redirects. ``address`` is its full address, ``content`` its decoded bytes."""

    status: int
    address: str
    content: bytes

    @cached_property
    def tree(self) -> Any:
        """The page's elements; their links are full addresses."""
        parser = lxml.html.HTMLParser(encoding="utf-8")
        tree = lxml.html.document_fromstring(self.content or b"<html></html>", parser=parser, base_url=self.address)
        tree.make_links_absolute(self.address)
        return tree

    @property
    def path(self) -> str:
        return urlsplit(self.address).path

    @property
    def images(self) -> list[str]:
        """Addresses of the page's images, in order."""
        return [image.get("src", "") for image in self.tree.iter("img")]

    @property
    def buttons(self) -> list[str]:
        """Addresses that the page's links lead to which look like buttons, in order."""
        return self.tree.xpath('//main//a[@role="button"]/@href')

    def form_with(self, name: str) -> Form | None:
        """The first form that has a field or a button called ``name``."""
        return next((form for form in self.tree.forms if form.xpath(".//*[@name=$name]", name=name)), None)

    def form_to(self, path: str) -> Form | None:
        """The first form that is posted to ``path``."""
        for form in self.tree.forms:
            if form.method == "POST" and urlsplit(form.action or self.address).path == path:
                return form
        return None


class _Attempt:
    """What happened to one request on the wire; httpx calls it at every step."""

    def __init__(self) -> None:
        self.started = 0.0
        self.on_new_connection = self.answered = False

    def __call__(self, step: str, details: dict[str, Any]) -> None:
        if step == "connection.connect_tcp.started":
            self.on_new_connection = True
        elif step == "http11.send_request_headers.started":
            self.started = time.perf_counter()
        elif step == "http11.receive_response_headers.complete":
            self.answered = True


@cache
def _trusted() -> ssl.SSLContext:
    """The machine's certificates, read once: a browser per reader would read them each time."""
    return ssl.create_default_context()


class Browser:
    """One reader's browser at the server ``address``. It is used by one thread at a time.

    Args:
        cookies: what it begins with; another browser's ``cookies`` make a second window of the same reader.
        accept_encoding: the compressions that it offers to the server; by default those that ``get`` can undo.
    """

    def __init__(self, address: str, cookies: httpx.Cookies | None = None, accept_encoding: str = "gzip, deflate"):
        self.address = address
        self.on_request: Callable[[str], None] = lambda path: None
        self._client = httpx.Client(
            base_url=address,
            cookies=cookies,
            headers={"Accept-Encoding": accept_encoding, "User-Agent": "blindspot"},
            verify=_trusted(),
            trust_env=False,
            timeout=TIMEOUT_S,
            # The connection stays for as long as the server keeps it.
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=None),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()

    @property
    def cookies(self) -> httpx.Cookies:
        return self._client.cookies

    # --- Exchanges: one request, and everything that the server answers -----------------------------------------------

    def exchange(self, kind: str, path: str, body: bytes | None = None, content_type: str = "") -> Exchange:
        """Send one request, and keep its answer as it came over the wire; a redirect is not followed.

        Raises:
            httpx.TransportError: there is no server, or it broke off.
        """
        return self._send(kind, self._request(path, body, content_type))[0]

    def form(self, path: str, **fields: Any) -> Exchange:
        return self.exchange("form", path, urlencode(fields).encode(), FORM)

    def document(self, kind: str, path: str, value: dict[str, Any]) -> Exchange:
        return self.exchange(kind, path, json.dumps(value).encode(), "application/json")

    # --- Pages: redirects are followed, and the forms can be filled in ------------------------------------------------

    def get(self, path: str) -> Page:
        return self._page(self._request(path))

    def submit(self, page: Page, form: Form, **chosen: str) -> Page:
        """Post ``form`` with what it holds and what is ``chosen``."""
        held = [(name, value) for name, value in form.form_values() if name not in chosen]
        body = urlencode([*held, *chosen.items()]).encode()
        return self._page(self._request(form.action or page.address, body, FORM, referer=page.address))

    def sign_in(self, username: str, password: str) -> Page:
        """The page that a reader comes to by signing in.

        Raises:
            SignInFailed: there is no sign-in form, or the name and password are not accepted.
        """
        page = self.get("/sign-in/")
        form = page.form_with("password")
        if form is None:
            raise SignInFailed(f"no sign-in form at {page.address} (status {page.status})")
        page = self.submit(page, form, username=username, password=password)
        if page.status != 200 or page.form_with("password") is not None:
            raise SignInFailed(f"'{username}' could not sign in at {self.address} (status {page.status})")
        return page

    # --- How a request is sent ----------------------------------------------------------------------------------------

    def _request(self, path: str, body: bytes | None = None, content_type: str = "", referer: str = "") -> Any:
        if body is None:
            return self._client.build_request("GET", path)
        headers = {
            "Content-Type": content_type,
            "X-CSRFToken": self.cookies.get("csrftoken") or "",
            "Referer": referer or urljoin(self.address, "/"),
        }
        return self._client.build_request("POST", path, content=body, headers=headers)

    def _page(self, request: httpx.Request) -> Page:
        for _ in range(MOST_REDIRECTS):
            exchange, following = self._send("page", request)
            if following is None:
                return Page(exchange.status, str(request.url), decoded(exchange))
            request = following
        raise httpx.TooManyRedirects(f"{MOST_REDIRECTS} redirects, the last one to {request.url}", request=request)

    def _send(self, kind: str, request: httpx.Request) -> tuple[Exchange, httpx.Request | None]:
        """The exchange, and the request that follows where it is a redirect."""
        self.on_request(request.url.path)
        attempt = _Attempt()
        try:
            return self._send_once(kind, request, attempt)
        except (httpx.NetworkError, httpx.RemoteProtocolError):
            if attempt.on_new_connection or attempt.answered:
                raise
        # A server may close an idle connection just when the next request is sent: RFC 9112, 9.3.1.
        return self._send_once(kind, request, _Attempt())

    def _send_once(self, kind: str, request: httpx.Request, attempt: _Attempt) -> tuple[Exchange, httpx.Request | None]:
        request.extensions = {**request.extensions, "trace": attempt}
        response = self._client.send(request, stream=True)
        try:
            content = b"".join(response.iter_raw())
            seconds = time.perf_counter() - attempt.started
        finally:
            response.close()
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.raw)
        path = request.url.raw_path.decode("ascii")
        return Exchange(kind, path, response.status_code, headers, content, seconds), response.next_request


def decoded(exchange: Exchange) -> bytes:
    """The body without its compression."""
    return httpx.Response(exchange.status, headers=list(exchange.headers), content=exchange.body).content
