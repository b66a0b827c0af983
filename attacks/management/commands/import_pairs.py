"""Original and altered images of another program: DIR/pairs.csv (original,perturbed,label[,group,attack,budget])."""

from attacks.pair_services import import_pairs
from attacks.selectors import classifier_named
from core.commands import JsonCommand


class Command(JsonCommand):
    help = __doc__

    def add_arguments(self, parser):
        parser.add_argument("folder", metavar="DIR", help="a folder with pairs.csv and the images that it names")
        parser.add_argument("--name", required=True, help="name of the pairs")
        parser.add_argument("--classifier", help="record this classifier's verdicts on the pairs")

    def run(self, *, folder, name, classifier, **options):
        pairs = import_pairs(
            name=name,
            folder=folder,
            classifier=classifier_named(classifier) if classifier else None,
            progress=self.progress("importing pairs", unit="pair"),
        )
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
        "code_version": pairs.code_version,
    }
