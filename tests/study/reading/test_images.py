"""Images leave one way only: in their turn, unchanged, and with nothing that tells one from another."""

import hashlib

import pytest

from study.models import Presentation, Stimulus
from study.reading import answers as reading
from study.reading.answers import SentAnswer
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(client):
    assignment = factories.assignment_of(factories.open_study(cases=4, copies=2))
    client.force_login(assignment.reader)
    return client, assignment


def presentations(assignment, number: int = 1) -> list[Presentation]:
    return list(
        Presentation.objects.filter(reading_set__assignment=assignment, reading_set__number=number).order_by("position")
    )


def statuses(client, rows) -> list[int]:
    return [client.get(f"/reading/image/{row.token}").status_code for row in rows]


def answer(assignment, row) -> None:
    reading.record_answer(
        assignment=assignment, token=row.token, key=f"answer-to-{row.pk}", sent=SentAnswer(answer="tumour")
    )


def test_only_the_last_the_present_and_the_next_image_exist(reader):
    client, assignment = reader
    rows = presentations(assignment)
    assert statuses(client, rows) == [200, 200] + [404] * 6
    for row in rows[:4]:
        answer(assignment, row)
    assert statuses(client, rows) == [404] * 3 + [200] * 3 + [404] * 2
    assert statuses(client, presentations(assignment, 2)) == [404] * 8


def test_the_second_set_opens_when_the_first_is_finished(reader):
    client, assignment = reader
    for row in presentations(assignment):
        answer(assignment, row)
    assert statuses(client, presentations(assignment, 2)) == [404] * 8
    reading.finish_set(assignment=assignment, number=1)
    assert statuses(client, presentations(assignment)) == [404] * 8
    assert statuses(client, presentations(assignment, 2)) == [200, 200] + [404] * 6


@pytest.mark.parametrize("token", ["", "x", "a" * 22, "../../secret_key", "1"])
def test_a_guessed_address_is_404(reader, token):
    assert reader[0].get(f"/reading/image/{token}").status_code == 404


def test_another_readers_image_is_404(client):
    study = factories.open_study(readers=("reader", "other"))
    client.force_login(factories.assignment_of(study, "other").reader)
    assert statuses(client, presentations(factories.assignment_of(study))[:1]) == [404]


def test_nobody_signed_in_gets_no_image(client):
    study = factories.open_study()
    response = client.get(f"/reading/image/{presentations(factories.assignment_of(study))[0].token}")
    assert (response.status_code, response.content) == (401, b"")


def test_without_consent_there_is_no_image(client):
    assignment = factories.assignment_of(factories.open_study(ready=False))
    client.force_login(assignment.reader)
    assert set(statuses(client, presentations(assignment))) == {404}


def test_all_images_have_the_same_headers_and_length_and_the_stored_bytes(reader):
    client, assignment = reader
    headers, lengths = set(), set()
    for row in presentations(assignment):
        response = client.get(f"/reading/image/{row.token}", headers={"Accept-Encoding": "gzip, br"})
        assert hashlib.sha256(response.content).hexdigest() == row.stimulus.sha256
        headers.add(tuple(response.headers.items()))
        lengths.add(len(response.content))
        answer(assignment, row)
    assert len(headers) == len(lengths) == 1
    sent = dict(headers.pop())
    assert sent["Cache-Control"] == "no-store"
    assert int(sent["Content-Length"]) == lengths.pop()
    assert not {"ETag", "Last-Modified", "Content-Disposition", "Content-Encoding"} & set(sent)


def test_the_two_copies_of_a_stimulus_share_no_name(reader):
    _, assignment = reader
    names = set(Presentation.objects.values_list("token", flat=True)) | set(
        Presentation.objects.values_list("second_token", flat=True)
    )
    assert len(names) == 2 * Presentation.objects.count()
    assert {len(name) for name in names} == {22}


def test_a_file_that_is_not_the_stored_one_is_not_shown(reader):
    client, assignment = reader
    row = presentations(assignment)[0]
    Stimulus.objects.filter(pk=row.stimulus_id).update(sha256="0" * 64)
    assert statuses(client, [row]) == [500]


def test_both_images_of_a_pair_are_served_in_their_turn(client):
    assignment = factories.assignment_of(factories.open_study(task="pair"))
    client.force_login(assignment.reader)
    rows = presentations(assignment)
    shown = [client.get(f"/reading/image/{token}") for token in (rows[0].token, rows[0].second_token)]
    assert [response.status_code for response in shown] == [200, 200]
    assert shown[0].content != shown[1].content
    assert client.get(f"/reading/image/{rows[3].second_token}").status_code == 404


def test_the_second_name_of_a_single_image_leads_nowhere(reader):
    client, assignment = reader
    assert client.get(f"/reading/image/{presentations(assignment)[0].second_token}").status_code == 404
