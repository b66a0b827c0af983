"""import_patches DIR --name N: images of a folder with labels.csv."""

import time

from core.commands import RequestCommand
from core.tables import LISTED
from model.management.commands.import_pannuke import dataset_report
from model.requests import PatchesRequest
from model.services import LEFT_OUT, import_folder


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
        if converted := dataset.source.get("colours_converted"):
            self.say(f"{converted} images have a colour profile other than sRGB: their pixels were converted to sRGB.")
        if ignored := dataset.source.get("profiles_ignored"):
            self.say(f"{ignored} images have a colour profile that cannot be used; it was left out, as viewers do.")
        for line in dataset.source.get(LEFT_OUT, [])[:LISTED]:
            self.say(f"Left out: {line}")
        return dataset_report(dataset) | {"seconds": round(time.perf_counter() - begun, 2)}
