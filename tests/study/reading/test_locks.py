"""What waits for what, between transactions that are under way at the same moment."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from study.models import Assignment, AuditEvent, Presentation, ReadingSet, Response, Study
from study.protocol import audit_log
from study.protocol import life as services
from study.protocol.readers import withdraw
from study.reading import answers
from study.reading.answers import Conflict, NotServed, SentAnswer
from study.reading.progress import sets_of
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
SOON, AT_ONCE = 20.0, 1.0


@pytest.fixture
def many_writers():
    """For what one writer at a time cannot show; ``make test-services`` runs it."""
    if not connection.features.has_select_for_update:
        pytest.skip("SQLite has one writer at a time")


@pytest.fixture
def assignments() -> list[Assignment]:
    study = factories.open_study(cases=2, copies=1, min_gap=1, readers=("ada", "bert"))
    return [factories.assignment_of(study, name) for name in ("ada", "bert")]


def answer(assignment: Assignment, position: int = 1, **fields) -> Response:
    token = Presentation.objects.get(reading_set__assignment=assignment, position=position).token
    sent = {"key": f"answer-{position}-of-{assignment.code}", "sent": SentAnswer(answer="tumour")} | fields
    return answers.record_answer(assignment=assignment, token=token, **sent).response


def change(assignment: Assignment, position: int) -> Response:
    return answer(assignment, position, key="another-key", replaces=1, sent=SentAnswer(answer="no_tumour"))


@contextmanager
def elsewhere(threads: int = 4):
    """``begin(act)`` starts ``act`` on a connection of its own."""

    def on_its_own(act):
        try:
            return act()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(threads) as pool:
        yield lambda act: pool.submit(on_its_own, act)


def waits(future: Future) -> bool:
    try:
        future.result(timeout=AT_ONCE)
    except TimeoutError:
        return True
    return False


def test_readers_of_one_study_do_not_wait_for_each_other(assignments, many_writers):
    with elsewhere() as begin, transaction.atomic():
        answer(assignments[0])
        assert begin(lambda: answer(assignments[1])).result(timeout=SOON).revision == 1
    assert Response.objects.count() == 2


def test_a_study_closes_when_the_answers_under_way_are_stored(assignments):
    with elsewhere() as begin:
        with transaction.atomic():
            answer(assignments[0])
            closing = begin(lambda: services.close_study(study=assignments[0].study, actor="office"))
            assert waits(closing)
        assert closing.result(timeout=SOON).state == "closed"
    assert Response.objects.count() == 1


def test_a_reader_who_finishes_a_set_does_not_keep_the_others_waiting(assignments, many_writers):
    for position in range(1, 5):
        answer(assignments[0], position)
    with elsewhere() as begin, transaction.atomic():
        answers.finish_set(assignment=assignments[0], number=1)
        assert begin(lambda: answer(assignments[1])).result(timeout=SOON).revision == 1


def test_who_closes_a_study_and_who_writes_to_its_log_do_not_wait_for_each_other(assignments):
    with elsewhere() as begin:
        with transaction.atomic():
            audit_log.hold()  # as everyone who writes to the log begins
            closing = begin(lambda: services.close_study(study=assignments[0].study, actor="office"))
            assert waits(closing)
            audit_log.record(study=assignments[0].study, actor="reader", action="noted")
        assert closing.result(timeout=SOON).state == "closed"
    assert audit_log.first_broken_event() is None


@pytest.mark.parametrize("end", ["study", "set", "assignment"])
def test_an_answer_that_waited_for_the_end_is_not_stored(assignments, end):
    ada = assignments[0]
    for position in range(1, 5 if end == "set" else 2):
        answer(ada, position)
    stored = Response.objects.count()
    with elsewhere() as begin:
        with transaction.atomic():
            if end == "study":
                services.close_study(study=Study.objects.get(), actor="office")
            elif end == "set":
                answers.finish_set(assignment=factories.assignment_of(ada.study, "ada"), number=1)
            else:
                withdraw(assignment=factories.assignment_of(ada.study, "ada"), reason="", actor="office")
            late = begin(lambda: change(ada, 4) if end == "set" else answer(ada, 2))
            assert waits(late)
        with pytest.raises((Conflict, NotServed)):
            late.result(timeout=SOON)
    assert Response.objects.count() == stored


@pytest.mark.parametrize("end", ["study", "assignment"])
def test_a_set_is_not_finished_by_who_waited_for_the_end(assignments, end):
    ada = assignments[0]
    for position in range(1, 5):
        answer(ada, position)
    with elsewhere() as begin:
        with transaction.atomic():
            if end == "study":
                services.close_study(study=Study.objects.get(), actor="office")
            else:
                Assignment.objects.filter(pk=ada.pk).update(withdrawn_at=ada.invited_at)
            late = begin(lambda: answers.finish_set(assignment=ada, number=1))
            assert waits(late)
        with pytest.raises(Conflict):
            late.result(timeout=SOON)
    assert ReadingSet.objects.get(assignment=ada).completed_at is None


def test_a_change_that_waited_for_the_next_answer_is_not_stored(assignments):
    first = answer(assignments[0])
    with elsewhere() as begin:
        with transaction.atomic():
            answer(assignments[0], 2)
            late = begin(lambda: change(assignments[0], 1))
            assert waits(late)
        with pytest.raises(Conflict):
            late.result(timeout=SOON)
    assert [response.answer for response in Response.objects.filter(presentation=first.presentation)] == ["tumour"]


def test_a_study_that_closes_while_all_its_readers_write_leaves_nobody_waiting():
    names = tuple(f"reader-{number}" for number in range(6))
    study = factories.open_study(cases=1, copies=1, min_gap=1, readers=names)
    Assignment.objects.update(consented_at=None)
    ready = threading.Barrier(len(names) + 1)

    def read(name: str) -> int:
        assignment = factories.assignment_of(study, name)
        ready.wait(SOON)
        stored = 0
        try:
            answers.consent(assignment=assignment)
            for position in (1, 2):
                stored += answer(assignment, position).revision
            answers.finish_set(assignment=assignment, number=1)
        except (Conflict, NotServed):
            pass
        return stored

    def close() -> None:
        ready.wait(SOON)
        services.close_study(study=study, actor="office")

    with elsewhere(len(names) + 1) as begin:
        readers = [begin(lambda name=name: read(name)) for name in names]
        begin(close).result(timeout=SOON)
        assert sum(reader.result(timeout=SOON) for reader in readers) == Response.objects.count()
    assert not Response.objects.filter(received_at__gt=AuditEvent.objects.get(action="closed").at).exists()
    assert audit_log.first_broken_event() is None


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


def test_answers_are_counted_at_their_index_while_there_are_a_few_hundred(many_writers):
    """A count that reads the whole table of answers becomes slower with every study."""
    study = factories.open_study(cases=20, copies=10, min_gap=1)
    shown = Presentation.objects.filter(reading_set__assignment__study=study)
    fields = {"revision": 1, "answer": "tumour", "code_version": "test"}
    Response.objects.bulk_create([Response(presentation=row, key=f"key {row.pk}", **fields) for row in shown])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        with CaptureQueriesContext(connection) as queries:
            sets = sets_of(factories.assignment_of(study))
        assert [(counted.count, counted.answered) for counted in sets] == [(40, 40)] * 10
        cursor.execute("EXPLAIN " + queries.captured_queries[-1]["sql"])
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert " on study_response" in plan, plan
    assert "Seq Scan on study_response" not in plan, plan
