"""A PostgreSQL of the tests' own, through ``scripts/services.sh``, that can be stopped and started."""

import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.own_server import ROOT

SERVICES = ROOT / "scripts" / "services.sh"
WANTED = ("DATABASE_URL", "SERVICES_FOLDER", "SERVICES_PORT")


def is_here() -> bool:
    return any(Path("/usr/lib/postgresql").glob("*/bin/initdb"))


class PostgreSQL:
    def __init__(self, environment: dict[str, str]):
        self.environment = os.environ | environment | {"FSYNC": "on"}
        self.address = environment["DATABASE_URL"]

    def new_database(self) -> str:
        """Its address."""
        name = f"trust_{secrets.token_hex(4)}"
        with psycopg.connect(self.address, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"{self.address.rpartition('/')[0]}/{name}"

    def stop(self) -> None:
        self._services("stop")

    def start(self) -> None:
        self._services("start")

    def refuse_writes(self, refuse: bool) -> None:
        """Every transaction is read-only from now on, also those of connections that are open."""
        with psycopg.connect(self.address, autocommit=True) as connection:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {'on' if refuse else 'off'}")
            connection.execute("SELECT pg_reload_conf()")

    def _services(self, verb: str) -> None:
        subprocess.run(["bash", str(SERVICES), verb], cwd=ROOT, env=self.environment, check=True, timeout=120)


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """While the block runs; every commit waits for the disk."""
    tell = "; ".join(f'echo "${name}"' for name in WANTED)
    process = subprocess.Popen(
        ["bash", str(SERVICES), "run", "bash", "-c", f"{tell}; exec cat >/dev/null"],
        cwd=ROOT, env=os.environ | {"FSYNC": "on"}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin and process.stdout
    try:
        lines = [process.stdout.readline().strip() for _ in WANTED]
        assert all(lines), "scripts/services.sh could not start PostgreSQL"
        yield PostgreSQL(dict(zip(WANTED, lines)))
    finally:
        process.stdin.close()
        process.wait(timeout=120)
