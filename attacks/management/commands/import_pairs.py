"""Original and altered images of another program: DIR/pairs.csv (original,perturbed,label[,group,attack,budget])."""

from attacks.pair_services import import_pairs
from attacks.requests import PairsRequest
from core.commands import RequestCommand
from core.tables import LISTED


class Command(RequestCommand):
    help = __doc__

    request = PairsRequest

    def run(self, **options):
        pairs = import_pairs(progress=self.progress("importing pairs", unit="pair"), **self.settings(options))
        for line in pairs.source.get("why_left_out", [])[:LISTED]:
            self.say(f"Left out: {line}")
        return pair_report(pairs)


def pair_report(pairs) -> dict:
    """What the command and the job say of an import."""
    rows = pairs.pairs.all()
    return {
        "pairs": pairs.name,
        "count": rows.count(),
        "originals": rows.values("name").distinct().count(),
        "positives": rows.filter(label=True).values("name").distinct().count(),
        "variants": pairs.variants,
        "width": pairs.width,
        "height": pairs.height,
        "classifier": pairs.classifier.name if pairs.classifier else None,
        "sha256": pairs.sha256,
        "left_out": pairs.source.get("left_out", 0),
        "code_version": pairs.code_version,
    }
