"""What a web process carries: the reading room must not wait for, nor hold in memory, what only a worker needs."""

import os
import subprocess
import sys

from tests.own_server import ROOT

_ASKED = """
import sys
import config.wsgi
print(*sorted({name.partition(".")[0] for name in sys.modules} & {"torch", "torchvision", "sklearn", "umap", "numba"}))
"""


def test_a_web_process_starts_without_the_learning_libraries(tmp_path):
    environment = os.environ | {"BLINDSPOT_HOME": str(tmp_path), "DJANGO_SETTINGS_MODULE": "config.settings"}
    done = subprocess.run(
        [sys.executable, "-c", _ASKED], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
