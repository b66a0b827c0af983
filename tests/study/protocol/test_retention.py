"""What is stored about a reader is shown to them, and who they were can be erased after the end; their answers stay."""

import io
import json

import pytest
from axes.models import AccessAttempt
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from core.models import User
from jobs.models import Job
from study.models import ReadingSession, Response, Study
from study.protocol import audit_log
from study.reading.answers import SentAnswer, record_answer
from tests import factories

pytestmark = pytest.mark.django_db
ANN = {"username": "ann-smith", "email": "ann.smith@example.org", "first_name": "Annabel", "last_name": "Smithson"}


@pytest.fixture
def study():
    made = factories.open_study(readers=("ann-smith", "ben"), cases=2, copies=1, size=16, min_gap=1, questions=["note"])
    User.objects.filter(username="ann-smith").update(**ANN)
    for assignment in made.assignments.all():
        session = ReadingSession.objects.create(assignment=assignment, user_agent="Mozilla/5.0 (AnnsOwnMachine)")
        row = assignment.sets.first().presentations.first()
        sent = SentAnswer(answer="tumour", note="A thought")
        record_answer(assignment=assignment, token=row.token, key="a key of it", sent=sent, session=session.pk)
    Job.objects.create(kind="build_study", title="t", code_version="t", arguments={"readers": ["ann-smith", "ben"]})
    return made


def ended(study: Study) -> None:
    call_command("close_study", study.slug, "--unblind", "--unfinished", "--by", "test", stdout=io.StringIO())


def retention(*options: str) -> dict:
    out = io.StringIO()
    call_command("retention", "small", *options, "--json", stdout=out)
    return json.loads(out.getvalue())


def whole_database() -> str:
    with connection.cursor() as cursor:
        found = []
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT * FROM "{table}"')
            found += map(str, cursor.fetchall())
    return "\n".join(found)


def test_the_command_says_what_is_stored_about_each_reader(study):
    told = retention()["readers"]
    assert [(row["code"], row["username"], row["answers"], row["notes"]) for row in told] == [
        ("R01", "ann-smith", 1, 1), ("R02", "ben", 1, 1),
    ]  # fmt: skip
    assert told[0]["email"] == ANN["email"] and told[0]["browsers"] == ["Mozilla/5.0 (AnnsOwnMachine)"]
    assert User.objects.filter(username="ann-smith", is_active=True).exists()


def test_nothing_is_erased_before_the_end(study):
    with pytest.raises(CommandError, match="this needs a study that is closed or unblinded"):
        retention("--erase")
    assert User.objects.filter(username="ann-smith").exists()


def test_erasing_leaves_no_trace_of_the_names_and_every_answer(study):
    client = Client()
    client.post("/sign-in/", {"username": "ann-smith", "password": "wrong"})
    client.post("/sign-in/", {"username": "ann-smith", "password": factories.PASSWORD})
    assert client.get("/reading/").status_code == 200
    Client().post("/sign-in/", {"username": "ann-smith", "password": "wrong again"})  # kept: no success follows it
    assert AccessAttempt.objects.filter(username="ann-smith").exists()
    session = client.session.session_key
    ended(study)

    answers = list(Response.objects.order_by("pk").values())
    assert retention("--erase", "--by", "the office")["erased"] == ["R01", "R02"]
    left = whole_database()
    for trace in ("ann-smith", "ann.smith", "Annabel", "Smithson", "AnnsOwnMachine", "'ben'", '"ben"'):
        assert trace not in left, trace
    assert list(Response.objects.order_by("pk").values()) == answers
    assert client.get("/reading/").status_code == 302, "the session has ended"
    assert not Session.objects.filter(pk=session).exists(), "its row names the account, in a form that is not text"
    event = study.events.get(action="names_erased")
    assert (event.actor, event.detail) == ("the office", {"erased": ["R01", "R02"], "kept": []})
    assert audit_log.first_broken_event() is None
    again = client.post("/sign-in/", {"username": "ann-smith", "password": factories.PASSWORD})
    assert again.status_code == 200, "nobody signs in with that name"
    assert retention("--erase")["erased"] == [] and study.events.filter(action="names_erased").count() == 1


def test_who_reads_on_elsewhere_keeps_their_account(study):
    from study.protocol.life import assign_reader

    other = factories.draft_study(slug="other")
    assign_reader(study=other, reader=User.objects.get(username="ann-smith"), actor="test")
    ended(study)
    told = retention("--erase")
    assert (told["erased"], told["kept"]) == (["R02"], ["R01"])
    assert User.objects.get(username="ann-smith").is_active
    assert "AnnsOwnMachine" not in whole_database()


def test_a_reader_sees_what_is_stored_about_them_and_nobody_else(study, client):
    client.force_login(User.objects.get(username="ann-smith"), backend="django.contrib.auth.backends.ModelBackend")
    shown = client.get("/reading/stored/").text
    for text in ("ann-smith", "ann.smith@example.org", "Annabel Smithson", "R01", "AnnsOwnMachine"):
        assert text in shown, text
    assert "R02" not in shown and "ben" not in shown.replace("number", "")
    assert "/reading/stored/" in client.get("/reading/").text
    client.logout()
    assert client.get("/reading/stored/").status_code == 302
