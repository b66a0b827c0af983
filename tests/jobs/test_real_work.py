"""An attack, killed half-way through: the same bytes as one that nobody disturbed."""

import signal

import pytest

from attacks.models import Attack, Perturbation
from jobs import services
from jobs.models import Job
from tests.attacks.conftest import learned, make_classifier  # noqa: F401
from tests.jobs.conftest import seen, wait_for

SETTINGS = {"classifier": "small", "norm": "l2", "budget": 4.0, "steps": 30, "seed": 7}


def rows(name: str) -> list[tuple]:
    columns = ("patch__index", "sha256", "flipped", "prob_before", "prob_after", "steps", "l2")
    return list(Perturbation.objects.filter(attack__name=name).order_by("patch__index").values_list(*columns))


@pytest.mark.slow
def test_a_killed_attack_goes_on_and_ends_in_the_same_bytes(crew, make_classifier, tmp_path):  # noqa: F811
    make_classifier(test=48)
    worker = {"BLINDSPOT_HOME": str(tmp_path), "TEST_CHUNK": "8"}
    undisturbed = services.submit(kind="attack", arguments=SETTINGS | {"name": "undisturbed"})
    first = crew.start(**worker)
    wait_for(lambda: seen(undisturbed).state in Job.ENDED, 200, "the undisturbed attack")
    assert undisturbed.state == "done", undisturbed.error
    killed = services.submit(kind="attack", arguments=SETTINGS | {"name": "killed"})
    wait_for(lambda: len(rows("killed")) >= 16, 100, "two chunks")
    first.send_signal(signal.SIGKILL)
    first.wait()
    rows_before = rows("killed")
    assert 16 <= len(rows_before) < 48 and seen(killed).state == "running"
    crew.start(**worker)
    wait_for(lambda: seen(killed).state in Job.ENDED, 200, "the killed attack")
    assert (killed.state, killed.attempt, killed.lost) == ("done", 2, 1), killed.error + crew.logs()
    assert rows("killed") == rows("undisturbed") and len(rows("killed")) == 48
    summaries = [Attack.objects.get(name=name).summary for name in ("killed", "undisturbed")]
    assert summaries[0]["flipped"] == summaries[1]["flipped"] > 0
