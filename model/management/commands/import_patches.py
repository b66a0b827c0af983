"""import_patches DIR --name N: images of a folder with labels.csv."""

import time

from core.commands import JsonCommand
from model.management.commands.import_pannuke import dataset_report
from model.services import import_folder


class Command(JsonCommand):
    help = (
        "Import the images of a folder whose labels.csv has the columns file,tumour and, where known, slide or group."
    )

    def add_arguments(self, parser):
        parser.add_argument("folder", metavar="DIR", help="folder with labels.csv")
        parser.add_argument("--name", required=True, help="name of the new data set")
        parser.add_argument("--size", type=int, default=224, help="edge of the centre crop in pixels (default: 224)")

    def run(self, *, folder, name, size, **options):
        begun = time.perf_counter()
        dataset = import_folder(name=name, folder=folder, size=size, progress=self.progress("import", "patch"))
        if not dataset.source["groups"]:
            self.say("No slide or group column: patches of one slide may end up in both training and test.")
        return dataset_report(dataset) | {"seconds": round(time.perf_counter() - begun, 2)}
