"""A link lets one reader in, once, for a while; looking at it does not use it up."""

import hashlib
import json
from datetime import timedelta
from urllib.parse import urlsplit

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


@pytest.fixture
def link():
    study = factories.open_study(readers=(), ready=False)
    _, secret = invite(study=study, username="newcomer", actor="office")
    return f"/reading/join/{secret}/"


def test_the_link_leads_from_password_to_consent_and_then_is_gone(client, link):
    assert "R01" in client.get(link).text
    assert client.get(link).status_code == 200
    assert client.post(link, STRONG).url == "/reading/study/small/consent/"
    assert client.get("/reading/study/small/consent/").status_code == 200
    assert client.get(link).status_code == 404
    assert client.post(link, {"password": "another-one-4711", "again": "another-one-4711"}).status_code == 404
    assert User.objects.get(username="newcomer").check_password(STRONG["password"])


def test_only_the_hash_of_the_secret_is_kept(link):
    stored = Invitation.objects.get()
    secret = link.split("/")[-2]
    assert stored.secret_sha256 == hashlib.sha256(secret.encode()).hexdigest()
    assert secret not in json.dumps(list(Invitation.objects.values()), default=str)


@pytest.mark.parametrize(
    "entered",
    [
        {"password": "short", "again": "short"},
        {"password": "1234567890123", "again": "1234567890123"},
        {"password": "grey-chequerboard-9", "again": "grey-chequerboard-8"},
        {},
    ],
)
def test_a_weak_or_mistyped_password_does_not_use_the_link_up(client, link, entered):
    response = client.post(link, entered)
    assert response.status_code == 400
    assert 'role="alert"' in response.text
    assert client.post(link, STRONG).status_code == 302


def test_an_expired_link_is_gone(client, link):
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get(link).status_code == 404


def test_a_new_link_ends_the_old_one(client, link):
    study = factories.Study.objects.get()
    _, secret = invite(study=study, username="newcomer", actor="office")
    assert client.get(link).status_code == 404
    assert client.get(f"/reading/join/{secret}/").status_code == 200


def test_the_command_prints_a_link_that_works(client, capsys):
    factories.open_study(readers=(), ready=False)
    call_command("invite_reader", "small", "newcomer", "--json")
    printed = json.loads(capsys.readouterr().out)
    assert printed["code"] == "R01"
    assert client.post(urlsplit(printed["link"]).path, STRONG).status_code == 302


def test_only_a_reader_is_invited():
    study = factories.open_study()
    factories.user("boss", "admin")
    with pytest.raises(InvalidInput, match="boss"):
        invite(study=study, username="boss", actor="office")
    with pytest.raises(CommandError, match="no study 'elsewhere'"):
        call_command("invite_reader", "elsewhere", "newcomer")
