"""Tokens for programs are kept as hashes; those of an earlier version work on."""

import importlib
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db import connection
from knox.models import AuthToken

from tests import factories

OLD = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.django_db
def test_a_token_is_in_no_table_and_on_no_page_of_the_admin(client):
    boss = factories.user("boss", "admin", is_staff=True, is_superuser=True)
    client.force_login(boss, backend="django.contrib.auth.backends.ModelBackend")
    token = client.post("/token/", {"what": "new"}).context["new_token"]
    kept = AuthToken.objects.get()
    assert token not in str(AuthToken.objects.values())
    for address in ("/admin/knox/authtoken/", f"/admin/knox/authtoken/{kept.digest}/change/", "/token/"):
        assert token not in client.get(address).text
    client.logout()
    assert client.get("/api/v1/jobs/", headers={"Authorization": f"Token {token}"}).status_code == 200
    assert client.get("/api/v1/jobs/", headers={"Authorization": f"Token {token[:-1]}x"}).status_code == 401


@pytest.mark.django_db(transaction=True)
def test_a_token_of_an_earlier_version_works_on_and_its_clear_text_is_gone(client):
    ora = factories.user("ora", "researcher")
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE authtoken_token (key varchar(40), created varchar(40), user_id integer)")
        cursor.execute("INSERT INTO authtoken_token VALUES (%s, '2026-01-01', %s)", [OLD, ora.pk])
    migration = importlib.import_module("core.migrations.0003_hashed_tokens")
    migration.hash_tokens(apps, SimpleNamespace(connection=connection))
    assert "authtoken_token" not in connection.introspection.table_names()
    assert client.get("/api/v1/jobs/", headers={"Authorization": f"Token {OLD}"}).status_code == 200
