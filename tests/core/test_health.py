"""/healthz: 200 only where an answer could be stored; and asking leaves nothing behind."""

from pathlib import Path

import pytest
from django.contrib.sessions.models import Session
from django.db import OperationalError

from core import health

pytestmark = pytest.mark.django_db


def test_a_healthy_server_says_so_and_keeps_nothing(client, settings):
    before = sorted(Path(settings.HOME).iterdir())
    answer = client.get("/healthz")
    assert answer.status_code == 200 and answer.json()["status"] == "ok"
    assert not Session.objects.exists() and sorted(Path(settings.HOME).iterdir()) == before


def test_a_full_disk_is_told(client, monkeypatch):
    """``/dev/full`` is a disk without room."""
    monkeypatch.setattr(health.tempfile, "TemporaryFile", lambda dir: open("/dev/full", "wb"))  # noqa: PTH123, SIM115
    answer = client.get("/healthz")
    assert answer.status_code == 503 and answer.json() == {"status": "failing", "home": "No space left on device"}


def test_a_database_that_takes_no_rows_is_told(client, monkeypatch):
    def full(**fields):
        raise OperationalError("database or disk is full")

    monkeypatch.setattr(Session.objects, "create", full)
    answer = client.get("/healthz")
    assert answer.status_code == 503 and answer.json() == {"status": "failing", "database": "OperationalError"}


def test_a_home_that_has_gone_is_told(client, settings, tmp_path):
    settings.HOME = tmp_path / "gone"
    answer = client.get("/healthz")
    assert answer.status_code == 503 and answer.json()["home"] == "No such file or directory"
