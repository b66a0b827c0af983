"""import_classifier [DATASET] --arch A --weights F: a lab's own network, judged on patches."""

from typing import Any

from core.commands import RequestCommand
from core.errors import InvalidInput
from model.import_requests import ImportClassifierRequest
from model.import_services import import_classifier
from model.management.commands.train import classifier_report
from model.models import Dataset


class Command(RequestCommand):
    help = (
        "Bring your own network: a state dict or safetensors with --arch (torchvision's name, or timm/NAME), "
        "TorchScript, ONNX, or a linear head on a frozen encoder (--encoder, --head). Nothing is unpickled. Every "
        "patch of the data set becomes its test split."
    )
    request = ImportClassifierRequest

    def run(self, **options: Any) -> dict[str, Any]:
        asked = self.settings(options | {"dataset": options["dataset"] or _only_dataset()})
        if asked["entry"]:
            self.say(f"PYTHON CODE: {asked['entry']} runs on this machine, with all that it can do.")
        asked |= {name: asked[name] or None for name in ("weights", "encoder", "head")}
        return classifier_report(import_classifier(progress=self.progress("judge", "patch"), **asked))


def _only_dataset() -> str:
    names = list(Dataset.objects.values_list("name", flat=True)[:20])
    if len(names) != 1:
        raise InvalidInput(
            f"name the patches to judge the network on. There are: {', '.join(names) or 'none yet; import one first'}.",
            field="dataset",
        )
    return names[0]
