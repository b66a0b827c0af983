"""What a web process carries: the reading room must not wait for, nor hold in memory, what only a worker needs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.own_server import ROOT

_ASKED = """
import sys
import config.wsgi
print(*sorted({name.partition(".")[0] for name in sys.modules} & {"torch", "torchvision", "sklearn", "umap", "numba"}))
"""


def python(home: Path, *arguments: str) -> str:
    """What a Python process of its own prints, in that home."""
    environment = os.environ | {"BLINDSPOT_HOME": str(home), "DJANGO_SETTINGS_MODULE": "config.settings"}
    environment.pop("DATABASE_URL", None)
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_web_process_starts_without_the_learning_libraries(tmp_path):
    assert python(tmp_path, "-c", _ASKED).split() == []


@pytest.mark.slow
def test_no_page_brings_the_learning_libraries_in(tmp_path):
    """Every address of the project is opened once, with something to show, by a process that only serves pages."""
    python(tmp_path, "-m", "tests.every_page", "prepare")
    opened = json.loads(python(tmp_path, "-m", "tests.every_page", "open"))
    assert opened["heavy"] == []
    faults = [address for answers in opened["statuses"].values() for address, status in answers.items() if status > 499]
    assert faults == []
    unseen = [
        route
        for route, answers in opened["statuses"].items()
        if not route.startswith(
            ("reading:", "preview:", "admin:", "sign_", "second_")
        )  # depend on what came before, too
        and 200 not in answers.values()
        and set(answers.values()) != {405}
    ]
    assert unseen == [], "each showed something, or answers to POST alone"
    shown = [route for route, answers in opened["statuses"].items() if 200 in answers.values()]
    assert {"attacks:gallery", "results:file", "reading:instructions", "api:attacks-perturbations"} <= set(shown)
