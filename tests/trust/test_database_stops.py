"""The database goes away and comes back while people read: stopped and started, read-only, locked."""

import sqlite3
import time

import pytest

from tests.own_server import OwnServer
from tests.trust import sizes
from tests.trust.readers import prepare, reading
from tests.trust.test_disk import READERS, SET_FOR_ALL, wait_for_refusals

pytestmark = [pytest.mark.trust, pytest.mark.slow]


@pytest.fixture
def server(own_postgresql, tmp_path):
    server = OwnServer(tmp_path / "home", own_postgresql.new_database())
    server.home.mkdir()
    yield server
    server.kill()


def test_stopping_postgresql_loses_nothing_that_was_acknowledged(server, own_postgresql, judge):
    sessions, studies = prepare(server, READERS, answers=SET_FOR_ALL)
    server.start()
    with reading(server, sessions, studies, pace_s=0.2) as at_work:
        for _ in range(sizes.STOPS):
            at_work.wait_for_answers(READERS)
            own_postgresql.stop()
            try:
                wait_for_refusals(at_work)
            finally:
                own_postgresql.start()
            at_work.wait_for_answers(READERS)
    judge("PostgreSQL stopped and started", sizes.STOPS, at_work.verdict())
    assert at_work.ledger.failed, "nobody met the stop: nothing was tried"


def test_a_read_only_postgresql_loses_nothing_that_was_acknowledged(server, own_postgresql, judge):
    sessions, studies = prepare(server, READERS, answers=SET_FOR_ALL)
    server.start()
    with reading(server, sessions, studies, pace_s=0.2) as at_work:
        for _ in range(sizes.STOPS):
            at_work.wait_for_answers(READERS)
            own_postgresql.refuse_writes(True)
            try:
                wait_for_refusals(at_work)
            finally:
                own_postgresql.refuse_writes(False)
            at_work.wait_for_answers(READERS)
    judge("PostgreSQL read-only, then not", sizes.STOPS, at_work.verdict())
    assert at_work.ledger.failed, "nothing was refused: nothing was tried"


def test_a_locked_sqlite_loses_nothing_that_was_acknowledged(tmp_path, judge):
    """Longer than the ten seconds for which a writer waits."""
    server = OwnServer(tmp_path / "home")
    server.home.mkdir()
    sessions, studies = prepare(server, READERS, answers=SET_FOR_ALL)
    server.start()
    try:
        with reading(server, sessions, studies, pace_s=0.2) as at_work:
            for _ in range(max(1, sizes.STOPS // 4)):
                at_work.wait_for_answers(READERS)
                other = sqlite3.connect(server.home / "blindspot.sqlite3", timeout=30, isolation_level=None)
                other.execute("BEGIN IMMEDIATE")
                time.sleep(13)
                other.execute("ROLLBACK")
                other.close()
                at_work.wait_for_answers(READERS)
        judge("SQLite locked by another program for 13 s", max(1, sizes.STOPS // 4), at_work.verdict())
        assert at_work.ledger.failed, "nobody met the lock: nothing was tried"
    finally:
        server.kill()
