"""Simulated readers answer a study through the real pages, over HTTP: a dress rehearsal, marked as such for ever."""

from contextlib import nullcontext
from dataclasses import asdict
from typing import Any

from core.commands import RequestCommand
from study.blinding.rehearsal import assign_simulated_readers, check_arms, rehearse, why_waiting
from study.blinding.requests import RehearseRequest, skill_of
from study.blinding.servers import in_this_process
from study.blinds import get_study
from study.protocol.life import close_study, unblind_study


class Command(RequestCommand):
    help = __doc__
    request = RehearseRequest

    def add_arguments(self, parser):
        parser.add_argument("study")
        super().add_arguments(parser)
        parser.add_argument("--reader", action="append", default=[], help="rehearse as this reader; repeatable")
        parser.add_argument("--url", help="a running server; by default one is started for the rehearsal")
        parser.add_argument("--leave-open", action="store_true", help="do not close and unblind afterwards")
        parser.add_argument("--by", default="rehearsal", help="who rehearses, for the log")

    def run(self, **options: Any) -> dict[str, Any]:
        settings = self.settings(options)
        skill = skill_of(settings)
        study = get_study(options["study"])
        check_arms(study, skill)
        assignments = assign_simulated_readers(
            study=study, readers=settings["readers"], named=options["reader"], actor=options["by"]
        )
        with nullcontext(options["url"]) if options["url"] else in_this_process() as address:
            readers = rehearse(
                assignments=assignments,
                address=address,
                seed=settings["seed"],
                skill=skill,
                actor=options["by"],
                progress=self.progress("rehearsing", unit="answer"),
            )
        # Nobody is left to be blinded where every reader is simulated and every set was read.
        over = not study.assignments.filter(simulated=False).exists() and all(r["ended"] == "finished" for r in readers)
        if over and not options["leave_open"]:
            study = close_study(study=study, actor=options["by"])
            study = unblind_study(study=study, actor=options["by"])
        study.refresh_from_db()
        for line in why_waiting(study, readers):
            self.say(line)
        return {
            "study": study.slug,
            "state": study.state,
            "seed": settings["seed"],
            "planted": asdict(skill),
            "answered": sum(reader["answered"] for reader in readers),
            "readers": readers,
        }
