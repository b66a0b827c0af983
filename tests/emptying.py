"""Test databases are emptied although answers and the log refuse it: their triggers are taken away meanwhile.

Loaded by pytest for the whole suite (``tests/conftest.py``). The project itself has no such way.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.test import TransactionTestCase

from study.protocol.append_only import guard, unguard


@contextmanager
def unguarded() -> Iterator[None]:
    """For the length of the block the database takes changes of answers and the log."""
    unguard(connection)
    try:
        yield
    finally:
        guard(connection)


@pytest.fixture(autouse=True, scope="session")
def emptied_between_tests() -> Iterator[None]:
    """After a test with transactions of its own, Django empties every table with TRUNCATE or DELETE."""
    teardown = TransactionTestCase._fixture_teardown

    def without_guard(case: TransactionTestCase) -> None:
        with unguarded():
            teardown(case)

    TransactionTestCase._fixture_teardown = without_guard
    yield
    TransactionTestCase._fixture_teardown = teardown
