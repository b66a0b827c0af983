"""Researchers who turn the sliders of the planning page while others read (``benchmarks/reading.py --plans``)."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

ROUND_S = 1.0
"""How long a tab waits before it asks again, or turns a slider."""


class Tabs:
    """Tabs of ``/plan/``, each asking for plans that nobody has asked for before, until they are there."""

    def __init__(self) -> None:
        self.times: list[float] = []  # ms, of every reply
        self.plans = 0
        self.done = threading.Event()

    def turn(self, address: str, cookies: Any, tab: int) -> None:
        import httpx

        with httpx.Client(base_url=address, cookies=cookies, timeout=60, trust_env=False) as client:
            patches = 0
            while not self.done.is_set():
                patches += 1
                asked = {"readers": 5 + tab, "patches": 20 + patches % 300, "sets": 2}
                ready = False
                while not ready and not self.done.is_set():
                    started = time.perf_counter()
                    reply = client.get("/plan/", params=asked)
                    self.times.append(1000 * (time.perf_counter() - started))
                    reply.raise_for_status()
                    ready = "data:image/svg+xml" in reply.text
                    self.done.wait(ROUND_S)
                self.plans += ready


@contextmanager
def plan_tabs(address: str, count: int) -> Iterator[Tabs]:
    """``count`` tabs at work for the length of the block."""
    import httpx
    from django.test import Client

    from tests import factories

    client = Client()
    client.force_login(
        factories.user("planner", role="researcher"), backend="django.contrib.auth.backends.ModelBackend"
    )
    cookies = httpx.Cookies()
    cookies.set("sessionid", client.cookies["sessionid"].value, domain="127.0.0.1")
    tabs = Tabs()
    threads = [threading.Thread(target=tabs.turn, args=(address, cookies, tab)) for tab in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield tabs
    finally:
        tabs.done.set()
        for thread in threads:
            thread.join()
