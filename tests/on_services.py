"""Loaded by ``make test-services``: only what touches the database, on PostgreSQL 15 and RQ on Redis 7 or newer.

The tests themselves are the suite's own. Tests that need neither engine (arithmetic, drawing) are not run again.
"""

import os

import pytest

OLDEST_POSTGRESQL, OLDEST_REDIS = 150000, 7
DATABASE_FIXTURES = {"db", "transactional_db", "live_server"}


# Before the settings are read: each process has a queue of its own, as it has a database of its own.
if (process := os.environ.get("PYTEST_XDIST_WORKER", "")) and "REDIS_URL" in os.environ:
    server = os.environ["REDIS_URL"].rsplit("/", 1)[0]
    os.environ["REDIS_URL"] = f"{server}/{1 + int(process.removeprefix('gw'))}"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items) -> None:
    kept, left = [], []
    for item in items:
        touches = item.get_closest_marker("django_db") or DATABASE_FIXTURES & set(item.fixturenames)
        (kept if touches else left).append(item)
    config.hook.pytest_deselected(items=left)
    items[:] = kept


@pytest.fixture(scope="session", autouse=True)
def these_engines(django_db_setup, django_db_blocker) -> None:
    """Nothing passes here on another engine by mistake."""
    import django_rq
    from django.conf import settings
    from django.db import connection

    with django_db_blocker.unblock():
        assert connection.vendor == "postgresql", "DATABASE_URL does not name PostgreSQL: use scripts/services.sh run"
        connection.ensure_connection()
        assert connection.pg_version >= OLDEST_POSTGRESQL, f"PostgreSQL {connection.pg_version} is too old"
    assert settings.TASKS_BACKEND == "rq", "REDIS_URL is not set: use scripts/services.sh run"
    redis = django_rq.get_connection().info("server")["redis_version"]
    assert int(redis.split(".")[0]) >= OLDEST_REDIS, f"Redis {redis} is too old"
