"""A query composed once gives what the query itself gives, converted, on every call and in every thread."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, connections
from django.db.models import Value
from django.utils import timezone

from core.models import User
from study.models import Assignment, Presentation, Response, Study
from study.reading.prepared import Columns, Insert, Prepared
from tests import factories

pytestmark = pytest.mark.django_db
COLUMNS = Columns(Study, without=("protocol",))
OPEN = Prepared(
    lambda pk, name: Study.objects.filter(pk=pk, state="open", name=name).order_by().values_list("pk"), int, str
)


def by_slug(slug):
    return Study.objects.filter(slug=slug).values_list(*COLUMNS)


def test_rows_are_those_of_the_query_with_dates_and_documents_converted():
    studies = [factories.open_study(slug=slug, readers=(slug,), questions=["note"]) for slug in ("one", "two")]
    prepared = Prepared(by_slug, str)
    for study in studies:
        assert [tuple(row) for row in prepared(study.slug)] == list(by_slug(study.slug))
        found = COLUMNS(prepared(study.slug)[0])
        assert (found, found.questions, found.opened_at) == (study, ["note"], study.opened_at)
    assert prepared("three") == []


def test_a_column_that_was_left_out_is_fetched_when_asked_for():
    study = factories.open_study()
    found = COLUMNS(Prepared(by_slug, str)(study.slug)[0])
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
    assert prepared(first.pk, 2, 4) == [[2], [3], [4]]
    assert prepared(first.pk, 1, 1) == [[1]]


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
        assert list(pool.map(ask, range(6))) == [[[study.pk, 1]]] * 6


def test_an_instance_is_saved_and_compared_as_any_other():
    study = factories.open_study(name="Before")
    found = COLUMNS(Prepared(by_slug, str)("small")[0])
    found.name = "After"
    found.save(update_fields=["name"])
    study.refresh_from_db()
    assert (study.name, found) == ("After", study)
    assert not found._state.adding


def test_a_model_that_makes_its_instances_otherwise_does_so_here():
    factories.user("ada", User.Role.ADMIN)
    some = Columns(User, only=("id", "role", "is_superuser"))
    (row,) = Prepared(lambda name: User.objects.filter(username=name).values_list(*some), str)("ada")
    assert some(row)._could_see_arms


def test_a_column_that_does_not_exist_is_refused():
    with pytest.raises(TypeError, match="no column colour"):
        Columns(Study, only=("colour",))


def test_an_appended_row_is_the_one_that_create_would_have_made():
    study = factories.open_study()
    first, second = Presentation.objects.filter(reading_set__assignment__study=study)[:2]
    given = {"revision": 1, "key": "long-enough", "answer": "tumour", "rt_ms": 12.5, "shown_at": timezone.now(),
             "perturbed_response": False, "viewing": {"scale": 2}, "code_version": "test"}  # fmt: skip
    append = Insert(Response, only_while=OPEN)
    row = Response(presentation=first, **given)
    assert append(row, study.pk, study.name)
    usual = Response.objects.create(presentation=second, **given)
    stored = Response.objects.get(pk=row.pk)
    apart = {"id", "presentation_id", "received_at"}
    for field in Response._meta.concrete_fields:
        name = field.attname
        assert name in apart or getattr(stored, name) == getattr(usual, name), name
    assert stored.received_at == row.received_at
    with pytest.raises(IntegrityError):
        append(Response(presentation=first, **given), study.pk, study.name)


def test_a_row_is_appended_only_while_another_one_stands():
    study = factories.open_study()
    shown = Presentation.objects.filter(reading_set__assignment__study=study).first()
    append = Insert(Response, only_while=OPEN)
    row = Response(presentation=shown, revision=1, key="long-enough", answer="tumour", code_version="test")
    assert not append(row, study.pk, "another name")
    assert (row.pk, Response.objects.count()) == (None, 0)
    assert append(row, study.pk, study.name)
    assert Response.objects.get() == row
