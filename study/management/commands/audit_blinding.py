"""``audit_blinding STUDY [--plant CHANNEL]``: can the arm be told from anything but the pixels?"""

from typing import Any

from django.core.management.base import CommandError

from core.commands import JsonCommand
from study import blinds as selectors
from study.blinding.audit import LEAK, as_text
from study.blinding.auditing import REDRAWS, audit_study
from study.blinding.plants import PLANTS


class Command(JsonCommand):
    help = (
        "Read a copy of the study as its readers do, over HTTP, and try to predict the arm and the twins from "
        "everything received. Exits non-zero on a leak."
    )

    def add_arguments(self, parser):
        parser.add_argument("study", help="the study's short name in its address")
        parser.add_argument("--plant", default="", choices=["", *PLANTS], help="add a leak, to see that it is found")
        parser.add_argument("--readers", type=int, default=4, help="walk at most this many readers' schedules")
        parser.add_argument("--redraws", type=int, default=REDRAWS, help=f"redrawn schedules (default {REDRAWS})")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--language", default="", help="of readers' pages, such as de (default English)")
        parser.add_argument("--by", default="command line", help="the name under which this is logged")

    def handle(self, *args, **options):
        super().handle(*args, **options)
        if self.leaks:
            raise CommandError(f"NOT BLIND: {', '.join(self.leaks)}")

    def run(self, **options: Any) -> dict[str, Any]:
        report = audit_study(
            study=selectors.get_study(options["study"]),
            actor=options["by"],
            plant=options["plant"],
            readers=options["readers"],
            redraws=options["redraws"],
            seed=options["seed"],
            language=options["language"],
            progress=self.progress("reading", "presentation"),
        )
        self.leaks = [row["channel"] for row in report["channels"] if row["verdict"] == LEAK]
        return report

    def as_text(self, result: dict[str, Any]) -> str:
        return as_text(result)
