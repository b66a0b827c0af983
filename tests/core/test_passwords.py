"""Passwords: which are refused, changing one's own, forgetting it, and what an admin can do about it."""

import re

import pytest
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.test import Client

from core.models import User
from core.passwords import CODE_KEPT
from tests import factories

pytestmark = pytest.mark.django_db
NEW = "an-entirely-new-one-5"
BOTH = {"new_password1": NEW, "new_password2": NEW}


@pytest.fixture(autouse=True)
def no_mail_before():
    from django.core.cache import cache

    cache.clear()


def signed_in(name: str, role: str = "reader", **fields) -> Client:
    client = Client()
    client.force_login(factories.user(name, role, **fields), backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.mark.parametrize(
    "password",
    [
        "newbie-newbie",
        "newbie1234",
        "Newbie_NEWBIE!",
        "xyz-newbie-1",
        "abcdeabcde",
        "hello hello hello",
        "aaaaaaaaaaaa",
    ],
)
def test_a_password_made_of_the_user_name_or_of_one_piece_said_again_is_refused(password):
    with pytest.raises(ValidationError):
        validate_password(password, User(username="newbie"))


@pytest.mark.parametrize(
    "password", ["grey-chequerboard-9", "correct horse battery staple", "newbie reads tissue at dawn"]
)
def test_other_passwords_pass(password):
    validate_password(password, User(username="newbie"))
    validate_password(password)


@pytest.mark.parametrize("role", User.Role.values)
def test_everybody_changes_their_own_password_and_stays_signed_in_here_alone(role):
    here, elsewhere = signed_in("ann", role), Client()
    elsewhere.force_login(User.objects.get(), backend="django.contrib.auth.backends.ModelBackend")
    assert "/account/password/" in here.get("/account/").text
    wrong = here.post("/account/password/", {"old_password": "wrong"} | BOTH)
    assert wrong.status_code == 400 and User.objects.get().check_password(factories.PASSWORD)
    assert here.post("/account/password/", {"old_password": factories.PASSWORD} | BOTH).url == "/account/"
    assert User.objects.get().check_password(NEW)
    assert here.get("/account/").status_code == 200 and elsewhere.get("/account/").status_code == 302


def test_an_admin_makes_a_link_by_which_a_new_password_is_set_once():
    admin, ann, somebody = signed_in("boss", "admin"), factories.user("ann"), Client()
    assert f"/people/{ann.pk}/link/" in admin.get("/people/").text
    address, _, code = re.search(r'value="([^"]+)"', admin.post(f"/people/{ann.pk}/link/").text.split('id="link"')[1])[
        1
    ].partition("#")
    assert address == "http://testserver/password/new/" and len(code) > 30
    assert somebody.get("/password/new/").status_code == 200
    assert somebody.post("/password/new/", {"code": code}).url == "/password/new/"
    assert "ann" in somebody.get("/password/new/").text
    weak = somebody.post("/password/new/", {"new_password1": "ann-ann-ann", "new_password2": "ann-ann-ann"})
    assert weak.status_code == 400 and code not in weak.text
    assert somebody.post("/password/new/", BOTH).url == "/sign-in/"
    assert User.objects.get(pk=ann.pk).check_password(NEW) and CODE_KEPT not in somebody.session
    assert somebody.post("/password/new/", {"code": code}).status_code == 404
    assert somebody.post("/password/new/", BOTH).status_code == 200, "asks for a code, sets nothing"


def test_only_admins_make_links_and_no_admin_one_for_a_superuser():
    root = factories.user("root", "admin", is_superuser=True)
    assert signed_in("ora", "researcher").post(f"/people/{root.pk}/link/").status_code == 403
    assert signed_in("ann").get("/people/").status_code == 403
    assert signed_in("boss", "admin").post(f"/people/{root.pk}/link/").url == "/people/"


def test_a_forgotten_password_is_reset_by_mail(client, settings, mailoutbox):
    settings.EMAIL_CONFIGURED = True
    ann = factories.user("ann", email="ann@example.org")
    told, nobody = (
        re.sub(r'(csrfmiddlewaretoken" value=")\w+', r"\1", client.post("/password/forgotten/", {"email": email}).text)
        for email in ("ann@example.org", "nobody@example.org")
    )
    assert told == nobody
    client.post("/password/forgotten/", {"email": "ann@example.org"})
    assert len(mailoutbox) == 1, "none for a stranger's address, and no second one at once"
    [code] = re.findall(r"^http://testserver/password/new/#(\S+)$", mailoutbox[0].body, re.MULTILINE)
    client.post("/password/new/", {"code": code})
    client.post("/password/new/", BOTH)
    assert User.objects.get(pk=ann.pk).check_password(NEW)


def test_a_dead_mail_server_is_no_error_to_who_forgot_their_password(client, settings):
    settings.EMAIL_CONFIGURED, settings.EMAIL_BACKEND = True, "core.mail.Backend"
    settings.MAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1  # nobody listens there
    factories.user("ann", email="ann@example.org")
    answer = client.post("/password/forgotten/", {"email": "ann@example.org"})
    assert answer.status_code == 200 and "ask an admin" in answer.text


def test_without_a_mail_server_the_page_says_whom_to_ask(client):
    assert "Ask an admin" in client.get("/password/forgotten/").text
