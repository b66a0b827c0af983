"""Requests that are begun and never ended: the site answers everybody else."""

import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from types import SimpleNamespace

import httpx
import pytest
from django.conf import settings
from waitress.channel import HTTPChannel

from deploy import whole_requests
from study.blinding.servers import gunicorn

HEADERS = b"GET /sign-in/ HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
BODY = b"POST /sign-in/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\na"


@pytest.mark.slow
@pytest.mark.trust
def test_a_page_is_answered_beside_fifty_half_sent_requests(tmp_path):
    """Threads that read for themselves would all be held: no answer then comes at all."""
    environment = os.environ | {"BLINDSPOT_HOME": str(tmp_path), "DJANGO_SETTINGS_MODULE": "config.settings"}
    environment.pop("DATABASE_URL", None)
    migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(migrate, cwd=settings.BASE_DIR, env=environment, check=True)
    with gunicorn(tmp_path / "log", environment=environment) as (address, _), ExitStack() as open_ones:
        port = int(address.rpartition(":")[2])
        for number in range(50):
            half = open_ones.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
            half.sendall(HEADERS if number % 2 else BODY)
        for length in (b"x", b"-1", b"9" * 400):  # Django itself would make an error of the server of these
            with socket.create_connection(("127.0.0.1", port), timeout=60) as odd:
                odd.sendall(BODY.replace(b"100", length))
                assert odd.recv(100).startswith((b"HTTP/1.0 4", b"HTTP/1.1 4"))
        for _ in range(5):
            assert httpx.get(f"{address}/sign-in/", timeout=120, trust_env=False).status_code == 200


def test_headers_that_take_too_long_end_their_connection(monkeypatch):
    def channel(headers_finished):
        made = HTTPChannel.__new__(HTTPChannel)
        made.request = SimpleNamespace(headers_finished=headers_finished)
        return made

    slow, uploading = channel(False), channel(True)
    now, begun = [100.0], {}
    monkeypatch.setattr(whole_requests.time, "monotonic", lambda: now[0])
    for later in (0, whole_requests.HEADERS_S - 1):
        now[0] = 100 + later
        whole_requests._end_late({1: slow, 2: uploading}, begun)
        assert not slow.will_close
    now[0] = 100 + whole_requests.HEADERS_S + 1
    whole_requests._end_late({1: slow, 2: uploading}, begun)
    assert slow.will_close and not uploading.will_close
