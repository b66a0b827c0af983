"""Loaded before the settings (``-p`` in pyproject.toml): tests write to a folder of their own, never to ``var/``.

Run as ``python -m pytest``, which puts the project's root on the path.
"""

import atexit
import os
import shutil
import tempfile

# An explicit BLINDSPOT_HOME would be somebody's data: tests do not go there.
_folder = tempfile.mkdtemp(prefix="blindspot-tests-")
os.environ["BLINDSPOT_HOME"] = _folder
os.environ.setdefault("OMP_NUM_THREADS", "2")
if "PYTEST_XDIST_WORKER" in os.environ:  # two of them share the cores
    os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright's sync API runs an event loop
_owner = os.getpid()


@atexit.register
def _remove() -> None:
    if os.getpid() == _owner:
        shutil.rmtree(_folder, ignore_errors=True)
