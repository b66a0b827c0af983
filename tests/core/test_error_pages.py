"""Pages of errors look like the others and lead back, and are the same bytes for everybody."""

import pytest

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
