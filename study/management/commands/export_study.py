"""Write everything that may leave an unblinded study into a folder: tables, dictionary, protocol, analysis, report."""

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

from core.commands import JsonCommand
from core.errors import InvalidInput
from study import blinds as selectors
from study.results.exports.registry import Export, Source, exports
from study.results.verified import demand_verified, verification_of


class Command(JsonCommand):
    help = __doc__

    def add_arguments(self, parser):
        parser.add_argument("study", help="the study's short name")
        parser.add_argument("directory", type=Path, metavar="DIR", help="a new or empty folder")
        parser.add_argument(
            "--unverified", action="store_true", help="also where verifying finds problems; README.md names them"
        )

    def run(self, *, study: str, directory: Path, unverified: bool, **options: Any) -> dict[str, Any]:
        source = Source(selectors.get_study(study), unverified=unverified)
        if verification_of(source.study, again=True).problems and not unverified:
            demand_verified(source.study)
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            raise InvalidInput(f"{directory}: there is something already; name a new or an empty folder.")
        files = exports(source.study)
        update = self.progress("exporting", "file")
        written, left_out = {}, {}
        directory.parent.mkdir(parents=True, exist_ok=True)
        # Written aside and moved as a whole: an interrupted export leaves no half folder under the asked name.
        aside = Path(tempfile.mkdtemp(prefix=".export-", dir=directory.parent))
        try:
            for number, export in enumerate(files, start=1):
                try:
                    written[export.filename] = _write(export, source, aside)
                except InvalidInput as error:
                    left_out[export.filename] = str(error)
                update(number, len(files))
            sums = "".join(f"{digest['sha256']}  {name}\n" for name, digest in sorted(written.items()))
            (aside / "SHA256SUMS").write_text(sums)
            aside.chmod(0o755)
            if directory.exists():
                directory.rmdir()
            aside.rename(directory)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
        for name, reason in left_out.items():
            self.say(f"{name} was not written: {reason}")
        if "analysis.json" in written and (holes := source.holes()):
            self.say(holes)
        return {"study": source.study.slug, "directory": str(directory), "files": written, "left_out": left_out}


def _write(export: Export, source: Source, folder: Path) -> dict[str, Any]:
    chunks = source.write(export)
    digest, size = hashlib.sha256(), 0
    with (folder / export.filename).open("wb") as file:
        for chunk in chunks:
            data = chunk.encode() if isinstance(chunk, str) else chunk
            digest.update(data)
            size += file.write(data)
    return {"bytes": size, "sha256": digest.hexdigest()}
