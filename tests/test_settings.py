"""Settings from the environment, as shells, compose files and unit files pass them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def told(what: str, **environment: str) -> str:
    """``what`` of the settings in a process of its own."""
    inherited = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "LC_ALL")}
    done = subprocess.run(
        [sys.executable, "-c", f"from config import settings as s; print({what})"],
        cwd=ROOT, env=inherited | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("name", ["trial#1", "50%41", "a?b=c", "a b", "ü", "a&b;c", "x%20y", "a:b@c"])
def test_each_home_has_its_own_database_inside(tmp_path, name):
    home = tmp_path / name
    assert told("s.DATABASES['default']['NAME']", BLINDSPOT_HOME=str(home)) == f"{home}/blindspot.sqlite3"
    script = (
        "import django; django.setup(); from django.db import connection; connection.ensure_connection(); "
        "connection.cursor().execute('CREATE TABLE here (x INTEGER)')"
    )
    environment = {"BLINDSPOT_HOME": str(home), "DJANGO_SETTINGS_MODULE": "config.settings", "PATH": os.environ["PATH"]}
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, check=True)
    assert (home / "blindspot.sqlite3").stat().st_size > 0
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("empty", ["", " "])
def test_a_variable_that_is_empty_counts_as_not_set(tmp_path, empty):
    names = "DATABASE_URL EMAIL_URL S3_BUCKET REDIS_URL ALLOWED_HOSTS DEBUG HTTPS SESSION_COOKIE_AGE LOG_LEVEL"
    environment = dict.fromkeys(names.split(), empty) | {"BLINDSPOT_HOME": str(tmp_path)}
    found = told(
        "s.DATABASES['default']['ENGINE'], s.EMAIL_CONFIGURED, s.DEBUG, s.SESSION_COOKIE_AGE, s.ALLOWED_HOSTS",
        **environment,
    )
    assert found == "django.db.backends.sqlite3 False False 43200 ['127.0.0.1', 'localhost', '[::1]']"


def test_spaces_after_commas_are_no_part_of_a_name(tmp_path):
    environment = {
        "BLINDSPOT_HOME": str(tmp_path),
        "ALLOWED_HOSTS": "a.example, b.example ,",
        "CSRF_TRUSTED_ORIGINS": "https://a.example , https://b.example",
        "IMPORT_ROOTS": "/data/one, /data/two",
    }
    found = told("s.ALLOWED_HOSTS, s.CSRF_TRUSTED_ORIGINS, s.IMPORT_ROOTS", **environment)
    assert found == "['a.example', 'b.example'] ['https://a.example', 'https://b.example'] ['/data/one', '/data/two']"
