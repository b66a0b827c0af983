"""A link lets one reader in, once, for a while; looking at it does not use it up."""

import hashlib
import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from core.errors import InvalidInput
from core.models import User
from study.models import Invitation
from study.protocol.readers import invite
from tests import factories

pytestmark = pytest.mark.django_db
STRONG = {"password": "grey-chequerboard-9", "again": "grey-chequerboard-9"}


JOIN = "/reading/join/"
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def secret():
    study = factories.open_study(readers=(), ready=False)
    return invite(study=study, username="newcomer", actor="office")[1]


def opened(client, secret: str):
    """What the page's script does with the link: the secret is posted, and never in an address."""
    return client.post(JOIN, {"code": secret})


def test_the_link_leads_from_password_to_consent_and_then_is_gone(client, secret):
    assert "code" in client.get(JOIN).text
    assert opened(client, secret).url == JOIN
    assert "R01" in client.get(JOIN).text
    assert client.get(JOIN).status_code == 200
    assert client.post(JOIN, STRONG).url == "/reading/study/small/consent/"
    assert client.get("/reading/study/small/consent/").status_code == 200
    assert opened(client, secret).status_code == 404
    assert client.post(JOIN, {"password": "another-one-4711", "again": "another-one-4711"}).status_code == 404
    assert User.objects.get(username="newcomer").check_password(STRONG["password"])


@pytest.mark.parametrize("pasted", ["{}", " {}\n", "https://blindspot.example.org/reading/join/#{}"])
def test_without_scripts_the_link_or_its_code_is_pasted(client, secret, pasted):
    assert opened(client, pasted.format(secret)).status_code == 302


def test_only_the_hash_of_the_secret_is_kept(client, secret):
    stored = Invitation.objects.get()
    assert stored.secret_sha256 == hashlib.sha256(secret.encode()).hexdigest()
    opened(client, secret)
    assert secret not in json.dumps([*Invitation.objects.values(), dict(client.session)], default=str)


def test_who_has_an_account_joins_a_further_study_with_a_button_and_keeps_the_password(client, secret):
    reader = User.objects.get(username="newcomer")
    reader.set_password(factories.PASSWORD)
    reader.save()
    opened(client, secret)
    shown = client.get(JOIN).text
    assert "/sign-in/?next=/reading/join/" in shown
    assert client.post(JOIN, STRONG).url == JOIN, "the link alone does not let a person in who has a password"
    assert not Invitation.objects.exclude(used_at=None).exists()
    signed_in = client.post("/sign-in/", {"username": "newcomer", "password": factories.PASSWORD, "next": JOIN})
    assert signed_in.url == JOIN
    assert 'name="password"' not in client.get(JOIN).text
    assert client.post(JOIN).url == "/reading/study/small/consent/"
    assert Invitation.objects.exclude(used_at=None).exists()
    assert User.objects.get(username="newcomer").check_password(factories.PASSWORD)


def test_somebody_else_does_not_join_in_their_place(client, secret):
    factories.user("other")
    User.objects.filter(username="newcomer").update(password=User.objects.get(username="other").password)
    client.post("/sign-in/", {"username": "other", "password": factories.PASSWORD})
    opened(client, secret)
    assert client.post(JOIN).url == JOIN
    assert not Invitation.objects.exclude(used_at=None).exists()


@pytest.mark.parametrize(
    "entered",
    [
        {"password": "short", "again": "short"},
        {"password": "1234567890123", "again": "1234567890123"},
        {"password": "grey-chequerboard-9", "again": "grey-chequerboard-8"},
        {"password": "newcomer-newcomer", "again": "newcomer-newcomer"},
        {},
    ],
)
def test_a_weak_or_mistyped_password_does_not_use_the_link_up(client, secret, entered):
    opened(client, secret)
    response = client.post(JOIN, entered)
    assert response.status_code == 400
    assert 'role="alert"' in response.text and secret not in response.text
    assert client.post(JOIN, STRONG).status_code == 302


def test_an_expired_link_is_gone(client, secret):
    opened(client, secret)
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get(JOIN).status_code == 404
    assert opened(client, secret).status_code == 404


def test_a_new_link_ends_the_old_one(client, secret):
    study = factories.Study.objects.get()
    _, newer = invite(study=study, username="newcomer", actor="office")
    assert opened(client, secret).status_code == 404
    assert opened(client, newer).status_code == 302


def test_the_command_prints_a_link_that_works(client, capsys):
    factories.open_study(readers=(), ready=False)
    call_command("invite_reader", "small", "newcomer", "--json")
    printed = json.loads(capsys.readouterr().out)
    assert printed["code"] == "R01"
    address, _, code = printed["link"].partition("#")
    assert address == f"http://127.0.0.1:8000{JOIN}"
    opened(client, code)
    assert client.post(JOIN, STRONG).status_code == 302


def test_only_a_reader_is_invited():
    study = factories.open_study()
    factories.user("boss", "admin")
    with pytest.raises(InvalidInput, match="boss"):
        invite(study=study, username="boss", actor="office")
    with pytest.raises(CommandError, match="no study 'elsewhere'"):
        call_command("invite_reader", "elsewhere", "newcomer")


def test_the_invitations_language_is_the_readers_first_and_their_own_choice_comes_before_it(client):
    study = factories.open_study(readers=(), ready=False)
    _, secret = invite(study=study, username="newcomer", actor="office", language="fr")
    english = {"HTTP_ACCEPT_LANGUAGE": "en"}

    def language(address: str = JOIN) -> str:
        page = client.get(address, **english)
        assert page["Content-Language"] in page.text
        return page["Content-Language"]

    assert language() == "en-gb", "nobody knows yet who this is"
    opened(client, secret)
    assert language() == "fr"
    refused = client.post(JOIN, {"password": "short", "again": "other"}, **english)
    assert "ne correspondent pas" in refused.text
    assert client.post(JOIN, STRONG, **english).status_code == 302
    assert language("/reading/study/small/consent/") == "fr"
    client.logout()
    client.force_login(User.objects.get(username="newcomer"), backend=BACKEND)
    assert language("/reading/") == "fr", "in every browser"
    client.post("/language/", {"language": "es", "next": "/reading/"})
    assert language("/reading/") == "es"
    client.cookies.pop("django_language")
    assert language("/reading/") == "es", "what they chose is kept with the account"
    _, second = invite(study=factories.draft_study(slug="second"), username="newcomer", actor="office", language="de")
    opened(client, second)
    client.post(JOIN)
    assert User.objects.get(username="newcomer").language == "es"


def test_a_choice_made_in_this_browser_comes_before_the_invitations_language(client):
    study = factories.open_study(readers=(), ready=False)
    _, secret = invite(study=study, username="newcomer", actor="office", language="fr")
    client.post("/language/", {"language": "de", "next": JOIN})
    opened(client, secret)
    assert client.get(JOIN)["Content-Language"] == "de"


def test_a_reminder_is_written_in_the_readers_language():
    from study.conduct.reminders import reminder, subject_of

    study = factories.open_study()
    assignment = factories.assignment_of(study)
    assert "There are" in reminder(assignment=assignment, address="http://x") and "Reminder" in subject_of(assignment)
    User.objects.update(language="de")
    assignment.reader.refresh_from_db()
    text = reminder(assignment=assignment, address="http://x")
    assert "8 Bilder" in text and "/reading/study/small/" in text and "There are" not in text
    assert "Erinnerung" in subject_of(assignment)
