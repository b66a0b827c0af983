"""Nothing is computed or given out silently from a changed study; the exported log can be checked by anyone."""

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connection

from core.errors import InvalidInput
from study.models import Study
from study.protocol import audit_log
from study.protocol.append_only import guard, unguard
from study.protocol.life import close_study, unblind_study
from study.results.analysis import analysis_of
from study.results.exports.registry import Source, find
from tests import factories
from tests.study.answered import answer_all, open_study_of, unblinded

pytestmark = pytest.mark.django_db
DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "verifying.md"


@pytest.fixture
def study() -> Study:
    made = open_study_of(readers=2)
    answer_all(made)
    return unblinded(made)


def tamper(study: Study) -> None:
    cache.clear()
    connection.check_constraints()
    unguard(connection)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE study_case SET truth = NOT truth WHERE number = 1")
    guard(connection)


def run(*arguments: str) -> dict:
    out = io.StringIO()
    call_command(*arguments, "--json", stdout=out, stderr=io.StringIO())
    return json.loads(out.getvalue())


def exported(study: Study, name: str) -> str:
    return "".join(str(chunk) for chunk in Source(study).write(find(study, name)))


def checked(tmp_path, text: str) -> subprocess.CompletedProcess:
    """What the script in the documents says of a log."""
    script = re.search(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL).group(1)
    assert len(script.splitlines()) <= 25
    (tmp_path / "check_log.py").write_text(script, encoding="utf-8")
    (tmp_path / "audit_log.csv").write_text(text, encoding="utf-8")
    command = [sys.executable, "-I", str(tmp_path / "check_log.py"), str(tmp_path / "audit_log.csv")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_script_in_the_documents_verifies_an_exported_log(study, tmp_path):
    factories.open_study(slug="another")  # its events stand between and behind
    audit_log.record(study=study, actor="@office", action="noted", share=1e22, text='Öl, "quoted",\nand a line')
    text = exported(study, "audit_log.csv")
    done = checked(tmp_path, text)
    assert done.returncode == 0, done.stderr
    assert f"{study.events.count()} events hold. Head: {audit_log.head(study)[:20]}" in done.stdout


@pytest.mark.parametrize("change", ["text", "column", "row", "actor"])
def test_the_script_finds_a_changed_log(study, tmp_path, change):
    rows = list(csv.DictReader(io.StringIO(exported(study, "audit_log.csv"))))
    if change == "row":
        del rows[2]
    else:
        column = {"text": "hashed", "column": "action", "actor": "actor"}[change]
        rows[3][column] = rows[3][column].replace("frozen", "thawed").replace("test", "nobody")
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    done = checked(tmp_path, out.getvalue())
    assert done.returncode == 1
    assert done.stderr.startswith("Event ")


def test_a_changed_study_is_not_analysed_exported_or_unblinded_silently(study, tmp_path, client):
    closed = open_study_of(readers=1, name="Closed")
    answer_all(closed)
    close_study(study=closed, actor="test")
    tamper(study)
    run_fails("verify", study.slug)
    with pytest.raises(CommandError, match=r"Verifying the studies found \d+ problem"):
        run("check_files")
    for command in (("analyse", study.slug), ("export_study", study.slug, str(tmp_path / "out"))):
        with pytest.raises(CommandError, match=r"Verification found .*truth: it is"):
            run(*command)
    with pytest.raises(CommandError, match=r"Verification found") as refused:
        run("close_study", closed.slug, "--unblind", "--by", "me")
    assert "truth" in str(refused.value)
    assert "it is" not in str(refused.value)  # what is wrong may name an arm: not before unblinding
    client.force_login(factories.user("researcher", role="researcher"))
    page = client.get(f"/studies/{study.slug}/results/")
    assert page.status_code == 200
    assert b"This study is not what was fixed, answered and logged" in page.content
    assert client.get(f"/studies/{study.slug}/results/file/presentations.csv").status_code == 409
    assert client.get(f"/api/v1/studies/{study.slug}/exports/presentations.csv").status_code == 409
    verification = client.get(f"/studies/{closed.slug}/verification/").content.decode()
    assert "truth" in verification
    assert "it is true" not in verification and "it is false" not in verification


def run_fails(*arguments: str) -> None:
    """The command prints its document, and exits with an error."""
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command(*arguments, "--json", stdout=out, stderr=io.StringIO())
    assert json.loads(out.getvalue())["ok"] is False


def test_who_insists_gets_the_problems_with_the_numbers(study, tmp_path):
    tamper(study)
    assert run("analyse", study.slug, "--unverified")["warnings"][0].startswith("Verification found")
    run("export_study", study.slug, str(tmp_path / "out"), "--unverified")
    assert "truth: it is" in (tmp_path / "out" / "README.md").read_text()
    closed = open_study_of(readers=1, name="Insisted")
    close_study(study=closed, actor="test")
    tamper(study)
    unblind_study(study=Study.objects.get(pk=closed.pk), actor="me", unverified=True)
    assert "truth" in closed.events.get(action="unblinded").detail["problems"][0]


def test_a_study_that_nobody_touched_goes_out_with_its_anchor(study, tmp_path):
    run("export_study", study.slug, str(tmp_path / "out"))
    text = (tmp_path / "out" / "README.md").read_text()
    assert audit_log.short(audit_log.head(study)) in text
    assert "all hold" in text
    assert "signature" in text
    assert run("verify", study.slug, "--anchor", audit_log.short(audit_log.head(study)))["ok"]
    assert not any("Verification" in warning for warning in analysis_of(study).warnings)


def test_a_draft_is_not_unblinded_and_says_so():
    with pytest.raises(InvalidInput, match="closed"):
        unblind_study(study=factories.draft_study(), actor="me")
