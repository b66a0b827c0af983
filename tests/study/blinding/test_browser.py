"""The program that acts as a reader's browser: what it keeps of the wire, how it reads pages, when it asks again."""

import gzip
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

import httpx
import pytest

from study.blinding.browser import Browser, Page, SignInFailed, decoded
from tests import factories

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def server(*connections: Callable[[socket.socket], None]) -> Iterator[str]:
    """Answers each connection, one after the other, with the next of ``connections``, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for answer in connections:
                connection, _ = listener.accept()
                with connection:
                    answer(connection)

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(timeout=10)
        assert not thread.is_alive(), "a connection that was expected did not come"


def answers(*raw: bytes) -> Callable[[socket.socket], None]:
    """Each request of a connection gets the next of these; ``b""`` is read and left without an answer."""

    def answer(connection: socket.socket) -> None:
        for content in raw:
            assert connection.recv(65536)
            connection.sendall(content)

    return answer


def test_an_exchange_keeps_what_came_over_the_wire_and_pages_are_read_without_compression():
    page = "<!doctype html><title>ä</title><p id='p'>ä</p>".encode()
    body = gzip.compress(page)
    sent = (
        ("X-oDD", "1"), ("content-LENGTH", str(len(body))), ("Set-Cookie", "a=1; Path=/"), ("x-odd", "2"),
        ("Content-Encoding", "gzip"), ("Set-Cookie", "csrftoken=t; Path=/"),
    )  # fmt: skip
    raw = b"HTTP/1.1 200 OK\r\n" + b"".join(f"{n}: {v}\r\n".encode() for n, v in sent) + b"\r\n" + body
    with server(answers(raw, raw)) as address, Browser(address) as browser:
        exchange = browser.exchange("page", "/a/?b=c")
        assert (exchange.kind, exchange.address, exchange.status) == ("page", "/a/?b=c", 200)
        assert (exchange.headers, exchange.body) == (sent, body)
        assert decoded(exchange) == page
        assert dict(browser.cookies) == {"a": "1", "csrftoken": "t"}
        assert browser.get("/a/").tree.get_element_by_id("p").text == "ä"


def test_the_time_of_an_exchange_is_from_the_first_byte_sent_to_the_last_received():
    def slow(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(OK[:-1])
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.sendall(OK[-1:])

    with server(slow) as address, Browser(address) as browser:
        assert 0.2 <= browser.exchange("state", "/").seconds < 10


def test_redirects_are_followed_for_pages_alone():
    redirect = b"HTTP/1.1 302 Found\r\nLocation: /there/\r\nContent-Length: 0\r\nSet-Cookie: at=1; Path=/\r\n\r\n"
    with server(answers(redirect, redirect, OK)) as address, Browser(address) as browser:
        asked = []
        browser.on_request = asked.append
        assert browser.exchange("page", "/here/").status == 302
        page = browser.get("/here/")
        assert (page.status, page.address, page.path) == (200, f"{address}/there/", "/there/")
        assert asked == ["/here/", "/here/", "/there/"]
        assert browser.cookies["at"] == "1"


def test_a_connection_that_was_closed_while_idle_is_opened_anew():
    """As a server does that keeps connections for a moment only: each of these answers once and hangs up."""
    with server(answers(OK), answers(OK)) as address:
        browser = Browser(address)
        assert [browser.exchange("state", "/").status for _ in range(2)] == [200, 200]
    with pytest.raises(httpx.ConnectError):  # nobody listens there any more, and that is said
        browser.exchange("state", "/")
    browser.close()


def test_a_request_is_sent_again_when_its_kept_connection_is_closed_under_it():
    """The server hangs up when the second request is already on its way: RFC 9112, 9.3.1."""
    with server(answers(OK, b""), answers(OK)) as address, Browser(address) as browser:
        assert [browser.document("answer", "/", {"n": n}).status for n in range(2)] == [200, 200]


def test_a_request_is_not_sent_again_on_a_new_connection_or_once_an_answer_began():
    with server(answers(b"")) as address, Browser(address) as browser, pytest.raises(httpx.RemoteProtocolError):
        browser.exchange("state", "/")
    with server(answers(OK, OK[:-1])) as address, Browser(address) as browser:
        assert browser.exchange("state", "/").status == 200
        with pytest.raises(httpx.RemoteProtocolError):
            browser.exchange("state", "/")


def test_the_environment_names_no_proxy(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with server(answers(OK)) as address, Browser(address) as browser:
        assert browser.exchange("state", "/").status == 200


PAGE = Page(
    200,
    "http://host/reading/study/s/read/",
    b"""<!doctype html><html><body><main>
    <noscript><img src="/reading/image/one"></noscript><img src="two.png">
    <a href="/aside/">aside</a><a role="button" href="/next/?from=here">on</a>
    <form method="post"><input type="hidden" name="token" value="t"><input type="checkbox" name="agree" value="yes">
      <label><noscript><p>x</p></noscript><input type="radio" name="confidence" value="1"></label>
      <input type="radio" name="confidence" value="2" checked><textarea name="note">n</textarea>
      <select name="set"><option value="1">a<option value="2" selected>b</select>
      <button name="answer" value="tumour">T</button></form>
    <form method="post" action="/reading/study/s/practice/"><button>go</button></form></main></body></html>""",
)


def test_a_page_has_its_images_buttons_and_forms():
    assert PAGE.images == ["http://host/reading/image/one", "http://host/reading/study/s/read/two.png"]
    assert PAGE.buttons == ["http://host/next/?from=here"]
    first, second = PAGE.tree.forms
    assert PAGE.form_with("answer") is PAGE.form_with("confidence") is PAGE.form_to(PAGE.path) is first
    assert PAGE.form_to("/reading/study/s/practice/") is second
    assert PAGE.form_with("password") is PAGE.form_to("/elsewhere/") is None


def test_a_form_is_sent_with_what_it_holds_and_what_is_chosen():
    received = []

    def keep(connection: socket.socket) -> None:
        received.append(connection.recv(65536))
        while b"\r\n\r\n" not in received[0] or not received[0].endswith(b"tumour"):
            received[0] += connection.recv(65536)
        connection.sendall(OK)

    with server(keep) as address, Browser(address) as browser:
        page = Page(200, f"{address}/read/", PAGE.content)
        browser.submit(page, page.form_with("answer"), note="m", answer="tumour")
    head, _, body = received[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /read/ HTTP/1.1\r\n")
    assert f"referer: {address}/read/".encode() in head.lower()
    assert body == b"token=t&confidence=2&set=2&note=m&answer=tumour"


@pytest.mark.django_db(transaction=True)
def test_signing_in_leads_to_the_readers_page_or_is_refused(live_server):
    factories.user("reader")
    with Browser(live_server.url) as browser:
        assert browser.sign_in("reader", factories.PASSWORD).path == "/reading/"
    with Browser(live_server.url) as browser, pytest.raises(SignInFailed, match="'reader' could not sign in"):
        browser.sign_in("reader", "wrong")
