"""``python -m tests.release_fixture``: this version's database and files, for the migrations of the versions to come.

Run once for each release; writes ``tests/data/release-VERSION.tar.gz``.
"""

import gzip
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from core.version import VERSION

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "tests" / "data"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        environment = os.environ | {"BLINDSPOT_HOME": f"{name}/home", "SECRET_KEY": "a key for tests only"}
        environment.pop("DATABASE_URL", None)
        for command in (["-m", "tests.unblinded_study"], ["manage.py", "backup", f"{name}/backup.tar"]):
            subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, check=True)
        packed = FOLDER / f"release-{VERSION}.tar.gz"
        with Path(name, "backup.tar").open("rb") as tar, gzip.GzipFile(packed, "wb", mtime=0) as file:
            shutil.copyfileobj(tar, file)


if __name__ == "__main__":
    main()
