"""import_pannuke FOLD... --name N: patches from PanNuke's own files."""

import time

from core import published
from core.commands import RequestCommand
from model.requests import PanNukeRequest
from model.services import import_pannuke
from model.tasks import TOLD


class Command(RequestCommand):
    help = "Import patches of one tissue from PanNuke's folds, labelled by the tumour nuclei in the centre crop."

    request = PanNukeRequest

    def run(self, **options):
        begun = time.perf_counter()
        dataset = import_pannuke(progress=self.progress("import", "patch"), **self.settings(options))
        return dataset_report(dataset) | {"paper": published.PATCHES, "seconds": round(time.perf_counter() - begun, 2)}

    def as_text(self, result):
        paper = result.pop("paper")
        lines = [
            f"{'':<10}{'here':>8}{'paper':>8}",
            f"{'positives':<10}{result['positives']:>8,}{paper['positives']:>8,}",
            f"{'negatives':<10}{result['negatives']:>8,}{paper['negatives']:>8,}",
            f"{'excluded':<10}{result['excluded']:>8,}{'':>8}",
        ]
        return "\n".join([*lines, "", super().as_text(result)])


def dataset_report(dataset) -> dict:
    """What the importing commands print about a new data set."""
    counts = {
        key: dataset.source[key] for key in ("duplicates", "other_tissue", "groups", *TOLD) if key in dataset.source
    }
    return {
        "dataset": dataset.name,
        "dataset_id": dataset.pk,
        "kind": dataset.kind,
        "size": dataset.size,
        "patches": dataset.positives + dataset.negatives,
        "positives": dataset.positives,
        "negatives": dataset.negatives,
        "excluded": dataset.excluded,
        **counts,
        "sha256": dataset.sha256,
    }
