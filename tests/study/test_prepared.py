"""A query composed once gives what the query itself gives, converted, on every call and in every thread."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections
from django.db.models import Value
from django.utils import timezone

from study.models import Assignment, Presentation, Study
from study.prepared import Prepared, columns, instance
from tests import factories

pytestmark = pytest.mark.django_db
NAMES = columns(Study, without=("protocol",))


def by_slug(slug):
    return Study.objects.filter(slug=slug).values_list(*NAMES)


def test_rows_are_those_of_the_query_with_dates_and_documents_converted():
    studies = [factories.open_study(slug=slug, readers=(slug,), questions=["note"]) for slug in ("one", "two")]
    prepared = Prepared(by_slug, str)
    for study in studies:
        assert prepared(study.slug) == list(by_slug(study.slug))
        found = instance(Study, NAMES, prepared(study.slug)[0])
        assert (found, found.questions, found.opened_at) == (study, ["note"], study.opened_at)
    assert prepared("three") == []


def test_a_column_that_was_left_out_is_fetched_when_asked_for():
    study = factories.open_study()
    found = instance(Study, NAMES, Prepared(by_slug, str)(study.slug)[0])
    assert found.protocol == study.protocol


def test_a_parameter_may_come_more_than_once_and_beside_constants():
    study = factories.open_study()
    prepared = Prepared(
        lambda set_, first, last: Presentation.objects.filter(
            reading_set=set_, position__gte=first, position__lte=last, reading_set__number=1
        )
        .order_by("position")
        .values_list("position"),
        int, int, int,
    )  # fmt: skip
    first = factories.assignment_of(study).sets.get(number=1)
    assert prepared(first.pk, 2, 4) == [(2,), (3,), (4,)]
    assert prepared(first.pk, 1, 1) == [(1,)]


def test_a_hostile_parameter_is_a_parameter():
    factories.open_study()
    assert Prepared(by_slug, str)("small' OR '1'='1") == []


def test_a_query_that_swallows_a_parameter_is_refused():
    prepared = Prepared(lambda day: Assignment.objects.filter(invited_at__lt=timezone.now()).values_list("pk"), int)
    with pytest.raises(TypeError, match="does not reach"):
        prepared(1)


@pytest.mark.django_db(transaction=True)
def test_every_thread_composes_for_itself():
    study = factories.open_study()
    prepared = Prepared(
        lambda slug: Study.objects.filter(slug=slug).annotate(one=Value(1)).values_list("pk", "one"), str
    )

    def ask(_):
        try:
            return prepared("small")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(ask, range(6))) == [[(study.pk, 1)]] * 6
