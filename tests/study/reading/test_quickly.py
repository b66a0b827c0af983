"""The composed look-ups of the reading room keep Django's and the study's rules about who may do what, and when."""

import pytest
from django.test import Client
from django.utils import timezone

from core.models import User
from study.models import Assignment, Presentation, ReadingSet, Response, Study
from study.protocol import life as services
from study.reading import answers as reading
from study.reading.answers import Conflict, Given
from tests import factories

pytestmark = pytest.mark.django_db
BASE = "/reading/study/small/"


@pytest.fixture
def seated(client):
    """A reader before their first answer, and addresses that go the quick way."""
    assignment = factories.assignment_of(factories.open_study(cases=2, copies=1, min_gap=1))
    client.force_login(assignment.reader)
    token = Presentation.objects.get(position=1).token
    return client, assignment, (BASE + "state/", f"/reading/image/{token}")


def statuses(client, addresses) -> list[int]:
    return [client.get(address).status_code for address in addresses]


def test_who_is_not_signed_in_gets_401(seated):
    client, _, addresses = seated
    assert statuses(client, addresses) == [200, 200]
    assert statuses(Client(), addresses) == [401, 401]
    client.logout()
    assert statuses(client, addresses) == [401, 401]


def test_a_reader_who_was_shut_out_gets_401(seated):
    client, assignment, addresses = seated
    User.objects.filter(pk=assignment.reader_id).update(is_active=False)
    assert statuses(client, addresses) == [401, 401]


def test_a_new_password_ends_the_other_sessions(seated):
    client, assignment, addresses = seated
    assignment.reader.set_password("another-quiet-room-8")
    assignment.reader.save()
    assert statuses(client, addresses) == [401, 401]


@pytest.mark.parametrize("role", ["researcher", "admin"])
def test_a_reader_who_went_to_the_office_has_no_seat_any_more(seated, role):
    client, assignment, addresses = seated
    assignment.reader.role = role
    assignment.reader.save()
    assert statuses(client, addresses) == [404, 404]
    assignment.reader.role = User.Role.READER
    assignment.reader.save()  # and stays without one after coming back
    assert statuses(client, addresses) == [404, 404]


@pytest.mark.parametrize("state", ["draft", "frozen"])
def test_a_study_that_is_not_open_yet_does_not_exist(seated, state):
    client, _, addresses = seated
    Study.objects.update(state=state)
    assert statuses(client, addresses) == [404, 404]


def test_another_readers_image_does_not_exist(seated):
    client, *_ = seated
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
def test_a_value_of_the_wrong_kind_is_refused_by_name(seated, field, value):
    client, *_ = seated
    good = {"token": Presentation.objects.get(position=1).token, "key": "0123456789", "answer": "tumour"}
    answer = client.post(BASE + "answers/", good | {field: value}, content_type="application/json")
    assert answer.status_code == 400, answer.content
    assert answer.json()["message"].startswith(f"{field}:")
    assert not Response.objects.exists()


# --- What happens between the look and the lock -----------------------------------------------------------------------


@pytest.fixture
def meanwhile(seated, monkeypatch):
    """``meanwhile(act)``: ``act`` happens after the next answer was checked, and before it is appended."""
    check = reading._check

    def at_next_answer(act):
        def acting(study, given):
            check(study, given)
            monkeypatch.setattr(reading, "_check", check)
            act()

        monkeypatch.setattr(reading, "_check", acting)
        return seated[1]

    return at_next_answer


def answer(assignment: Assignment, position: int, key: str, replaces: int = 0, word: str = "tumour") -> Response:
    token = Presentation.objects.get(reading_set__assignment=assignment, position=position).token
    return reading.record_answer(
        assignment=assignment, token=token, key=key, given=Given(answer=word), replaces=replaces
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


def test_a_set_that_is_finished_at_that_moment_keeps_its_last_answer(meanwhile, seated):
    for position in range(1, 5):
        answer(seated[1], position, f"key-number-{position}")
    meanwhile(lambda: ReadingSet.objects.update(completed_at=timezone.now()))
    with pytest.raises(Conflict, match="no longer open"):
        answer(seated[1], 4, "changed-too-late", replaces=1, word="no_tumour")
    assert Response.objects.count() == 4


def test_of_two_answers_at_that_moment_the_first_one_stands(meanwhile, seated):
    meanwhile(lambda: answer(seated[1], 1, "the-rival-key", word="no_tumour"))
    with pytest.raises(Conflict, match="another window"):
        answer(seated[1], 1, "my-own-key")
    assert Response.objects.get().answer == "no_tumour"


def test_the_same_answer_sent_twice_at_that_moment_is_one(meanwhile, seated):
    meanwhile(lambda: answer(seated[1], 1, "the-same-key"))
    assert answer(seated[1], 1, "the-same-key") == Response.objects.get()


def test_an_answer_is_not_changed_once_the_next_one_is_there(meanwhile, seated):
    answer(seated[1], 1, "first-of-all")
    meanwhile(lambda: answer(seated[1], 2, "the-next-one"))
    with pytest.raises(Conflict, match="another window"):
        answer(seated[1], 1, "changed-too-late", replaces=1, word="no_tumour")
    assert set(Response.objects.values_list("revision", "answer")) == {(1, "tumour")}
