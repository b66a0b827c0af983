"""Sixty-four readers at once, who hardly think."""

import time

import pytest

from tests.trust import sizes
from tests.trust.readers import prepare, reading

pytestmark = [pytest.mark.trust, pytest.mark.slow]

PACE_S = 2.0


def test_no_answer_of_sixty_four_readers_is_lost(own_server, judge):
    sessions, studies = prepare(own_server, sizes.CROWD, answers=int(1.5 * sizes.CROWD_SECONDS / PACE_S) + 80)
    own_server.start()
    with reading(own_server, sessions, studies, PACE_S) as at_work:
        end = time.monotonic() + sizes.CROWD_SECONDS
        while time.monotonic() < end:
            at_work.wait_for_answers(1)
            time.sleep(0.5)
    failed = at_work.ledger.failed
    times = sorted(at_work.ledger.times)
    judge(
        f"{sizes.CROWD} readers for {sizes.CROWD_SECONDS} s", at_work.verdict().acknowledged, at_work.verdict(),
        p95_ms=round(times[int(0.95 * len(times))], 1), requests_failed=sum(failed.values()),
    )  # fmt: skip
    assert not failed, failed
