"""Whether every stored file is there and unchanged, the log's chain of hashes holds, and every study can be verified.

For a restored backup, and for a timer. Exits non-zero when something is missing, changed or broken.
"""

from collections.abc import Iterable
from typing import Any

from core.commands import JsonCommand
from core.errors import InvalidInput
from jobs import stored_files
from study.models import Study
from study.protocol import audit_log
from study.protocol.verification import verify


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
        unsound = self.unsound(study for study in Study._base_manager.defer("protocol", "source").order_by("pk"))
        if remove_orphans:
            stored_files.remove(found.orphans)
        if unsound:
            self.say("\n".join(unsound))
        if found.missing or found.changed or broken or unsound:
            first = ", ".join([*found.missing, *found.changed][:5]) or "none"
            raise InvalidInput(
                f"{len(found.missing)} files are missing and {len(found.changed)} have changed (the first: {first}); "
                f"the log's chain {'is broken at event ' + str(broken.pk) if broken else 'holds'}. "
                f"Verifying the studies found {len(unsound)} problems. "
                "Restore the files and the database from one backup."
            )
        return stored_files.as_dict(found, removed=len(found.orphans) if remove_orphans else 0) | {"log": "holds"}

    def unsound(self, studies: Iterable[Study]) -> list[str]:
        """What verifying finds besides files and log, which are checked above for all studies together."""
        return [
            f"study {study.slug}, {problem}"
            for study in studies
            for problem in verify(study, leave_out=("images", "log")).problems
        ]
