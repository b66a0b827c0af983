"""Put a backup back, with web server and workers stopped, and bring it to this version.

Afterwards run check_files: it reads every stored file and compares hashes.
"""

from pathlib import Path
from typing import Any

from core import backup
from core.commands import JsonCommand


class Command(JsonCommand):
    help = __doc__

    def add_arguments(self, parser):
        parser.add_argument("file", type=Path, metavar="FILE", help="written by the command backup")
        parser.add_argument("--replace", action="store_true", help="although there are accounts: overwrite everything")

    def run(self, *, file: Path, replace: bool, **options: Any) -> dict[str, Any]:
        return backup.restore(file, replace=replace)
