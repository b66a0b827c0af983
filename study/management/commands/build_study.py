"""A blinded study from an attack's flipped patches or from imported pairs: drawn, written, frozen and opened."""

from typing import Any

from core.commands import RequestCommand
from study.protocol.building import build_study
from study.protocol.documents import arm_counts, cases_in_words, notes
from study.protocol.requests import StudyRequest, for_builder
from study.protocol.schedules import Plan
from study.protocol.verdicts import judge_again


class Command(RequestCommand):
    help = __doc__
    request = StudyRequest

    def add_arguments(self, parser):
        super().add_arguments(parser)
        parser.add_argument("--draft", action="store_true", help="stop before freezing")
        parser.add_argument(
            "--note", action="append", default=[], help="a sentence to be shown wherever the study is; repeatable"
        )
        parser.add_argument("--by", default="command line", help="who builds it, for the log")

    def run(self, *, draft: bool, by: str, note: list[str], **options: Any) -> dict[str, Any]:
        study = build_study(
            actor=by,
            freeze=not draft,
            notes=note,
            judge=judge_again,
            progress=self.progress("writing stimuli", unit="case"),
            **for_builder(self.settings(options)),
        )
        for sentence in notes(study):
            self.say(sentence)
        return {
            "study": study.slug,
            "state": study.state,
            "cases": study.cases.count(),
            "groups": {name: row["groups"] for name, row in study.source["groups"].items() if row["known"]},
            "drawn": cases_in_words(study),
            "arms": len(arm_counts(study)),
            "arm_order": study.arm_order,
            "min_gap": study.min_gap,
            "copies": study.copies,
            "readers": [assignment.code for assignment in study.assignments.all()],
            "presentations_per_reader": Plan.of(study).shown_per_set * study.copies,
            "notes": notes(study),
            "pool": study.source["pool"],
            "seed": study.seed,
            "protocol_sha256": study.protocol_sha256,
            "verdicts_checked": (study.protocol or {}).get("verdicts_checked"),
        }
