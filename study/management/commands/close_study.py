"""End a study's reading; with --unblind, open its arms and results, which cannot be taken back."""

from typing import Any

from core.commands import JsonCommand
from core.options import add_options
from study.blinds import get_study, progress_counts
from study.models import Study
from study.protocol.life import close_study, unblind_study
from study.protocol.requests import CloseRequest


class Command(JsonCommand):
    help = __doc__

    def add_arguments(self, parser):
        parser.add_argument("study")
        add_options(parser, CloseRequest)
        parser.add_argument("--unblind", action="store_true", help="also open the arms: one-way and logged")
        parser.add_argument(
            "--unverified", action="store_true", help="unblind also where verifying finds problems; the log names them"
        )
        parser.add_argument("--by", required=True, help="who does it, for the log")

    def run(
        self, *, study: str, unblind: bool, unverified: bool, unfinished: bool, by: str, **options: Any
    ) -> dict[str, Any]:
        closed = get_study(study)
        if not (unblind and closed.state == Study.State.CLOSED):
            closed = close_study(study=closed, actor=by, unfinished=unfinished)
        if unblind:
            closed = unblind_study(study=closed, actor=by, unverified=unverified)
        planned, answered = progress_counts(closed)
        return {"study": closed.slug, "state": closed.state, "planned": planned, "answered": answered}
