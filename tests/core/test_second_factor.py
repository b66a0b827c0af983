"""The second factor: set up with a code, asked for after the password on every way in, and recoverable."""

import re
import time

import pytest
from django.test import Client
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from tests import factories

pytestmark = pytest.mark.django_db
PASSWORD = {"password": factories.PASSWORD}


def code_of(device: TOTPDevice, later: int = 0) -> str:
    totp = TOTP(device.bin_key)
    totp.time = time.time() + 30 * later
    return f"{totp.token():06}"


def set_up(name: str = "boss", role: str = "admin", **fields) -> tuple[Client, list[str]]:
    client = Client()
    client.force_login(factories.user(name, role, **fields), backend="django.contrib.auth.backends.ModelBackend")
    assert client.post("/account/second-factor/", PASSWORD | {"what": "on"}).url == "/account/second-factor/confirm/"
    shown = client.get("/account/second-factor/confirm/").text
    assert 'src="data:image/png;base64,' in shown and re.search(r"<code class=\"hash\">[A-Z2-7]{32}", shown)
    assert client.post("/account/second-factor/confirm/", {"code": "000000"}).status_code == 400
    TOTPDevice.objects.update(throttling_failure_count=0)
    codes = client.post("/account/second-factor/confirm/", {"code": code_of(TOTPDevice.objects.get())})
    found = re.findall(r"<li><code>(\w+)</code></li>", codes.text)
    assert len(found) == 10
    return client, found


def signing_in(**more) -> Client:
    client = Client()
    assert client.post("/sign-in/", {"username": "boss"} | PASSWORD | more).url == "/sign-in/code/"
    return client


def test_the_password_alone_lets_nobody_in_who_has_set_it_up():
    set_up()
    client = signing_in(next="/studies/")
    assert client.get("/").url == "/sign-in/?next=/"
    assert client.get("/api/v1/jobs/").status_code == 401
    assert client.post("/sign-in/code/", {"code": "000000"}).status_code == 400
    assert client.get("/").url == "/sign-in/?next=/"
    device = TOTPDevice.objects.get()
    assert device.throttling_failure_count > 0, "wrong codes are slowed down"
    TOTPDevice.objects.update(throttling_failure_count=0, last_t=-1)
    assert client.post("/sign-in/code/", {"code": code_of(device, later=1)}).url == "/studies/"
    assert client.get("/studies/").status_code == 200


def test_a_recovery_code_lets_in_once():
    _, codes = set_up()
    client = signing_in()
    assert client.post("/sign-in/code/", {"code": codes[0].upper()}).url == "/"
    TOTPDevice.objects.update(throttling_failure_count=0)
    assert signing_in().post("/sign-in/code/", {"code": codes[0]}).status_code == 400


def test_djangos_admin_is_no_way_around_it():
    set_up(is_staff=True, is_superuser=True)
    client = Client()
    assert client.get("/admin/").url.startswith("/admin/login/")
    assert client.get("/admin/login/?next=/admin/").url == "/sign-in/?next=%2Fadmin%2F"
    assert client.post("/admin/login/", {"username": "boss"} | PASSWORD).status_code == 405
    assert client.get("/admin/").status_code == 302


def test_djangos_admin_shows_no_key(client):
    signed_in, codes = set_up(is_staff=True, is_superuser=True)
    device = TOTPDevice.objects.get()
    shown = signed_in.get(f"/admin/otp_totp/totpdevice/{device.pk}/change/").text
    assert device.key not in shown
    static = signed_in.get("/admin/otp_static/staticdevice/").text
    assert not any(code in static for code in codes)


def test_who_waits_too_long_begins_again(monkeypatch):
    set_up()
    client = signing_in()
    later = time.time() + 400
    monkeypatch.setattr("core.second_factor.time.time", lambda: later)
    assert client.post("/sign-in/code/", {"code": "123456"}).url == "/sign-in/"


def test_turning_it_off_or_making_new_codes_asks_for_the_password():
    client, codes = set_up()
    for what in ("off", "codes"):
        assert client.post("/account/second-factor/", {"password": "not mine", "what": what}).status_code == 400
    assert TOTPDevice.objects.get().confirmed
    fresh = client.post("/account/second-factor/", PASSWORD | {"what": "codes"}).text
    assert codes[0] not in fresh and fresh.count("<li><code>") == 10
    client.post("/account/second-factor/", PASSWORD | {"what": "off"})
    assert Client().post("/sign-in/", {"username": "boss"} | PASSWORD).url == "/"


def test_who_has_not_set_it_up_signs_in_as_ever(client):
    factories.user("boss", "admin")
    assert client.post("/sign-in/", {"username": "boss"} | PASSWORD).url == "/"
    assert client.get("/sign-in/code/").url == "/sign-in/"


def test_an_admin_removes_the_second_factor_of_who_has_lost_it_and_gives_their_password_for_it(client, caplog):
    set_up("rex", "researcher")
    rex = TOTPDevice.objects.get().user
    client.force_login(factories.user("ada", "admin"))
    assert "Remove…" in client.get("/people/").text
    assert client.post(f"/people/{rex.pk}/second-factor/", {"password": "not mine"}).status_code == 400
    assert TOTPDevice.objects.exists()
    assert client.post(f"/people/{rex.pk}/second-factor/", PASSWORD).url == "/people/"
    assert not TOTPDevice.objects.exists() and "ada removed the second factor of rex" in caplog.text
    assert Client().post("/sign-in/", {"username": "rex"} | PASSWORD).url == "/"


def test_only_a_superuser_removes_the_second_factor_of_a_superuser(client):
    set_up(is_superuser=True)
    boss = TOTPDevice.objects.get().user
    client.force_login(factories.user("ada", "admin"))
    assert client.post(f"/people/{boss.pk}/second-factor/", PASSWORD).url == "/people/"
    client.force_login(factories.user("rex", "researcher"))
    assert client.post(f"/people/{boss.pk}/second-factor/", PASSWORD).status_code == 403
    assert TOTPDevice.objects.exists()
