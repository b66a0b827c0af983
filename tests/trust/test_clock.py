"""The server's clock steps back and ahead while people read: libfaketime sets it, as a wrong time server would."""

import subprocess
from pathlib import Path

import pytest

from tests.own_server import ROOT
from tests.trust import sizes
from tests.trust.readers import prepare, reading
from tests.trust.test_kills import assert_sound

pytestmark = [pytest.mark.trust, pytest.mark.slow]

READERS = 8
STEPS = ("-1d", "+0", "+30d", "+0", "-3650d", "+0", "+1h", "-1h", "+0")
YEARS_S = 20 * 366 * 86400  # sessions last: signing in again is another test's


@pytest.fixture(scope="session")
def libfaketime():
    """Installed where it is missing by ``make trust`` alone."""
    here = list(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not here and not sizes.FULL:
        pytest.skip("libfaketime is not on this machine")
    command = ["bash", "scripts/install-faketime.sh"]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def test_a_clock_that_steps_loses_nothing_and_breaks_no_log(own_server, libfaketime, tmp_path, judge):
    clock = tmp_path / "clock"

    def set_clock(offset: str) -> None:
        (tmp_path / "next").write_text(offset)
        (tmp_path / "next").rename(clock)

    set_clock("+0")
    faked = {
        "LD_PRELOAD": libfaketime,
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
        "SESSION_COOKIE_AGE": str(YEARS_S),
    }
    own_server.environment |= {"SESSION_COOKIE_AGE": str(YEARS_S)}
    sessions, studies = prepare(own_server, READERS, answers=160 + 30 * sizes.STOPS)
    plain, own_server.environment = own_server.environment, own_server.environment | faked
    own_server.start()
    own_server.environment = plain
    steps = 0
    with reading(own_server, sessions, studies, pace_s=0.1) as at_work:
        for _ in range(sizes.STOPS):
            for offset in STEPS:
                set_clock(offset)
                at_work.wait_for_answers(READERS)
                steps += 1
    received = own_server.rows("SELECT min(received_at), max(received_at) FROM study_response")[0]
    assert str(received[0])[:4] < str(received[1])[:4], f"the clock never stepped: {received}"
    judge("the clock steps back and ahead, up to ten years", steps, at_work.verdict(),
          requests_failed=sum(at_work.ledger.failed.values()))  # fmt: skip
    assert not at_work.ledger.failed, at_work.ledger.failed
    own_server.kill()
    assert_sound(own_server)
