"""Figures under BLINDSPOT_HOME/figures. Each is named by the hash of its content, so it is drawn only once."""

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings


def folder() -> Path:
    """Where they lie; made when the first is written."""
    return Path(settings.HOME) / "figures"


def content_key(**content: Any) -> str:
    """A short name for everything that determines a figure: hashes, settings, seeds."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:20]


def write(path: Path, data: bytes) -> None:
    """Write a file in one step: others see the old file or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, aside = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(aside).chmod(0o644)
        Path(aside).replace(path)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise
