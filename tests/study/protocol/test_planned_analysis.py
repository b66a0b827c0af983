"""What a protocol says that a study is for is what its task can answer."""

import pytest

from study.models import Study
from study.protocol.documents import facts
from study.protocol.preregistration import as_markdown
from tests import factories, ladders

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("options", "estimand"),
    [
        ({}, "TPF(perturbed) - TPF(original)"),
        ({"task": "pair"}, "Proportion of pairs in which the altered image was named"),
        ({"ladder_": "fixed"}, "Blind-spot index"),
    ],
    ids=["labelling", "pairs", "ladder"],
)
def test_the_frozen_protocol_and_the_page_name_the_estimand_of_the_task(options, estimand):
    make = ladders.opened if "ladder_" in options else factories.open_study
    make(cases=5, min_gap=2, **options)
    study = Study.objects.get()
    question = dict(facts(study)[0]["rows"])
    assert study.protocol["primary_estimand"].startswith(estimand)
    assert question["Primary estimand"] == study.protocol["primary_estimand"] and estimand in as_markdown(study)
    assert ("Margin" in question) == (study.task == Study.Task.LABELLING)
