"""Inviting: the link is shown once and stays good when the page is loaded again; many at once, or nobody."""

import re

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import translation

from core.models import User
from study.models import Assignment, AuditEvent, Invitation, Study
from study.protocol.readers import digest_of, invitation_text, invite, send_invitation
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
READERS = "/studies/small/readers/"
LINK = re.compile(r"/reading/join/#([\w-]{43})")


@pytest.fixture
def ada(client, own_files):
    client.force_login(factories.user("ada", User.Role.ADMIN))
    factories.draft_study()
    return client


def usable(secret: str) -> bool:
    return Invitation.objects.filter(secret_sha256=digest_of(secret), used_at=None).exists()


def test_the_link_is_shown_once_and_loading_the_page_again_does_not_end_it(ada):
    answer = ada.post(READERS, {"username": "ben", "days": 3})
    assert answer.status_code == 302 and answer.url == "/studies/small/readers/invited/"
    shown = LINK.search(ada.get(answer.url).content.decode())
    assert shown and usable(shown[1])
    again = ada.get(answer.url).content.decode()
    assert not LINK.search(again) and "Links are shown once" in again
    assert usable(shown[1]), "the link holds on"
    assert Invitation.objects.count() == 1 and AuditEvent.objects.filter(action="invited").count() == 1


def test_a_new_link_is_made_on_request_and_the_older_one_ends(ada):
    first = LINK.search(ada.post(READERS, {"username": "ben", "days": 3}, follow=True).content.decode())
    second = LINK.search(ada.post(f"{READERS}R01/invite-again/", follow=True).content.decode())
    assert first and second and first[1] != second[1]
    from study.protocol.readers import InvitationGone, open_invitation

    open_invitation(digest_of(second[1]))
    with pytest.raises(InvitationGone):
        open_invitation(digest_of(first[1]))


def test_the_links_of_one_admin_are_not_shown_to_another(ada, client):
    ada.post(READERS, {"username": "ben", "days": 3})
    ada.cookies.pop("invitations")
    assert not LINK.search(ada.get("/studies/small/readers/invited/").content.decode())
    ada.cookies["invitations"] = "made-up:1:2"
    assert not LINK.search(ada.get("/studies/small/readers/invited/").content.decode())


def table(text: str | bytes) -> dict:
    content = text if isinstance(text, bytes) else text.encode()
    return {"days": 14, "table": SimpleUploadedFile("readers.csv", content, "text/csv")}


def test_a_table_of_readers_is_invited_at_once(ada):
    rows = "\ufeffusername;email;days\nann;ann@example.org;3\nben;;\n"  # as a German Excel saves it
    answer = ada.post(f"{READERS}?what=table", table(rows), follow=True)
    links = set(LINK.findall(answer.content.decode()))
    assert len(links) == 2 and all(usable(one) for one in links)
    assert "R01,ann,ann@example.org,http" in answer.content.decode()
    ann, ben = Assignment.objects.order_by("code")
    assert (ann.reader.username, ann.reader.email, ben.reader.username) == ("ann", "ann@example.org", "ben")
    lasts = [one.expires_at - one.created_at for one in Invitation.objects.order_by("assignment__code")]
    assert [round(one.total_seconds() / 86_400) for one in lasts] == [3, 14]


@pytest.mark.parametrize(
    "rows, said",
    [
        ("username,email\nann,a@example.org\nb n,\nben,nonsense\n", ["line 3: username: Letters", "line 4: email"]),
        ("username\nann\nAnn\n", ["line 3", "'ann' stands in line 2 already"]),
        ("username\nann\nada\n", ["line 3: username: 'ada' is admin"]),
        ("name\nann\n", ["column 'username' is missing"]),
        ("username,colour\nann,red\n", ["unknown column colour"]),
        ("username,email\nann\n", ["line 2: more or fewer cells"]),
        ("username\n", ["names no reader"]),
        (b"\xff\xfe\x00", ["readers.csv"]),
    ],
)
def test_a_table_with_a_wrong_line_invites_nobody_and_names_every_problem(ada, rows, said):
    answer = ada.post(f"{READERS}?what=table", table(rows))
    error = " ".join(answer.context["table_form"].errors["table"])
    assert answer.status_code == 400 and all(one in error for one in said), error
    assert "/tmp" not in error
    assert not Assignment.objects.exists() and not Invitation.objects.exists()
    assert not User.objects.filter(username="ann").exists()
    assert not AuditEvent.objects.filter(action="invited").exists()


def test_the_mail_is_written_in_the_language_that_the_admin_chose(ada):
    page = ada.get(READERS).content.decode()
    assert re.search(r'<option value="en-gb" selected>English', page) and '<option value="zh-hans">' in page
    shown = ada.post(READERS, {"username": "ben", "days": 3, "language": "de"}, follow=True).content.decode()
    assert "Sie sind eingeladen" in shown and "innerhalb von 3 Tagen" in shown and "You are invited" not in shown
    assert Invitation.objects.get().language == "de"
    again = ada.post(f"{READERS}R01/invite-again/", follow=True).content.decode()
    assert "Sie sind eingeladen" in again and Invitation.objects.filter(language="de").count() == 2
    assert "You are invited" in ada.post(READERS, {"username": "kim"}, follow=True).content.decode(), "the site's"


def test_a_table_may_name_each_readers_language_as_people_write_it(ada):
    rows = "username,language\nann,FR\nben,\nkim,zh-CN\nlea,en\n"
    answer = ada.post(f"{READERS}?what=table", table(rows) | {"language": "es"}, follow=True)
    given = list(Invitation.objects.order_by("assignment__code").values_list("language", flat=True))
    assert given == ["fr", "es", "zh-hans", "en-gb"]
    assert "R01,ann,,http" in answer.content.decode()
    wrong = ada.post(f"{READERS}?what=table", table("username,language\nmax,Klingon\n"))
    error = " ".join(wrong.context["table_form"].errors["table"])
    assert "line 2: language: 'Klingon' is none of en-gb, de, fr, es, zh-hans." in error


@pytest.mark.parametrize("code", [code for code, _ in settings.LANGUAGES])
def test_invitations_and_reminders_are_there_in_every_language(ada, code, mailoutbox, settings):
    """Written with what the language needs: the study, the days, the link, and nothing left in English."""
    settings.EMAIL_CONFIGURED = True
    Study.objects.update(contact="study@example.org")
    study = Study.objects.get()
    asked = {"username": "ben", "email": "ben@example.org", "language": code, "days": 1}
    invitation, secret = invite(study=study, actor="ada", **asked)
    text = invitation_text(invitation=invitation, link=f"https://here.example/#{secret}")
    assert study.name in text and secret in text and "%(" not in text and "study@example.org." in text
    send_invitation(invitation=invitation, link="https://here.example/", actor="ada")
    assert study.name in mailoutbox[0].subject
    english = {"You are invited", "Open this link", "be used once"}
    assert (code == "en-gb") == all(part in text for part in english)
    assert code == "en-gb" or not any(part in text for part in english)
    assert translation.get_language() == "en-gb", "the page of the admin stays as it is"
