"""predict_visibility STUDY: what cvvdp predicts that readers see of every stimulus, on their recorded displays."""

from typing import Any

from core.commands import JsonCommand
from study import blinds as selectors
from study.protocol.predicting import predict_study


class Command(JsonCommand):
    help = (
        "Lost quality (10 - JOD) of every stimulus beside its original by ColorVideoVDP, at the pixels per degree that "
        "follow from each reader's card calibration and viewing distance. The results page then ranks it among the "
        "measures of 'What predicts seeing?'. Needs the optional package cvvdp (requirements-sight.txt)."
    )

    def add_arguments(self, parser):
        parser.add_argument("study", help="short name of the study")
        parser.add_argument(
            "--pixels-per-degree", type=int, nargs="+", help="sizes to predict for, instead of those of the readers"
        )

    def run(self, *, study: str, pixels_per_degree: list[int] | None, **options: Any) -> dict[str, Any]:
        return predict_study(
            study=selectors.get_study(study), sizes=pixels_per_degree, progress=self.progress("predict", "stimulus")
        )
