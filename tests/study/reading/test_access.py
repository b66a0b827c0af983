"""Who may come to an image or a document, and what has changed between a request's first look and its answer."""

import pytest
from django.test import Client
from django.utils import timezone

from core.models import User
from study.models import Assignment, Presentation, ReadingSet, Response, Study
from study.protocol import life as services
from study.reading import answers
from study.reading.answers import Conflict, SentAnswer
from tests import factories

pytestmark = pytest.mark.django_db
BASE = "/reading/study/small/"


@pytest.fixture
def reading(client):
    """A reader before their first answer, and the addresses of a step."""
    assignment = factories.assignment_of(factories.open_study(cases=2, copies=1, min_gap=1))
    client.force_login(assignment.reader)
    token = Presentation.objects.get(position=1).token
    return client, assignment, (BASE + "state/", f"/reading/image/{token}")


def statuses(client, addresses) -> list[int]:
    return [client.get(address).status_code for address in addresses]


def test_who_is_not_signed_in_gets_401(reading):
    client, _, addresses = reading
    assert statuses(client, addresses) == [200, 200]
    assert statuses(Client(), addresses) == [401, 401]
    client.logout()
    assert statuses(client, addresses) == [401, 401]


def test_a_reader_who_was_shut_out_gets_401(reading):
    client, assignment, addresses = reading
    User.objects.filter(pk=assignment.reader_id).update(is_active=False)
    assert statuses(client, addresses) == [401, 401]


def test_a_new_password_ends_the_other_sessions(reading):
    client, assignment, addresses = reading
    assignment.reader.set_password("another-quiet-room-8")
    assignment.reader.save()
    assert statuses(client, addresses) == [401, 401]


@pytest.mark.parametrize("role", ["researcher", "admin"])
def test_a_reader_who_went_to_the_office_has_no_assignment_any_more(reading, role):
    client, assignment, addresses = reading
    assignment.reader.role = role
    assignment.reader.save()
    assert statuses(client, addresses) == [404, 404]
    assignment.reader.role = User.Role.READER
    assignment.reader.save()  # and stays without one after coming back
    assert statuses(client, addresses) == [404, 404]


@pytest.mark.parametrize("state", ["draft", "frozen"])
def test_a_study_that_is_not_open_yet_does_not_exist(reading, state):
    client, _, addresses = reading
    Study.objects.update(state=state)
    assert statuses(client, addresses) == [404, 404]


def test_another_readers_image_does_not_exist(reading):
    client, *_ = reading
    factories.open_study(slug="elsewhere", readers=("other",))
    theirs = Presentation.objects.filter(reading_set__assignment__reader__username="other").first()
    assert client.get(f"/reading/image/{theirs.token}").status_code == 404


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("shown_at", 5), ("answered_at", ["now"]), ("rt_ms", {"a": 1}), ("perturbed_response", []),
        ("token", None), ("key", {}), ("answer", ["tumour"]), ("replaces", "x"), ("viewing", "{"), ("note", 7),
    ],
)  # fmt: skip
def test_a_value_of_the_wrong_kind_is_refused_by_name(reading, field, value):
    client, *_ = reading
    good = {"token": Presentation.objects.get(position=1).token, "key": "0123456789", "answer": "tumour"}
    answer = client.post(BASE + "answers/", good | {field: value}, content_type="application/json")
    assert answer.status_code == 400, answer.content
    assert answer.json()["message"].startswith(f"{field}:")
    assert not Response.objects.exists()


# --- What happens between a request's first look and its answer ------------------------------------------------------


@pytest.fixture
def meanwhile(reading, monkeypatch):
    """``meanwhile(act)``: ``act`` happens when the next answer has its assignment, and before it holds it."""
    record_answer = answers.record_answer

    def at_next_answer(act):
        def acting(**fields):
            monkeypatch.setattr(answers, "record_answer", record_answer)
            act()
            return record_answer(**fields)

        monkeypatch.setattr(answers, "record_answer", acting)
        return reading[1]

    return at_next_answer


def answer(assignment: Assignment, position: int, key: str, replaces: int = 0, word: str = "tumour") -> Response:
    token = Presentation.objects.get(reading_set__assignment=assignment, position=position).token
    return answers.record_answer(
        assignment=assignment, token=token, key=key, sent=SentAnswer(answer=word), replaces=replaces
    ).response


def test_a_study_that_closes_at_that_moment_takes_no_answer(meanwhile):
    assignment = meanwhile(lambda: services.close_study(study=Study.objects.get(), actor="office"))
    with pytest.raises(Conflict, match="no answers at present"):
        answer(assignment, 1, "too-late-now")
    assert not Response.objects.exists()


def test_a_reader_who_is_withdrawn_at_that_moment_gives_no_answer(meanwhile):
    assignment = meanwhile(lambda: Assignment.objects.update(withdrawn_at=timezone.now()))
    with pytest.raises(Conflict, match="no answers at present"):
        answer(assignment, 1, "too-late-now")
    assert not Response.objects.exists()


def test_a_set_that_is_finished_at_that_moment_keeps_its_last_answer(meanwhile, reading):
    for position in range(1, 5):
        answer(reading[1], position, f"key-number-{position}")
    meanwhile(lambda: ReadingSet.objects.update(completed_at=timezone.now()))
    with pytest.raises(Conflict, match="no longer open"):
        answer(reading[1], 4, "changed-too-late", replaces=1, word="no_tumour")
    assert Response.objects.count() == 4


def test_of_two_answers_at_that_moment_the_first_one_stands(meanwhile, reading):
    meanwhile(lambda: answer(reading[1], 1, "the-rival-key", word="no_tumour"))
    with pytest.raises(Conflict, match="another window"):
        answer(reading[1], 1, "my-own-key")
    assert Response.objects.get().answer == "no_tumour"


def test_the_same_answer_sent_twice_at_that_moment_is_one(meanwhile, reading):
    meanwhile(lambda: answer(reading[1], 1, "the-same-key"))
    assert answer(reading[1], 1, "the-same-key") == Response.objects.get()


def test_an_answer_is_not_changed_once_the_next_one_is_there(meanwhile, reading):
    answer(reading[1], 1, "first-of-all")
    meanwhile(lambda: answer(reading[1], 2, "the-next-one"))
    with pytest.raises(Conflict, match="another window"):
        answer(reading[1], 1, "changed-too-late", replaces=1, word="no_tumour")
    assert set(Response.objects.values_list("revision", "answer")) == {(1, "tumour")}
