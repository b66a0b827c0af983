"""The frozen protocol for a registry: Markdown, or one JSON document with --json; without arms, orders and seeds."""

from typing import Any

from core.commands import JsonCommand
from study.blinds import get_study
from study.protocol.preregistration import as_markdown, document


class Command(JsonCommand):
    help = __doc__

    def add_arguments(self, parser):
        parser.add_argument("study", help="the study's short name")

    def run(self, *, study: str, **options: Any) -> dict[str, Any]:
        self.found = get_study(study)
        return document(self.found)

    def as_text(self, result: dict[str, Any]) -> str:
        return as_markdown(self.found)
