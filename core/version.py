"""The version of the code, which every stored result carries."""

import functools
import subprocess
from pathlib import Path

VERSION = "0.1.0"


@functools.cache
def code_version() -> str:
    """The release, with the commit and a ``+changed`` mark where the code runs from a checkout."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return VERSION
    try:
        described = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty=+changed", "--abbrev=12"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return VERSION
    return f"{VERSION}-{described.stdout.strip()}"
