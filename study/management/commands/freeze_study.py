"""Freeze a draft's protocol and, unless told otherwise, open it to its readers."""

from typing import Any

from core.commands import JsonCommand
from study.blinds import get_study
from study.protocol.life import freeze_study, open_study
from study.protocol.verdicts import judge_again


class Command(JsonCommand):
    help = __doc__

    def add_arguments(self, parser):
        parser.add_argument("study")
        parser.add_argument("--keep-closed", action="store_true", help="freeze without opening")
        parser.add_argument("--by", default="command line", help="who freezes it, for the log")

    def run(self, *, study: str, keep_closed: bool, by: str, **options: Any) -> dict[str, Any]:
        frozen = freeze_study(study=get_study(study), actor=by, judge=judge_again)
        if not keep_closed:
            frozen = open_study(study=frozen, actor=by)
        return {
            "study": frozen.slug,
            "state": frozen.state,
            "protocol_sha256": frozen.protocol_sha256,
            "verdicts_checked": (frozen.protocol or {}).get("verdicts_checked"),
        }
