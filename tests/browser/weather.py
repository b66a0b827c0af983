"""A reader by keyboard while the server is killed, the network cut and a reply lost, where a test says so."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests import factories
from tests.browser.conftest import enter_room
from tests.own_server import OwnServer


@contextmanager
def reading_room(chromium, server: OwnServer) -> Iterator:
    """The page of "reader", who has come into the room of the server's study."""
    context = chromium.new_context(viewport={"width": 1280, "height": 720}, base_url=server.address)
    context.set_default_timeout(120_000)
    page = context.new_page()
    page.goto("/sign-in/")
    page.fill("input[name=username]", "reader")
    page.fill("input[name=password]", factories.PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/reading/")
    enter_room(page)
    yield page
    context.close()


def lose_the_reply(route) -> None:
    """The request goes through; what comes back is thrown away."""
    route.fetch()
    route.abort()


@dataclass(frozen=True)
class Weather:
    killed_at: frozenset[int]
    cut_at: frozenset[int]
    answer_lost_at: int
    """The server has stored the answer, but its reply never arrives."""

    def answer(self, page, server: OwnServer, number: int, key: str, last: int) -> None:
        """Press one key for the ``number``-th image, whatever happens then, and wait for the next of ``last``."""
        page.wait_for_selector('#room[data-ready="yes"]')
        position = (number - 1) % last + 1
        assert page.text_content("#position").strip() == str(position)
        if number in self.killed_at:
            server.kill()
            threading.Timer(1.0, server.start).start()
        elif number in self.cut_at:
            page.context.set_offline(True)
        elif number == self.answer_lost_at:
            page.route("**/answers/", lose_the_reply, times=1)
        page.keyboard.press(key)
        if number in self.cut_at:
            page.wait_for_selector("#banner:not([hidden])")
            page.wait_for_timeout(700)
            page.context.set_offline(False)
        if position < last:
            page.wait_for_function(
                "n => document.getElementById('position').textContent.trim() == n", arg=str(position + 1)
            )
