"""Whether every stored file is there and unchanged, and whether the log's chain of hashes holds.

For a restored backup, and for a timer. Exits non-zero when something is missing, changed or broken.
"""

from typing import Any

from core.commands import JsonCommand
from core.errors import InvalidInput
from jobs import stored_files
from study.protocol import audit_log


class Command(JsonCommand):
    help = __doc__

    def add_arguments(self, parser):
        parser.add_argument(
            "--remove-orphans",
            action="store_true",
            help="remove files older than a day that nothing names: what killed imports left behind",
        )

    def run(self, *, remove_orphans: bool, **options: Any) -> dict[str, Any]:
        found = stored_files.check_files(progress=self.progress("checking files", unit="file"))
        broken = audit_log.first_broken_event()
        if remove_orphans:
            stored_files.remove(found.orphans)
        if found.missing or found.changed or broken:
            first = ", ".join([*found.missing, *found.changed][:5]) or "none"
            raise InvalidInput(
                f"{len(found.missing)} files are missing and {len(found.changed)} have changed (the first: {first}); "
                f"the log's chain {'is broken at event ' + str(broken.pk) if broken else 'holds'}. "
                "Restore the files and the database from one backup."
            )
        return stored_files.as_dict(found, removed=len(found.orphans) if remove_orphans else 0) | {"log": "holds"}
