"""One person has one user name, however it is written: capitals, full-width letters, letters with marks apart."""

import importlib
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command
from django.db import connection
from django.http import HttpRequest
from django.test import Client

from core.models import User, plain_name
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("Ann", "ann"),
        ("ANN", "ann"),
        ("ｔａｎａｋａ", "tanaka"),
        ("Ａｎｎ", "ann"),
        ("re\u0301ne\u0301", "r\u00e9n\u00e9"),
        ("İpek", "i̇pek"),
    ],
)
def test_names_are_stored_and_found_in_one_form(typed, stored):
    assert plain_name(typed) == stored and plain_name(stored) == stored
    first = User.objects.create_user(username=typed, password="a long password")
    assert first.username == stored
    again, created = User.objects.get_or_create(username=typed)
    assert again == first and not created
    assert authenticate(HttpRequest(), username=typed, password="a long password") == first
    assert User.objects.filter(username__in=[typed]).exists()


def test_a_name_that_differs_by_its_letters_is_another_person():
    assert plain_name("strauß") != plain_name("strauss") and plain_name("josé") != plain_name("jose")


def test_inviting_one_reader_in_three_spellings_makes_one_reader(capsys):
    study = factories.open_study(copies=1)
    for name in ("mia", "Mia", "ＭＩＡ"):
        call_command("invite_reader", study.slug, name)
    assert User.objects.filter(username="mia").count() == 1
    assert study.assignments.filter(reader__username="mia").count() == 1


def test_the_api_takes_a_full_width_name_twice():
    study = factories.open_study(copies=1)
    client = Client()
    client.force_login(factories.user("boss", User.Role.ADMIN), backend="django.contrib.auth.backends.ModelBackend")
    for _ in range(2):
        answer = client.post(
            f"/api/v1/studies/{study.slug}/readers/", {"username": "ｔａｎａｋａ"}, content_type="application/json"
        )
        assert answer.status_code == 201


@pytest.mark.parametrize("options", [["ann müller"], ["ann2", "--email", "not an address"]])
def test_the_command_names_the_field_that_is_wrong(options):
    study = factories.open_study(copies=1)
    with pytest.raises(CommandError, match=r"USERNAME: |--email: "):
        call_command("invite_reader", study.slug, *options)
    assert study.assignments.count() == 1


def test_names_of_an_earlier_version_become_plain_and_nobody_loses_theirs():
    migration = importlib.import_module("core.migrations.0002_plain_user_names")
    people = [User.objects.create_user(username=f"u{number}") for number in range(5)]
    with connection.cursor() as cursor:
        for person, name in zip(people, ["Ann", "ann", "ANN", "ann-2", "Ｂｏｂ"], strict=True):
            cursor.execute("UPDATE core_user SET username = %s WHERE id = %s", [name, person.pk])
    migration.make_plain(apps, SimpleNamespace(connection=connection))
    names = {person.pk: person.username for person in User.objects.all()}
    assert [names[person.pk] for person in people] == ["ann", "ann-3", "ann-4", "ann-2", "bob"]


def test_attempts_to_sign_in_are_counted_for_the_person(client, settings):
    settings.AXES_FAILURE_LIMIT = 3
    User.objects.create_user(username="ann", password="a long password")
    for name in ("ann", "Ann", "ANN"):
        client.post("/sign-in/", {"username": name, "password": "wrong"})
    assert client.post("/sign-in/", {"username": "aNN", "password": "a long password"}).status_code == 429
