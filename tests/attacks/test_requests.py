"""A request for an attack: every worker that was asked for gets something to do."""

import pytest

from attacks import requests
from model.models import Patch
from tests import factories
from tests.pool import attacked_pool

pytestmark = pytest.mark.django_db


@pytest.fixture
def classifier():
    made = attacked_pool(positives=6, negatives=4).classifier
    made.split = {"train": [], "test": list(Patch.objects.values_list("pk", flat=True))}
    made.save()
    return made


@pytest.mark.parametrize(
    ("kind", "positives_only", "chunk"), [("pgd", False, 4), ("pgd", True, 2), ("minimal", True, 2)]
)
def test_few_patches_are_shared_among_all_workers(classifier, kind, positives_only, chunk):
    job = requests.attack(
        name="shared", classifier=classifier, by=factories.user("ora", "researcher"), kind=kind, parts=3,
        norm="linf", budget=4.0, positives_only=positives_only,
    )  # fmt: skip
    assert job.arguments["chunk"] == chunk and job.parts.count() == 3


def test_one_worker_takes_chunks_of_the_usual_size(classifier):
    job = requests.attack(
        name="alone", classifier=classifier, by=factories.user("ora", "researcher"), norm="linf", budget=4.0
    )
    assert "chunk" not in job.arguments
