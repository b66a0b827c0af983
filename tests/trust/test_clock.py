"""The server's clock steps back and ahead while people read, as a wrong time server would set it."""

import pytest

from tests.trust import sizes
from tests.trust.readers import prepare, reading
from tests.trust.test_kills import assert_sound

pytestmark = [pytest.mark.trust, pytest.mark.slow]

READERS = 8
HOUR_S, DAY_S = 3600, 86400
STEPS_S = (-DAY_S, 0, 30 * DAY_S, 0, -3650 * DAY_S, 0, HOUR_S, -HOUR_S, 0)
YEARS_S = 20 * 366 * 86400  # sessions last: signing in again is another test's


def test_a_clock_that_steps_loses_nothing_and_breaks_no_log(own_server, tmp_path, judge):
    clock = tmp_path / "clock"

    def set_clock(seconds: int) -> None:
        (tmp_path / "next").write_text(str(seconds))
        (tmp_path / "next").rename(clock)

    set_clock(0)
    own_server.environment |= {"SESSION_COOKIE_AGE": str(YEARS_S)}
    sessions, studies = prepare(own_server, READERS, answers=160 + 30 * sizes.STOPS)
    own_server.environment["WRONG_CLOCK"] = str(clock)
    own_server.options = ("tests.trust.wrong_clock",)
    own_server.start()
    steps = 0
    with reading(own_server, sessions, studies, pace_s=0.1) as at_work:
        for _ in range(sizes.STOPS):
            for seconds in STEPS_S:
                set_clock(seconds)
                at_work.wait_for_answers(READERS)
                steps += 1
    received = own_server.rows("SELECT min(received_at), max(received_at) FROM study_response")[0]
    assert str(received[0])[:4] < str(received[1])[:4], f"the clock never stepped: {received}"
    judge("the clock steps back and ahead, up to ten years", steps, at_work.verdict(),
          requests_failed=sum(at_work.ledger.failed.values()))  # fmt: skip
    # A server may close a connection that seems to have been idle for a month; an error is none of its rights.
    assert not {"500", "503"} & set(at_work.ledger.failed), at_work.ledger.failed
    own_server.kill()
    assert_sound(own_server)
