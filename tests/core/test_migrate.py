"""Two services that start together: both may migrate."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.slow
def test_two_at_once_both_end_well(tmp_path, own_database):
    environment = os.environ | {"BLINDSPOT_HOME": str(tmp_path), "DJANGO_SETTINGS_MODULE": "config.settings"}
    environment.pop("DATABASE_URL", None)
    if address := own_database():
        environment["DATABASE_URL"] = address
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    both = [subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = [process.communicate(timeout=300)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert any("waiting for it to end" in text for text in told)
