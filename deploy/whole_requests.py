"""gunicorn's workers, with waitress to read requests: only a request that has come whole is given to a thread.

gunicorn's own threads read for themselves, so a few half-sent requests hold all of them, for as long as their senders
like. Here one loop reads all connections, and a slow one costs nothing but its socket.
"""

import os
import tempfile
import time
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from django.conf import settings
from gunicorn.workers.base import Worker
from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import create_server

HEADERS_S = 20.0
"""How long a client may take to send the headers of a request."""
IDLE_S = 75
"""How long a connection may be silent: within a body, or kept for the next request while a reader looks at an image."""
CONNECTIONS = 800
"""Open at once per process; what comes beyond waits. Below the usual limit of 1,024 open files."""


class WholeRequests(Worker):
    """One process: a loop that reads and writes, and ``threads`` that answer."""

    def run(self) -> None:
        tempfile.tempdir = str(settings.FILE_UPLOAD_TEMP_DIR)  # where waitress keeps large bodies until they are whole
        connections: dict[int, Any] = {}
        servers = create_server(
            self._counted,
            map=connections,
            sockets=[listener.sock for listener in self.sockets],
            threads=self.cfg.threads,
            connection_limit=CONNECTIONS,
            channel_timeout=IDLE_S,
            cleanup_interval=5,
            max_request_body_size=settings.UPLOAD_MAX_BYTES + 1_000_000,
            backlog=self.cfg.backlog,
            ident=None,
            clear_untrusted_proxy_headers=False,  # the settings say whether a proxy is trusted (BEHIND_PROXY)
        )
        begun: dict[int, float] = {}
        while self.alive and os.getppid() == self.ppid:
            self.notify()
            wasyncore.loop(timeout=1.0, use_poll=True, map=connections, count=1)
            _end_late(connections, begun)
        self._finish(connections)
        servers.task_dispatcher.shutdown(timeout=1)

    def _counted(self, environ: Any, start_response: Any) -> Any:
        """The application; after ``max_requests`` the process makes room for a fresh one."""
        self.nr += 1
        if self.nr >= self.max_requests and self.alive:
            self.log.info("%d requests were answered: the process is replaced.", self.nr)
            self.alive = False
        return self.wsgi(environ, self._logged(environ, start_response))

    def _logged(self, environ: Any, start_response: Any) -> Any:
        """``start_response`` that also writes gunicorn's access log; waitress has none."""
        begun = time.monotonic()
        environ.setdefault("RAW_URI", environ.get("REQUEST_URI") or environ.get("PATH_INFO", ""))

        def noted(status: str, headers: list[tuple[str, str]], error: Any = None) -> Any:
            reply = SimpleNamespace(status=status, headers=headers, sent=dict(headers).get("Content-Length", "-"))
            took = timedelta(seconds=time.monotonic() - begun)
            self.log.access(reply, SimpleNamespace(headers=[]), environ, took)
            return start_response(status, headers, error)

        return noted

    def _finish(self, connections: dict[int, Any]) -> None:
        """No new connections; the requests under way are answered."""
        for one in list(connections.values()):
            if getattr(one, "accepting", False):
                wasyncore.dispatcher.del_channel(one, connections)
        end = time.monotonic() + self.cfg.graceful_timeout
        while time.monotonic() < end and any(one.requests or one.total_outbufs_len for one in _channels(connections)):
            self.notify()
            wasyncore.loop(timeout=0.2, use_poll=True, map=connections, count=1)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Asked to stop: the loop ends within a second."""
        self.alive = False


def _channels(connections: dict[int, Any]) -> list[HTTPChannel]:
    return [one for one in list(connections.values()) if isinstance(one, HTTPChannel)]


def _end_late(connections: dict[int, Any], begun: dict[int, float]) -> None:
    """Close connections whose headers have been on their way for too long; ``begun`` says since when, by request."""
    now, under_way = time.monotonic(), set()
    for channel in _channels(connections):
        request = channel.request
        if request is not None and not request.headers_finished:
            under_way.add(id(request))
            if now - begun.setdefault(id(request), now) > HEADERS_S:
                channel.will_close = True
    for gone in set(begun) - under_way:
        del begun[gone]
