"""Connections are shared out among the server's processes, whoever is the quicker one to take them."""

import http.client
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.own_server import OwnServer

CONNECTIONS = 32


@pytest.fixture
def server(tmp_path):
    own = OwnServer(tmp_path)
    own.start()
    yield own
    own.kill()


def files_of(process: int) -> list[str]:
    return [str(file.readlink()) for file in Path(f"/proc/{process}/fd").iterdir()]


def sockets_of(process: int) -> int:
    return sum(name.startswith("socket:") for name in files_of(process))


def workers_of(pid: int) -> list[int]:
    """The server's processes, once each of them waits for connections."""
    for _ in range(200):
        workers = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        if len(workers) == 2 and all("anon_inode:[eventpoll]" in files_of(worker) for worker in workers):
            time.sleep(0.2)
            return workers
        time.sleep(0.05)
    raise AssertionError("the server has no two processes")


@contextmanager
def connected(port: int) -> Iterator[None]:
    """Readers who come at once, ask for a page and stay."""
    readers = [http.client.HTTPConnection("127.0.0.1", port, timeout=30) for _ in range(CONNECTIONS)]
    for reader in readers:
        reader.request("GET", "/healthz")
    for reader in readers:
        assert reader.getresponse().read()
    yield
    for reader in readers:
        reader.close()
    time.sleep(0.5)  # until the server has seen it


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts sockets in /proc")
def test_each_process_gets_its_share_of_readers_who_stay_connected(server):
    workers = workers_of(server.process.pid)
    for _ in range(3):  # without sharing it comes out right now and then
        before = [sockets_of(worker) for worker in workers]
        with connected(server.port):
            taken = [sockets_of(worker) - others for worker, others in zip(workers, before)]
        assert min(taken) >= CONNECTIONS / 4, taken
