"""Pages of errors look like the others and lead back, and are the same bytes for everybody."""

import pytest
from django.test import Client

from tests import factories

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("role", "address", "status", "title"),
    [
        ("reader", "/studies/", 403, "Not allowed"),
        ("researcher", "/new-study/", 403, "Not allowed"),
        ("admin", "/studies/nowhere/", 404, "Not found"),
        ("reader", "/reading/study/nowhere/", 404, "Not found"),
    ],
)
def test_an_error_looks_like_the_other_pages_and_leads_back(client, role, address, status, title):
    client.force_login(factories.user("somebody", role))
    answer = client.get(address)
    text = answer.content.decode()
    assert answer.status_code == status and f"<h1>{title}</h1>" in text
    assert 'class="site-head"' in text and 'href="/">To the start</a>' in text


def test_what_is_not_there_is_the_same_bytes_for_everybody_and_everything(client):
    answers = set()
    for role, addresses in (("reader", ("/reading/study/a/", "/reading/study/c/")), ("admin", ("/studies/b/",))):
        client.force_login(factories.user(f"the-{role}", role))
        answers |= {client.get(address).content for address in addresses}
    assert len(answers) == 1


def test_a_form_that_is_too_old_is_refused_in_the_same_looks():
    client = Client(enforce_csrf_checks=True)
    answer = client.post("/sign-in/", {"username": "a", "password": "b"})
    assert answer.status_code == 403 and "<h1>Page too old</h1>" in answer.text and "To the start</a>" in answer.text


def test_a_fault_of_the_server_is_told_in_the_same_looks(monkeypatch):
    def broken(*arguments):
        raise RuntimeError("secret detail")

    client = Client(raise_request_exception=False)
    client.force_login(factories.user("ada", "admin"))
    monkeypatch.setattr("study.conduct.front.dashboard", broken)
    answer = client.get("/")
    assert answer.status_code == 500 and "<h1>Something went wrong</h1>" in answer.text
    assert "To the start</a>" in answer.text and "secret" not in answer.text


def test_a_request_that_is_not_understood_is_told_in_the_same_looks():
    answer = Client().get("/", headers={"host": "somewhere-else.example"})
    assert answer.status_code == 400 and "<h1>Not understood</h1>" in answer.text


def test_the_administration_finds_no_page_by_the_number_of_a_rows_kind(client):
    client.force_login(factories.user("root", "admin", is_staff=True, is_superuser=True))
    assert client.get("/admin/r/1/1/").status_code == 404


def test_the_address_of_a_button_opens_a_page_that_says_so_and_programs_get_the_status_alone(client):
    client.force_login(factories.user("ada", "admin"))
    answer = client.get("/language/", headers={"accept": "text/html,*/*;q=0.8"})
    assert answer.status_code == 405 and "POST" in answer["Allow"]
    assert "<h1>Nothing to open</h1>" in answer.text and "To the start</a>" in answer.text
    assert client.get("/language/").content == b"" and client.get("/language/").status_code == 405
