"""This project served on a free port of the loopback: by gunicorn as ``make serve`` starts it, or in this process."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from wsgiref.types import WSGIApplication

import httpx
from django.conf import settings
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application

START_S = 300.0
STOP_S = 60.0  # gunicorn itself gives its workers 30 s


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_gunicorn(
    port: int, log: Path, *options: str, environment: Mapping[str, str] | None = None
) -> subprocess.Popen:
    """gunicorn with ``deploy/gunicorn.py`` and ``options``, which count more; returns when it answers.

    Args:
        environment: its environment; this process's own by default.

    Raises:
        RuntimeError: it did not start; the message ends with the end of ``log``.
    """
    command = [sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn.py", "--bind", f"127.0.0.1:{port}"]
    with log.open("a") as output:
        process = subprocess.Popen(
            [*command, *options],
            cwd=settings.BASE_DIR,
            env=os.environ if environment is None else environment,
            stdout=output,
            stderr=output,
            start_new_session=True,  # so that it can be killed with its workers
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/healthz", process, log)
    except BaseException:
        kill(process)
        raise
    return process


def _wait_for(address: str, process: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + START_S
    with httpx.Client(trust_env=False, verify=False, timeout=10) as client:
        while time.monotonic() < end and process.poll() is None:
            with suppress(httpx.TransportError):
                if client.get(address).is_success:
                    return
            time.sleep(0.1)
    raise RuntimeError(f"gunicorn did not start:\n{log.read_text()[-2000:]}")


def stop(process: subprocess.Popen) -> None:
    """Let it finish the requests under way."""
    process.terminate()
    try:
        process.wait(timeout=STOP_S)
    except subprocess.TimeoutExpired:
        kill(process)


def kill(process: subprocess.Popen) -> None:
    """End it and its workers at once, as a power failure does."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def gunicorn(
    log: Path, *options: str, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[str, subprocess.Popen]]:
    """gunicorn while the block runs; yields its address and its process."""
    port = free_port()
    process = start_gunicorn(port, log, *options, environment=environment)
    try:
        yield f"http://127.0.0.1:{port}", process
    finally:
        stop(process)


class _QuietHandler(WSGIRequestHandler):
    disable_nagle_algorithm = True  # else each small answer waits 40 ms for the acknowledgement of its header

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def in_this_process(application: WSGIApplication | None = None) -> Iterator[str]:
    """Served by threads of this process while the block runs, on its database; yields the address.

    Args:
        application: what is served; the project as it is by default.
    """
    server = ThreadedWSGIServer(("127.0.0.1", 0), _QuietHandler)
    server.daemon_threads = True
    server.set_app(application or get_wsgi_application())
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
