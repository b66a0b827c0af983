"""import_patches DIR --name N: images of a folder with labels.csv."""

import time

from core.commands import RequestCommand
from model.management.commands.import_pannuke import dataset_report
from model.requests import PatchesRequest
from model.services import import_folder


class Command(RequestCommand):
    help = (
        "Import the images of a folder whose labels.csv has the columns file,tumour and, where known, slide or group."
    )

    request = PatchesRequest

    def run(self, **options):
        begun = time.perf_counter()
        dataset = import_folder(progress=self.progress("import", "patch"), **self.settings(options))
        if not dataset.source["groups"]:
            self.say("No slide or group column: patches of one slide may end up in both training and test.")
        return dataset_report(dataset) | {"seconds": round(time.perf_counter() - begun, 2)}
