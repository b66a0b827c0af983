"""Answers and the log are append-only in the database itself: it refuses to change, delete or empty them.

The migrations call ``guard`` at their end: SQLite makes a table anew to alter it, and loses its triggers.
"""

from typing import Any

TABLES = ("study_response", "study_auditevent")
MESSAGE = "rows of this table are append-only"
_OPERATIONS = {"sqlite": ("UPDATE", "DELETE"), "postgresql": ("UPDATE", "DELETE", "TRUNCATE")}


def _name(table: str, operation: str) -> str:
    return f"{table}_no_{operation.lower()}"


def guard(connection: Any) -> None:
    """Make the triggers; those that are there already are made anew."""
    unguard(connection)
    with connection.cursor() as cursor:
        for table in TABLES:
            if connection.vendor == "postgresql":
                cursor.execute(
                    f"CREATE OR REPLACE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ "
                    f"BEGIN RAISE EXCEPTION '{MESSAGE}'; END $$"
                )
            for operation in _OPERATIONS[connection.vendor]:
                each = "STATEMENT" if operation == "TRUNCATE" else "ROW"
                then = (
                    f"FOR EACH {each} EXECUTE FUNCTION {table}_append_only()"
                    if connection.vendor == "postgresql"
                    else f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
                )
                cursor.execute(f"CREATE TRIGGER {_name(table, operation)} BEFORE {operation} ON {table} {then}")


def unguard(connection: Any) -> None:
    """Take the triggers away: for migrations that alter these tables, and for tests."""
    with connection.cursor() as cursor:
        for table in TABLES:
            at = f" ON {table}" if connection.vendor == "postgresql" else ""
            names = [_name(table, operation) for operation in _OPERATIONS[connection.vendor]]
            for name in (f"{table}_append_only", *names):  # the first is what migration 0001 made
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}{at}")


def missing_guards(connection: Any) -> list[str]:
    """Names of the triggers that should be there and are not."""
    wanted = [_name(table, operation) for table in TABLES for operation in _OPERATIONS[connection.vendor]]
    query = (
        "SELECT tgname FROM pg_trigger WHERE tgenabled <> 'D'"
        if connection.vendor == "postgresql"
        else "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    )
    with connection.cursor() as cursor:
        cursor.execute(query)
        there = {row[0] for row in cursor.fetchall()}
    return [name for name in wanted if name not in there]
