"""Whatever is sent to whichever address, by whomever: no server error. ``TRUST_REQUESTS`` says how many are tried."""

import os
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings

from tests.web.cast import World
from tests.web.odd import Odd, Sent

REQUESTS = int(os.environ.get("TRUST_REQUESTS", "500"))
EVERY = list(HealthCheck)


@pytest.fixture
def odd(db, tmp_path) -> Odd:
    return Odd(World(tmp_path))


@pytest.mark.trust
def test_no_request_is_a_server_error(odd):
    """All faults of a run are told at once, each with one request that shows it."""
    faults: dict[str, Sent] = {}
    answers: Counter[int] = Counter()

    @settings(
        max_examples=REQUESTS, deadline=None, suppress_health_check=EVERY, database=None, derandomize=REQUESTS <= 500
    )
    @given(sent=odd.requests())
    def ask(sent: Sent) -> None:
        answer = odd.ask(sent)
        answers[answer.status_code] += 1
        if answer.status_code >= 500:
            faults.setdefault(odd.reason(answer), sent)

    ask()
    told = "\n\n".join(f"{reason}\n    {sent}" for reason, sent in faults.items())
    assert not faults, f"{len(faults)} faults in {sum(answers.values())} requests:\n{told}"
    assert {200, 302, 400, 403, 404, 405} <= set(answers), answers
    print(f"{sum(answers.values())} requests: {dict(sorted(answers.items()))}")  # noqa: T201
