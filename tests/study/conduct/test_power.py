"""The power beside the builder counts what readers would read: arms, sets and the order of arms."""

import pytest

from attacks.models import PairSet
from core.errors import InvalidInput
from core.requests import check
from study.conduct.power import power_of
from study.protocol.requests import PowerQuery
from tests import factories
from tests.pool import attacked_pool

pytestmark = pytest.mark.django_db


def readings(**asked) -> int:
    return power_of(check(PowerQuery, asked))["assumptions"]["sets"]


@pytest.mark.parametrize(
    ("asked", "each"),
    [
        ({"copies": 4}, 2),
        ({"copies": 4, "noise": True}, 4),  # three arms: the paper's order, every set shows all
        ({"copies": 6, "noise": True}, 2),
        ({"copies": 3}, 3),
        ({"copies": 4, "arm_order": "paper"}, 4),
        ({"copies": 4, "task": "pair"}, 4),
    ],
)
def test_a_stimulus_is_met_once_per_as_many_sets_as_there_are_arms(asked, each):
    assert readings(**asked) == each


def test_further_attacks_and_variants_of_pairs_are_arms():
    attack = attacked_pool(positives=2, negatives=0)
    assert readings(copies=6, further_attacks=[attack.name]) == 2
    pairs = PairSet.objects.create(name="pairs", variants=["", "a", "b"], width=32, height=32)
    assert readings(copies=8, pairs=pairs.name) == 2
    assert readings(copies=8, pairs=pairs.name, variants=["a"]) == 4


def test_sets_that_are_no_multiple_of_the_arms_are_named_before_building(client):
    with pytest.raises(InvalidInput, match="3 arms needs 3 sets") as refused:
        readings(copies=2, noise=True, arm_order="twin-split")
    assert refused.value.field == "copies"
    client.force_login(factories.user("ada", "admin"))
    shown = "margin=10&copies=2&noise=on&arm_order=twin-split&positives=20&alpha=0.025&planned_readers=2"
    answer = client.get(f"/new-study/power?{shown}").json()
    assert answer["error"].startswith("Sets: 2 sets are no multiple of 3")
