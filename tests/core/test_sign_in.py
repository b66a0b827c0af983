"""Failed attempts to sign in: a stranger elsewhere locks nobody out, and one address does not try every name."""

import pytest
from django.http import HttpRequest

from core.sign_in import client_address
from tests import factories

pytestmark = pytest.mark.django_db


def attempt(client, name: str, password: str, **where) -> int:
    return client.post("/sign-in/", {"username": name, "password": password}, **where).status_code


def test_a_stranger_behind_the_same_proxy_does_not_lock_somebodys_account(client, settings):
    settings.TRUSTED_PROXIES, settings.AXES_FAILURE_LIMIT = 1, 3
    factories.user("ann")
    stranger, ann = {"HTTP_X_FORWARDED_FOR": "203.0.113.9"}, {"HTTP_X_FORWARDED_FOR": "198.51.100.7"}
    for _ in range(4):
        status = attempt(client, "ann", "wrong", **stranger)
    assert status == 429 and attempt(client, "ann", factories.PASSWORD, **stranger) == 429
    assert attempt(client, "ann", factories.PASSWORD, **ann) == 302


def test_a_client_that_forges_the_header_is_counted_by_what_the_proxy_saw(client, settings):
    settings.TRUSTED_PROXIES, settings.AXES_FAILURE_LIMIT = 1, 3
    factories.user("ann")
    statuses = [attempt(client, "ann", "x", HTTP_X_FORWARDED_FOR=f"10.0.0.{n}, 203.0.113.9") for n in range(4)]
    assert statuses[-1] == 429


def test_one_address_does_not_try_every_name(client, settings):
    settings.SIGN_INS_PER_ADDRESS = 6
    for number in range(8):
        factories.user(f"reader-{number}")
    statuses = [attempt(client, f"reader-{number}", "wrong") for number in range(7)]
    assert statuses[:5] == [200] * 5 and statuses[6] == 429
    assert attempt(client, "reader-7", factories.PASSWORD) == 429
    assert attempt(client, "reader-7", factories.PASSWORD, REMOTE_ADDR="198.51.100.7") == 302


def test_signing_in_right_in_between_does_not_clear_an_addresss_count(client, settings):
    settings.SIGN_INS_PER_ADDRESS = 4
    factories.user("mallory")
    for number in range(4):
        attempt(client, f"name-{number}", "wrong")
        if number < 3:
            assert attempt(client, "mallory", factories.PASSWORD) == 302
            client.logout()
    assert attempt(client, "mallory", factories.PASSWORD) == 429


@pytest.mark.parametrize(
    ("proxies", "forwarded", "caller", "found"),
    [
        (0, "1.1.1.1", "9.9.9.9", "9.9.9.9"),
        (1, "1.1.1.1", "127.0.0.1", "1.1.1.1"),
        (1, "6.6.6.6, 1.1.1.1", "127.0.0.1", "1.1.1.1"),
        (2, "6.6.6.6, 1.1.1.1, 10.0.0.2", "127.0.0.1", "1.1.1.1"),
        (2, "1.1.1.1", "127.0.0.1", "1.1.1.1"),
        (1, "", "127.0.0.1", "127.0.0.1"),
        (1, "2001:db8:1:2:3:4:5:6", "127.0.0.1", "2001:db8:1:2::"),
        (0, "", "::ffff:1.1.1.1", "1.1.1.1"),
        (1, "nonsense", "127.0.0.1", None),
        (0, "", "", None),
    ],
)
def test_whose_address_counts(settings, proxies, forwarded, caller, found):
    settings.TRUSTED_PROXIES = proxies
    request = HttpRequest()
    request.META |= {"REMOTE_ADDR": caller, "HTTP_X_FORWARDED_FOR": forwarded}
    assert client_address(request) == found
