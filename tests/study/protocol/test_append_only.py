"""The database itself refuses to change an answer or an event of the log, also outside Django.

If the first test fails after a new migration: SQLite makes a table anew to alter it, and loses its triggers. Let that
migration end with ``study.protocol.append_only.guard``.
"""

import pytest
from django.db import DatabaseError, connection, transaction

from study.models import AuditEvent, Presentation, Response
from study.protocol import audit_log
from study.protocol.append_only import TABLES, missing_guards
from study.reading import answers as reading
from study.reading.answers import SentAnswer
from tests import factories
from tests.emptying import unguarded

pytestmark = pytest.mark.django_db
APPEND_ONLY = "rows of this table are append-only"


@pytest.fixture
def answered():
    assignment = factories.assignment_of(factories.open_study(copies=1))
    token = Presentation.objects.get(position=1).token
    saved = reading.record_answer(
        assignment=assignment, token=token, key="long-enough", sent=SentAnswer(answer="tumour")
    )
    return saved.response


def refused(sql: str) -> bool:
    with pytest.raises(DatabaseError, match=APPEND_ONLY), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
    return True


def test_no_program_changes_an_answer_or_an_event(answered):
    assert refused("UPDATE study_response SET answer = 'no_tumour'")
    assert refused(f"UPDATE study_response SET key = 'another' WHERE id = {answered.pk}")
    assert refused("UPDATE study_auditevent SET actor = 'somebody else'")
    assert Response.objects.get().answer == "tumour"
    assert audit_log.first_broken_event() is None


def test_an_answer_that_is_inserted_over_another_is_refused(answered):
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO study_response SELECT * FROM study_response"  # the same primary keys
        )
    assert Response.objects.count() == 1


@pytest.mark.parametrize("table", TABLES)
def test_nothing_is_deleted_or_emptied_either(answered, table):
    connection.check_constraints()  # PostgreSQL empties no table that has checks to come
    assert refused(f"DELETE FROM {table}")
    if connection.vendor == "postgresql":
        assert refused(f"TRUNCATE {table} CASCADE")
    assert Response.objects.count() == 1
    assert AuditEvent.objects.exists()


def test_the_triggers_are_missed_where_somebody_takes_them_away(answered):
    assert missing_guards(connection) == []
    connection.check_constraints()
    with unguarded():
        assert {name.rpartition("_no_")[0] for name in missing_guards(connection)} == set(TABLES)
    assert missing_guards(connection) == []


def test_answers_are_still_appended_and_changed_by_revisions(answered):
    reading.record_answer(
        assignment=factories.assignment_of(answered.presentation.reading_set.assignment.study),
        token=answered.presentation.token,
        key="another-key",
        sent=SentAnswer(answer="no_tumour"),
        replaces=1,
    )
    assert list(Response.objects.values_list("revision", "answer")) == [(1, "tumour"), (2, "no_tumour")]


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.django_db(transaction=True)
def test_a_test_database_is_still_emptied(number):
    """Run twice: the second run finds nothing of the first."""
    assert not Response.objects.exists()
    assert not AuditEvent.objects.exists()
    factories.open_study()
    assert AuditEvent.objects.exists()
