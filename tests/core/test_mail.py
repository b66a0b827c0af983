"""A mail that cannot be sent loses nothing: page and API show the link and say that it was not mailed."""

import pytest
from django.core import mail
from django.test import Client

from core.models import User
from tests import factories

pytestmark = pytest.mark.django_db
AWAY = {"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": 1}  # nobody listens there


@pytest.fixture
def office(settings, client: Client) -> Client:
    settings.EMAIL_CONFIGURED = True
    settings.EMAIL_BACKEND = "core.mail.Backend"
    settings.MAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    for name, value in AWAY.items():
        setattr(settings, name, value)
    boss = factories.user("boss", User.Role.ADMIN)
    client.force_login(boss, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_the_page_shows_the_link_when_the_mail_server_is_away(office):
    study = factories.open_study()
    sent = {"username": "mail-a", "email": "a@example.org", "days": 14}
    page = office.post(f"/studies/{study.slug}/readers/", sent, follow=True)
    assert page.status_code == 200 and "/reading/join/#" in page.text
    assert "the mail server did not take it" in page.text and "no mail server is set" not in page.text
    assert study.events.filter(action="invitation_written", detail__mailed=False).exists()


def test_the_api_returns_the_link_when_the_mail_server_is_away(office):
    study = factories.open_study()
    body = {"username": "mail-b", "email": "b@example.org"}
    answer = office.post(f"/api/v1/studies/{study.slug}/readers/", body, content_type="application/json")
    assert answer.status_code == 201 and answer.json()["mailed"] is False and "/join/#" in answer.json()["link"]


@pytest.mark.parametrize("broken", ["Line one\nline two", "a\r\nBcc: all@example.org", "a\rb"])
def test_a_line_break_in_a_studys_name_breaks_no_mail(office, settings, broken):
    settings.MAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    study = factories.open_study(name=broken)
    body = {"username": "mail-c", "email": "c@example.org"}
    answer = office.post(f"/api/v1/studies/{study.slug}/readers/", body, content_type="application/json")
    assert answer.status_code == 201 and answer.json()["mailed"] is True
    (sent,) = mail.outbox
    assert sent.subject == f"Invitation: {' '.join(broken.split())}" and sent.recipients() == ["c@example.org"]


def test_an_address_that_the_server_refuses_is_not_mailed(office, settings, monkeypatch):
    settings.MAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"

    def refuse(*args, **kwargs):
        raise UnicodeEncodeError("ascii", "ä", 0, 1, "not ASCII")

    monkeypatch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", refuse)
    study = factories.open_study()
    body = {"username": "mail-d", "email": "d@example.org"}
    answer = office.post(f"/api/v1/studies/{study.slug}/readers/", body, content_type="application/json")
    assert answer.status_code == 201 and answer.json()["mailed"] is False
