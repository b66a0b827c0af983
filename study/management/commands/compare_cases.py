"""compare_cases STUDY A B: two classifiers side by side, with rows and a figure about the cases of a frozen study."""

from attacks.comparing import run_comparison
from attacks.comparison_requests import ComparisonRequest
from attacks.comparison_table import report
from core.commands import RequestCommand
from core.errors import InvalidInput
from study.blinds import get_study
from study.models import Study


class Command(RequestCommand):
    help = (
        "Two classifiers side by side, as compare does, with rows of their own for the cases of a frozen study: what "
        "it takes to flip each classifier on the patches that readers were shown."
    )

    request = ComparisonRequest

    def add_arguments(self, parser):
        parser.add_argument("study", help="the study's short name")
        super().add_arguments(parser)

    def run(self, *, study, **options):
        found = get_study(study)
        if found.state == Study.State.DRAFT:
            raise InvalidInput(f"{found} is a draft: its cases may still change. Freeze it first.")
        cases = list(found.cases.filter(excluded=False).values_list("patch_id", flat=True))
        made = run_comparison(cases=cases, progress=self.progress("compare", "patch"), **self.settings(options))
        return {"study": found.slug, "cases": len(cases)} | report(made)
