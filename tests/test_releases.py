"""Databases of the releases: today's migrations apply to them, and their studies are read and exported."""

import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.release_fixture import FOLDER, ROOT


@pytest.mark.slow
@pytest.mark.parametrize("release", sorted(FOLDER.glob("release-*.tar.gz")), ids=lambda path: path.name)
def test_a_releases_study_is_migrated_and_exported(tmp_path, release):
    environment = os.environ | {"BLINDSPOT_HOME": str(tmp_path / "home")}
    environment.pop("DATABASE_URL", None)

    def manage(*arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    with gzip.open(release) as packed, (tmp_path / "b.tar").open("wb") as tar:
        shutil.copyfileobj(packed, tar)
    manage("restore", str(tmp_path / "b.tar"))
    assert json.loads(manage("verify", "answered", "--json"))["ok"]
    exported = json.loads(manage("export_study", "answered", str(tmp_path / "out"), "--json"))
    assert {"presentations.csv", "responses.csv", "analysis.json", "protocol.json"} <= set(exported["files"])
    rows = Path(tmp_path / "out" / "presentations.csv").read_text().splitlines()
    assert len(rows) == 1 + 2 * 6 * 2 * 2, "two readers, six patches, two arms, two sets"


def test_there_is_a_release():
    assert list(FOLDER.glob("release-*.tar.gz"))
