"""synthesise DIR: generated H&E-like patches in PanNuke's layout."""

import time

from core.commands import JsonCommand
from core.options import add_options
from model.learning.synthetic import synthesise
from model.management.commands.import_pannuke import dataset_report
from model.models import Dataset
from model.requests import PanNukeRequest
from model.services import check_name, import_pannuke


class Command(JsonCommand):
    help = "Write generated H&E-like patches with masks as a PanNuke fold; with --name also import them."

    def add_arguments(self, parser):
        parser.add_argument("folder", metavar="DIR", help="new or empty folder to write to")
        parser.add_argument("--patches", type=int, default=240, help="how many (default: 240)")
        parser.add_argument("--seed", type=int, default=0, help="same seed, same patches (default: 0)")
        parser.add_argument("--name", help="also import them as a data set of this name")
        add_options(parser, PanNukeRequest, only=("size",))

    def run(self, *, folder, patches, seed, name, size, **options):
        if name:
            check_name(name)  # before minutes of drawing, not after
        begun = time.perf_counter()
        fold = synthesise(folder, patches=patches, seed=seed, progress=self.progress("synthesise", "patch"))
        result = {"folder": str(fold), "written": patches, "seed": seed}
        if name:
            dataset = import_pannuke(
                name=name,
                folds=[fold],
                size=size,
                kind=Dataset.Kind.SYNTHETIC,
                source={"seed": seed, "written": patches},
                progress=self.progress("import", "patch"),
            )
            result |= dataset_report(dataset)
        return result | {"seconds": round(time.perf_counter() - begun, 2)}
