"""A folder that can be filled, and made read-only, without harm to the machine.

As root it is a small file system in memory. Otherwise the server's processes may write no file longer than a page
(``ulimit -f``), and the folder loses its write permission: both fail at the same calls, with other error numbers.
"""

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SIZE_MB = 24


class SmallDisk:
    """``kind`` says which of the two it is."""

    def __init__(self, folder: Path, mounted: bool):
        self.folder, self.mounted = folder, mounted
        self.kind = "a file system of its own" if mounted else "a limit on the length of files"

    def fill(self, processes: list[int]) -> None:
        if self.mounted:
            with (self.folder / "filler").open("wb", buffering=0) as file, suppress(OSError):
                while True:
                    file.write(bytes(4096))
            return
        for process in processes:
            resource.prlimit(process, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))

    def free(self, processes: list[int]) -> None:
        if self.mounted:
            (self.folder / "filler").unlink()
            return
        for process in processes:
            resource.prlimit(process, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def read_only(self, wanted: bool) -> None:
        """No process may have a file of it open for writing when it becomes so."""
        if self.mounted:
            subprocess.run(["mount", "-o", f"remount,{'ro' if wanted else 'rw'}", self.folder], check=True)
            return
        for path in (self.folder, *self.folder.glob("blindspot.sqlite3*")):
            path.chmod((0o555 if wanted else 0o755) if path.is_dir() else (0o444 if wanted else 0o644))


@contextmanager
def small_disk(folder: Path) -> Iterator[SmallDisk]:
    folder.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", folder], check=False, capture_output=True
        ).returncode
    )
    if os.geteuid() == 0 and not mounted:
        raise RuntimeError("root may not mount here, and no permission holds root back: run this as another user")
    try:
        yield SmallDisk(folder, mounted)
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", folder], check=True)
