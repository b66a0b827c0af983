"""SQLite's disk is full, then not; read-only, then not. PostgreSQL's own disk is its administrator's."""

import os
import signal
import time

import httpx
import pytest

from tests.own_server import OwnServer
from tests.trust import sizes
from tests.trust.readers import prepare, reading
from tests.trust.small_disk import small_disk
from tests.trust.test_kills import assert_sound

pytestmark = [pytest.mark.trust, pytest.mark.slow]

READERS = 8
ENOUGH = 40  # refused requests, each time
SET_FOR_ALL = 160 + 40 * sizes.STOPS  # presentations of each reader


@pytest.fixture
def disk(tmp_path):
    with small_disk(tmp_path / "home") as disk:
        yield disk


@pytest.fixture
def server(disk):
    server = OwnServer(disk.folder)
    yield server
    server.kill()


def wait_for_refusals(at_work) -> None:
    """Until requests have failed. Where answers are acknowledged instead, the comparison at the end tells of it."""
    failed, taken = at_work.ledger.failed, at_work.ledger.acknowledged
    wanted, most, end = sum(failed.values()) + ENOUGH, len(taken) + 2 * ENOUGH, time.monotonic() + 120
    while sum(failed.values()) < wanted and len(taken) < most and time.monotonic() < end:
        time.sleep(0.05)


def health(server) -> int:
    return httpx.get(f"{server.address}/healthz", timeout=60, trust_env=False).status_code


def test_a_full_disk_loses_nothing_that_was_acknowledged(server, disk, judge):
    sessions, studies = prepare(server, READERS, answers=SET_FOR_ALL)
    server.start()
    assert server.process
    healthy = []
    with reading(server, sessions, studies, pace_s=0.2) as at_work:
        for _ in range(sizes.STOPS):
            at_work.wait_for_answers(READERS)
            processes = [server.process.pid, *server.workers()]
            disk.fill(processes)
            wait_for_refusals(at_work)
            healthy.append(health(server))
            disk.free(processes)
            at_work.wait_for_answers(READERS)
    judge(f"disk full ({disk.kind}), then free", sizes.STOPS, at_work.verdict(), health_while_full=healthy)
    assert set(healthy) == {503}, f"/healthz while the disk was full: {healthy}"
    assert at_work.ledger.failed and set(at_work.ledger.failed) <= {"500", "503"}, at_work.ledger.failed
    server.kill()
    assert_sound(server)


def test_a_read_only_database_loses_nothing_that_was_acknowledged(server, disk, judge):
    """The workers are killed, and stopped until the folder is read-only: nobody has a file of it open then."""
    sessions, studies = prepare(server, READERS, answers=SET_FOR_ALL)
    server.start()
    assert server.process
    with reading(server, sessions, studies, pace_s=0.2) as at_work:
        for _ in range(sizes.STOPS):
            for wanted in (True, False):
                at_work.wait_for_answers(0 if wanted is False else READERS)
                os.kill(server.process.pid, signal.SIGSTOP)
                for number in range(len(server.workers())):
                    server.kill_worker(number)
                time.sleep(0.5)
                disk.read_only(wanted)
                os.kill(server.process.pid, signal.SIGCONT)
                if wanted:
                    wait_for_refusals(at_work)
            at_work.wait_for_answers(READERS)
    judge(f"database read-only ({disk.kind}), then not", sizes.STOPS, at_work.verdict())
    assert at_work.ledger.failed, "nothing was refused: nothing was tried"
    server.kill()
    assert_sound(server)
