"""Kill -9 of gunicorn's workers and of the whole server while sixteen readers answer."""

import random
import time

import pytest

from tests.trust import sizes
from tests.trust.readers import prepare, reading

pytestmark = [pytest.mark.trust, pytest.mark.slow]

WHOLE = 20  # of so many kills one takes the whole server
ANSWERS_BETWEEN = 4  # at least: a kill counts while people answer
PACE_S = 0.5


def test_every_acknowledged_answer_is_there_once_after_kills(own_server, judge):
    rng = random.Random(14)
    sessions, studies = prepare(own_server, sizes.READERS, answers=160 + 2 * sizes.KILLS)
    own_server.start()
    servers = 0
    with reading(own_server, sessions, studies, PACE_S) as at_work:
        for number in range(sizes.KILLS):
            at_work.wait_for_answers(ANSWERS_BETWEEN)
            time.sleep(rng.uniform(0, 0.2))
            if number % WHOLE == WHOLE // 2:
                own_server.kill()
                own_server.start()
                servers += 1
            else:
                own_server.kill_worker(rng.randrange(100))
        at_work.wait_for_answers(sizes.READERS)
    failed = sum(at_work.ledger.failed.values())
    judge(
        f"kill -9 while {sizes.READERS} readers answer", sizes.KILLS, at_work.verdict(), whole_servers=servers,
        requests_cut_off=failed,
    )  # fmt: skip
    assert failed, "no kill met a request: nothing was tried"
    own_server.kill()
    assert_sound(own_server)


def assert_sound(server) -> None:
    """The file, and every study that has answers: its rows, its chain, its log."""
    if not server.database:
        assert server.rows("PRAGMA integrity_check") == [("ok",)]
    if "verify" in server.manage("help", "--commands").stdout.split():
        for slug, _ in server.rows("SELECT slug, count(*) FROM study_study WHERE slug LIKE 'storm%' GROUP BY slug"):
            done = server.manage("verify", slug)
            assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
