"""The example of the README, word for word, against a running server and a real worker."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command
from knox.models import AuthToken

from study.models import Study
from tests import factories
from tests.attacks.conftest import learned, make_classifier  # noqa: F401
from tests.jobs.conftest import crew, wait_for  # noqa: F401

EXAMPLE = Path(__file__).resolve().parent.parent.parent / "docs" / "api_example.py"


@pytest.mark.slow
def test_the_example_goes_from_an_attack_to_the_answers_as_csv(crew, make_classifier, live_server, tmp_path):  # noqa: F811
    make_classifier("demo")
    token = AuthToken.objects.create(user=factories.user("ada", "admin"))[1]
    crew.start(BLINDSPOT_HOME=str(tmp_path))
    environment = os.environ | {
        "BLINDSPOT": live_server.url,
        "TOKEN": token,
        "PASSWORD": factories.PASSWORD,
        "CASES": "3",
        "BUDGET": "24",
    }
    with (tmp_path / "example.log").open("w") as log:
        example = subprocess.Popen(
            [sys.executable, "-u", str(EXAMPLE)], env=environment, cwd=tmp_path, stdin=subprocess.PIPE, stdout=log,
            stderr=log, text=True,
        )  # fmt: skip
    try:
        said = tmp_path / "example.log"
        wait_for(lambda: "Press Enter" in said.read_text() or example.poll() is not None, 200, "the links")
        assert example.poll() is None, said.read_text() + crew.logs()
        assert said.read_text().count("/reading/join/#") == 2
        call_command("rehearse", "scripted", reader=["ann", "ben"], url=live_server.url, leave_open=True)
        example.communicate("\n", timeout=60)
    finally:
        example.kill()
        example.wait()
    assert example.returncode == 0, said.read_text()
    with (tmp_path / "presentations.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    cases = Study.objects.get().cases.count()
    assert cases >= 3 and len(rows) == 2 * 2 * cases  # two readers; each set shows a patch in one arm
    assert all(row["label"] in ("0", "1") for row in rows)
    assert {row["arm"] for row in rows} == {"original", "perturbed"}
    assert Study.objects.get().state == "unblinded"
    assert len(EXAMPLE.read_text().splitlines()) <= 45
