"""One person has one user name, however it is written: capitals, full-width letters, letters with marks apart."""

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest
from django.test import Client
from knox.models import AuthToken

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


EARLIER = {
    "Ann": "ann", "ann": "ann-3", "ANN": "ann-4", "ann-2": "ann-2",  # the first keeps it; nobody's own name is taken
    "Ｂｏｂ": "bob", "re\u0301ne\u0301": "r\u00e9n\u00e9", "ﬁona": "fiona",
    "x" * 149 + "Ａ": "x" * 149 + "a", "X" * 149 + "a": "x" * 140 + "-2",
}  # fmt: skip


@pytest.fixture
def before_plain_names(transactional_db):
    """The database as the version before made it; afterwards as it is now, without rows."""
    executor = MigrationExecutor(connection)
    executor.migrate([("core", "0001_initial")])
    yield executor.loader.project_state([("core", "0001_initial")]).apps
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


def test_names_of_an_earlier_version_become_plain_and_nobody_loses_theirs(before_plain_names, capsys):
    """The whole migration, with rows that others point to: here on SQLite, in `make test-services` on PostgreSQL."""
    user = before_plain_names.get_model("core", "User")
    people = {user.objects.create(username=name, password=f"of {name}"[:40]).pk: name for name in EARLIER}
    for pk in people:
        AuthToken(digest=f"digest {pk}", token_key="key", user_id=pk).save()
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())
    now = {person.pk: (person.username, person.password) for person in User.objects.all()}
    assert now == {pk: (EARLIER[name], f"of {name}"[:40]) for pk, name in people.items()}
    assert {token.user.username for token in AuthToken.objects.select_related("user")} == set(EARLIER.values())
    said = capsys.readouterr().out
    assert all(f"User {name!r} is called {EARLIER[name]!r} from now on" in said for name in ("ann", "ANN"))
    with pytest.raises(IntegrityError):
        User.objects.create_user(username="ＡＮＮ")


def test_attempts_to_sign_in_are_counted_for_the_person(client, settings):
    settings.AXES_FAILURE_LIMIT = 3
    User.objects.create_user(username="ann", password="a long password")
    for name in ("ann", "Ann", "ANN"):
        client.post("/sign-in/", {"username": name, "password": "wrong"})
    assert client.post("/sign-in/", {"username": "aNN", "password": "a long password"}).status_code == 429
