"""Logs as JSON, each line with its request's id; and no log, of whatever level or server, holds a secret."""

import io
import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from core.logs import Formatter, RequestIds, current_id
from study.blinding.browser import Browser, decoded
from study.blinding.servers import free_port, start_gunicorn, stop
from tests import factories

ROOT = Path(__file__).resolve().parent.parent.parent
WEAK, STRONG, WRONG = "newcomer-newcomer", "grey-chequerboard-9", "a-wrong-one-entirely-7"
LINKS = """
import os, django
django.setup()
from django.core.management import call_command
from django.test import RequestFactory
from core.passwords import password_link
from study.protocol.readers import invite
from tests import factories
call_command("migrate", verbosity=0)
study = factories.open_study(readers=(), ready=False, cases=2, size=16, min_gap=1)
factories.user("boss", "admin")
print(invite(study=study, username="newcomer", actor="test")[1])
print(password_link(RequestFactory(SERVER_NAME="localhost").get("/"), factories.user("lost")).partition("#")[2])
"""


@pytest.fixture
def lines():
    stream, log = io.StringIO(), logging.getLogger("blindspot.test")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Formatter())
    log.addHandler(handler)
    log.setLevel("INFO")
    yield log, lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    log.removeHandler(handler)


def test_a_line_is_an_object_with_the_requests_id(lines):
    log, read = lines
    token = current_id.set("0" * 32)
    log.warning("a %s thing", "strange", extra={"ms": 1.5})
    current_id.reset(token)
    log.info("outside")
    first, second = read()
    assert (first["message"], first["level"], first["request_id"], first["ms"]) == (
        "a strange thing",
        "WARNING",
        "0" * 32,
        1.5,
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", first["time"]) and "request_id" not in second


@pytest.mark.parametrize(
    ("given", "kept"), [("a" * 32, True), ("a" * 31, False), ("x" * 32, False), ("a" * 32 + "\n", False)]
)
def test_ids_have_one_length_and_a_proxys_is_kept_only_if_it_looks_the_same(rf, given, kept):
    from django.http import HttpResponse

    answer = RequestIds(lambda request: HttpResponse("ok"))(rf.get("/", headers={"X-Request-ID": given}))
    assert re.fullmatch(r"[0-9a-f]{32}", answer["X-Request-ID"])
    assert (answer["X-Request-ID"] == given) is kept


@pytest.mark.slow
def test_no_log_holds_a_secret(tmp_path):
    """gunicorn's and ours, at DEBUG: joining, a weak password, signing in, a reset, a token."""
    environment = os.environ | {
        "BLINDSPOT_HOME": str(tmp_path), "LOG_FORMAT": "json", "LOG_LEVEL": "DEBUG",
        "DJANGO_SETTINGS_MODULE": "config.settings", "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    environment.pop("DATABASE_URL", None)
    made = subprocess.run(
        [sys.executable, "-c", LINKS],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
        timeout=240,
    )
    secret, code = made.stdout.split()
    port, log, access = free_port(), tmp_path / "gunicorn.log", tmp_path / "access.log"
    server = start_gunicorn(port, log, "--access-logfile", str(access), "--workers", "1", environment=environment)
    cookies = set()
    try:
        address = f"http://127.0.0.1:{port}"
        with Browser(address) as reader:
            reader.get("/reading/join/")
            assert reader.form("/reading/join/", code=secret).status == 302
            assert reader.form("/reading/join/", password=WEAK, again=WEAK).status == 400
            assert reader.form("/reading/join/", password=STRONG, again=STRONG).status == 302
            old = {"old_password": WRONG, "new_password1": STRONG, "new_password2": STRONG}
            assert reader.form("/account/password/", **old).status == 400
            cookies.add(reader.cookies["sessionid"])
        with Browser(address) as lost:
            lost.get("/password/new/")
            assert lost.form("/password/new/", code=code).status == 302
            assert lost.form("/password/new/", new_password1=STRONG, new_password2=STRONG).status == 302
            assert lost.form("/sign-in/", username="lost", password=WRONG).status == 200
            cookies.add(lost.cookies["sessionid"])
        with Browser(address) as boss:
            boss.sign_in("boss", factories.PASSWORD)
            page = boss.form("/token/", what="new")
            [token] = re.findall(r'value="([0-9a-f]{64})"', decoded(page).decode())
            cookies.add(boss.cookies["sessionid"])
    finally:
        stop(server)
    logged = log.read_text() + access.read_text()
    assert '"path": "/reading/join/"' in logged and "POST /reading/join/ HTTP" in logged, (
        "the logs are what they should be"
    )
    for name, kept in {
        "invitation": secret, "reset": code, "token": token, "weak": WEAK, "strong": STRONG, "wrong": WRONG,
        "boss": factories.PASSWORD, **{f"session {n}": value for n, value in enumerate(cookies)},
    }.items():  # fmt: skip
        assert kept not in logged, f"the {name} secret is logged"
    assert len(re.findall(r'"request_id": "[0-9a-f]{32}"', logged)) > 10
    with_json = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    assert {"method", "path", "status", "ms", "request_id"} <= set(
        next(line for line in with_json if line["message"] == "answered")
    )
