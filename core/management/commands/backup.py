"""Write everything into one file while the server runs: database, images, weights, figures.

The file holds the key that signs sessions: keep it safe, on another machine. The key that signs logs is not in it.
"""

from pathlib import Path
from typing import Any

from core import backup
from core.commands import JsonCommand


class Command(JsonCommand):
    help = __doc__

    def add_arguments(self, parser):
        parser.add_argument("file", type=Path, metavar="FILE", help="a new file, such as backup-2026-01-31.tar")

    def run(self, *, file: Path, **options: Any) -> dict[str, Any]:
        return backup.write(file)
