"""What is stored about each reader of a study; with --erase, their names go and their answers stay."""

from typing import Any

from core.commands import JsonCommand
from study.blinds import assignments_of, get_study
from study.protocol import retention


class Command(JsonCommand):
    help = (
        "What is stored about each reader of a study. With --erase, after its end: take away their names, mail "
        "addresses, passwords, sessions and browsers' names; the pseudonymous answers stay. This cannot be undone."
    )

    def add_arguments(self, parser):
        parser.add_argument("study", metavar="STUDY", help="the study's short name in its address")
        parser.add_argument(
            "--erase", action="store_true", help="take the names away, for good; the study must be closed"
        )
        parser.add_argument("--by", default="command line", help="the name under which this is logged")

    def run(self, *, study: str, erase: bool, by: str, **options: Any) -> dict[str, Any]:
        found = get_study(study)
        done = retention.erase(study=found, actor=by) if erase else {}
        if done:
            self.say("Backups made earlier still hold the names.")
        readers = [
            retention.stored_about(assignment) | retention.person_of(assignment.reader)
            for assignment in assignments_of(found)
        ]
        return {"study": found.slug, "state": found.state, **done, "readers": readers}
