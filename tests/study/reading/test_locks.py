"""What waits for what, between transactions that are under way at the same moment."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.db import connection, connections, transaction

from study.models import Assignment, AuditEvent, Presentation, ReadingSet, Response
from study.protocol import audit_log
from study.protocol import life as services
from study.reading import answers as reading
from study.reading import progress as reading_selectors
from study.reading.answers import Conflict, Given, NotServed
from study.reading.prepared import Prepared
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
SOON, AT_ONCE = 20.0, 1.0


@pytest.fixture
def many_writers():
    """For what one writer at a time cannot show; ``make test-services`` runs it."""
    if not connection.features.has_select_for_update:
        pytest.skip("SQLite has one writer at a time")


@pytest.fixture
def seats() -> list[Assignment]:
    study = factories.open_study(cases=2, copies=1, min_gap=1, readers=("ada", "bert"))
    return [factories.assignment_of(study, name) for name in ("ada", "bert")]


def answer(seat: Assignment, position: int = 1, **fields) -> Response:
    token = Presentation.objects.get(reading_set__assignment=seat, position=position).token
    given = {"key": f"answer-{position}-of-{seat.code}", "given": Given(answer="tumour")} | fields
    return reading.record_answer(assignment=seat, token=token, **given).response


@contextmanager
def elsewhere():
    """``begin(act)`` starts ``act`` on a connection of its own."""

    def on_its_own(act):
        try:
            return act()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        yield lambda act: pool.submit(on_its_own, act)


def waits(future: Future) -> bool:
    try:
        future.result(timeout=AT_ONCE)
    except TimeoutError:
        return True
    return False


def test_readers_of_one_study_do_not_wait_for_each_other(seats, many_writers):
    with elsewhere() as begin, transaction.atomic():
        answer(seats[0])
        assert begin(lambda: answer(seats[1])).result(timeout=SOON).revision == 1
    assert Response.objects.count() == 2


def test_a_study_closes_when_the_answers_under_way_are_stored(seats):
    with elsewhere() as begin:
        with transaction.atomic():
            answer(seats[0])
            closing = begin(lambda: services.close_study(study=seats[0].study, actor="office"))
            assert waits(closing)
        assert closing.result(timeout=SOON).state == "closed"
    assert Response.objects.count() == 1


def test_a_reader_who_finishes_a_set_does_not_keep_the_others_waiting(seats, many_writers):
    for position in range(1, 5):
        answer(seats[0], position)
    with elsewhere() as begin, transaction.atomic():
        reading.finish_set(assignment=seats[0], number=1)
        assert begin(lambda: answer(seats[1])).result(timeout=SOON).revision == 1


def test_who_closes_a_study_and_who_writes_to_its_log_do_not_wait_for_each_other(seats):
    with elsewhere() as begin:
        with transaction.atomic():
            audit_log.hold()  # as everyone who writes to the log begins
            closing = begin(lambda: services.close_study(study=seats[0].study, actor="office"))
            assert waits(closing)
            audit_log.record(study=seats[0].study, actor="reader", action="noted")
        assert closing.result(timeout=SOON).state == "closed"
    assert audit_log.first_broken_event() is None


@pytest.mark.parametrize("end", ["study", "set", "seat"])
def test_an_answer_that_waited_for_the_end_is_not_stored(seats, end):
    answer(seats[0])
    with elsewhere() as begin:
        with transaction.atomic():
            if end == "study":
                services.close_study(study=seats[0].study, actor="office")
            elif end == "set":
                ReadingSet.objects.filter(assignment=seats[0]).update(completed_at=seats[0].invited_at)
            else:
                Assignment.objects.filter(pk=seats[0].pk).update(withdrawn_at=seats[0].invited_at)
            late = begin(lambda: answer(seats[0], 2))
            assert waits(late)
        with pytest.raises((Conflict, NotServed)):
            late.result(timeout=SOON)
    assert Response.objects.count() == 1


def test_a_change_that_waited_for_the_next_answer_is_not_stored(seats):
    first = answer(seats[0])
    changed = {"key": "another-key", "replaces": first.revision, "given": Given(answer="no_tumour")}
    with elsewhere() as begin:
        with transaction.atomic():
            answer(seats[0], 2)
            change = begin(lambda: answer(seats[0], **changed))
            assert waits(change)
        with pytest.raises(Conflict):
            change.result(timeout=SOON)
    assert [response.answer for response in Response.objects.filter(presentation=first.presentation)] == ["tumour"]


@pytest.mark.parametrize("begun", [False, True])
def test_the_log_stays_one_chain_when_several_write_at_once(begun):
    study = factories.open_study() if begun else None  # the first event of all has no row to wait for
    ready = threading.Barrier(3)

    def write(number: int) -> None:
        for step in range(5):
            ready.wait(SOON)
            audit_log.record(study=study, actor=f"actor {number}", action="noted", step=step)

    with elsewhere() as begin:
        for written in [begin(lambda number=number: write(number)) for number in range(3)]:
            written.result(timeout=SOON)
    assert AuditEvent.objects.filter(action="noted").count() == 15
    assert audit_log.first_broken_event() is None


def kept_plan(query: Prepared, *parameters: int) -> str:
    """The plan that PostgreSQL keeps for any parameters."""
    parts = query.sql().split("%s")
    numbered = "".join(f"{part}${number}" for number, part in enumerate(parts[:-1], start=1)) + parts[-1]
    values = query.bound(parameters)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        cursor.execute(f"PREPARE kept AS {numbered}")
        cursor.execute(f"EXPLAIN EXECUTE kept ({', '.join(['%s'] * len(values))})", values)
        plan = "\n".join(line for (line,) in cursor.fetchall())
        cursor.execute("DEALLOCATE kept")
    return plan


def test_answers_are_counted_at_their_index_while_there_are_a_few_hundred(many_writers):
    """A plan that reads the whole table of answers would be kept while the table grows."""
    study = factories.open_study(cases=20, copies=10, min_gap=1)
    shown = Presentation.objects.filter(reading_set__assignment__study=study)
    given = {"revision": 1, "answer": "tumour", "code_version": "test"}
    Response.objects.bulk_create([Response(presentation=one, key=f"key {one.pk}", **given) for one in shown])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    plan = kept_plan(reading_selectors._unfinished, factories.assignment_of(study).pk)
    assert " on study_response" in plan, plan
    assert "Seq Scan on study_response" not in plan, plan
