"""A reader's browser without a window: cookies, forms and images over HTTP, as the pages work without JavaScript.

Used by ``rehearse``, which answers through the real pages, and by whoever wants to walk them from a program.
"""

import http.cookiejar
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from threading import Thread

from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application


@dataclass
class Form:
    """One form of a page: where it goes, what it already holds, and what may be chosen.

    ``buttons`` are its submit buttons as (name, value); ``choices`` its radio buttons' and selects' values by name.
    """

    action: str
    method: str
    name: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    choices: dict[str, list[str]] = field(default_factory=dict)
    checkboxes: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)

    def values(self, name: str) -> list[str]:
        """Everything that ``name`` may be sent as, by button or by choice."""
        return self.choices.get(name, []) + [value for button, value in self.buttons if button == name]


@dataclass
class Page:
    status: int
    address: str
    forms: list[Form]
    images: list[str]
    text: str

    def form_with(self, name: str) -> Form | None:
        """The first form that can send ``name``."""
        for form in self.forms:
            if name in form.fields or name in form.checkboxes or form.values(name):
                return form
        return None


class _Reader(HTMLParser):
    """Collects forms and images in document order."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.images: list[str] = []
        self.inside: Form | None = None
        self.select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.inside = Form(
                action=given.get("action", ""), method=given.get("method", "get").lower(), name=given.get("id", "")
            )
            self.forms.append(self.inside)
        elif tag == "img":
            self.images.append(given.get("src", ""))
        elif self.inside is not None:
            self._control(tag, given)

    def _control(self, tag: str, given: dict[str, str]) -> None:
        form, name, kind = self.inside, given.get("name", ""), given.get("type", "text").lower()
        assert form is not None
        if tag == "select":
            self.select = name
            form.choices.setdefault(name, [])
        elif tag == "option" and self.select and given.get("value"):
            form.choices[self.select].append(given["value"])
        elif tag == "button" and kind in ("submit", "text"):
            form.buttons.append((name, given.get("value", "")))
        elif tag == "input" and name:
            if kind == "radio":
                form.choices.setdefault(name, []).append(given.get("value", "on"))
            elif kind == "checkbox":
                form.checkboxes[name] = given.get("value", "on")
            elif kind == "submit":
                form.buttons.append((name, given.get("value", "")))
            else:
                form.fields[name] = given.get("value", "")
        elif tag == "textarea" and name:
            form.fields.setdefault(name, "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.inside = None
        elif tag == "select":
            self.select = ""


class PageClient:
    """Cookies are kept between requests; redirects are followed; every page comes back parsed."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))

    def get(self, address: str) -> Page:
        return self._open(urllib.request.Request(urllib.parse.urljoin(self.root, address)))

    def image(self, address: str, page: Page) -> bytes:
        """The bytes of an image of ``page``."""
        with self._opener.open(urllib.parse.urljoin(page.address, address), timeout=30) as answer:
            return answer.read()

    def submit(self, page: Page, form: Form, **chosen: str) -> Page:
        """Send ``form`` with what it holds and what is ``chosen``."""
        target = urllib.parse.urljoin(page.address, form.action or page.address)
        body = urllib.parse.urlencode({**form.fields, **chosen}).encode()
        request = urllib.request.Request(target, data=body, headers={"Referer": page.address})
        return self._open(request)

    def sign_in(self, username: str, password: str) -> Page:
        page = self.get("/sign-in/")
        form = page.form_with("password")
        if form is None:
            raise RuntimeError(f"no sign-in form at {page.address}")
        page = self.submit(page, form, username=username, password=password)
        if page.form_with("password"):
            raise PermissionError(f"'{username}' could not sign in at {self.root}")
        return page

    def _open(self, request: urllib.request.Request) -> Page:
        try:
            with self._opener.open(request, timeout=60) as answer:
                status, address, body = answer.status, answer.url, answer.read().decode("utf-8")
        except urllib.error.HTTPError as error:
            status, address, body = error.code, error.url, error.read().decode("utf-8", "replace")
        reader = _Reader()
        reader.feed(body)
        return Page(status=status, address=address, forms=reader.forms, images=reader.images, text=body)


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def own_server() -> Iterator[str]:
    """This project served on a free port of the loopback while the block runs; yields its address."""
    server = ThreadedWSGIServer(("127.0.0.1", 0), _QuietHandler)
    server.daemon_threads = True
    server.set_app(get_wsgi_application())
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
