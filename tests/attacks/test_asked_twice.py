"""A button that is pressed twice while the job runs leads to that job, also where the result's name is made later."""

import pytest

from attacks.battery_requests import battery, transfer
from attacks.comparison_requests import compare
from jobs.models import Job
from tests import factories
from tests.model.judged import judged_classifier

pytestmark = pytest.mark.django_db


def asked(work, classifier, by, **settings):
    if work is compare:
        return compare(first=classifier, second=classifier, by=by, **settings)
    if work is transfer:
        return transfer(classifiers=[classifier, classifier], by=by, **settings)
    return battery(classifier=classifier, by=by, **settings)


@pytest.mark.parametrize("work", [compare, battery, transfer])
def test_the_same_asked_for_again_is_the_job_that_runs(own_files, work):
    classifier, by = judged_classifier(), factories.user("asks", "researcher")
    first = asked(work, classifier, by)
    assert asked(work, classifier, by) == first
    assert asked(work, classifier, factories.user("another", "researcher")) == first
    other = asked(work, classifier, by, seed=7)
    assert other != first and Job.objects.count() == 2
    Job.objects.filter(pk=first.pk).update(state=Job.State.DONE)
    assert asked(work, classifier, by) not in (first, other)
