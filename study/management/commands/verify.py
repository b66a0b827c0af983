"""Whether a study is what was fixed, answered and logged: protocol, schedules, images, answers, log. Writes nothing.

Exits non-zero and names every row that is not as it should be.
"""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from core.commands import JsonCommand
from study import blinds as selectors
from study.protocol import signing
from study.protocol.verification import verify


class Command(JsonCommand):
    help = __doc__

    def add_arguments(self, parser):
        parser.add_argument("study", metavar="STUDY", help="the study's short name")
        parser.add_argument(
            "--anchor",
            action="append",
            default=[],
            metavar="HEAD",
            help="a head of the log that was shown, printed or mailed before: the log must still hold it",
        )
        parser.add_argument(
            "--signature", type=Path, metavar="FILE", help="a signed head, made with --sign: the log must still hold it"
        )
        parser.add_argument("--sign", action="store_true", help="add the head of the log, signed by this installation")
        parser.add_argument("--mail", action="store_true", help="mail the head of the log to the admins")

    def run(
        self, *, study: str, anchor: list[str], signature: Path | None, sign: bool, mail: bool, **options: Any
    ) -> dict[str, Any]:
        found = selectors.get_study(study)
        anchors = [*anchor]
        if signature is not None:
            anchors.append(signing.head_of_signed(signature.read_text(encoding="utf-8", errors="replace"), found))
        verification = verify(found, anchors=anchors)
        result = verification.to_json()
        self.ok = not verification.problems
        if not self.ok:
            return result
        if sign:
            result["signed"] = signing.signed_head(found)
        if mail:
            result["mailed"] = signing.mail_head(found)
        return result

    def as_text(self, result: dict[str, Any]) -> str:
        checks: dict[str, list[str]] = result.pop("checks")
        lines = [f"{name}: {'holds' if not found else '; '.join(found)}" for name, found in checks.items()]
        return "\n".join([*lines, super().as_text(result)])

    def handle(self, *args, **options):
        """The document is printed in any case; then the exit status says whether all is well."""
        super().handle(*args, **options)
        if not self.ok:
            raise CommandError("The study is not what was fixed, answered and logged; see above.")
