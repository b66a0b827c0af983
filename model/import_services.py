"""Classifiers brought along: a lab's own weights, judged on patches before anything is stored."""

from pathlib import Path
from typing import Any

from core.errors import Progress, no_progress
from model.classifier_rows import by_id, check_classifier_name, machine, store_classifier, told
from model.learning import evaluation, splits
from model.learning.checkpoints import read_state
from model.learning.devices import usable_device
from model.learning.network import load_weights
from model.learning.prediction import predict
from model.models import Classifier, Dataset
from model.selectors import dataset_arrays, patch_table


def import_classifier(
    *,
    dataset: Dataset,
    arch: str,
    weights: str | Path,
    name: str = "",
    shrink: int = 1,
    tumour_output: int = 1,
    device: str | None = None,
    created_by: Any = None,
    progress: Progress = no_progress,
) -> Classifier:
    """A lab's own weights, checked on a forward pass and evaluated on every patch of ``dataset``, which becomes its
    test split: it was trained elsewhere, and whether it has seen these patches is not known here. ``shrink`` as in
    ``TrainSettings``; ``tumour_output`` as in ``load_weights``. What looks wrong about its answers is noted.

    Raises InvalidInput, before anything is written, if the weights do not fit.
    """
    name = name or f"{Path(weights).stem}-{arch}"
    check_classifier_name(name)
    place = usable_device(device)
    network, notes = told(
        lambda: load_weights(arch, weights, image_size=dataset.size, shrink=shrink, tumour_output=tumour_output)
    )
    table = patch_table(dataset)
    probabilities = predict(network, dataset_arrays(dataset), device=place, progress=progress)
    metrics = evaluation.metrics(table["tumour"].to_numpy(), probabilities)
    ids = table.index.to_numpy()
    return store_classifier(
        network,
        extra=None,
        name=name,
        dataset=dataset,
        arch=arch,
        initialisation=f"imported from {Path(weights).name}"[:200],
        seed=0,
        settings={
            "imported": Path(weights).name,
            "file_sha256": read_state(weights)[1],
            "shrink": shrink,
            "tumour_output": tumour_output,
            "machine": machine(),
            "notes": notes + _doubts(metrics, tumour_output),
        },
        split={"train": [], "test": ids.tolist(), "grouped": splits.grouped(table["group"].to_numpy())},
        metrics=metrics,
        test_probabilities=by_id(ids, probabilities),
        history=[],
        created_by=created_by,
    )


def _doubts(metrics: dict[str, Any], tumour_output: int) -> list[str]:
    """What an imported classifier's answers let one suspect."""
    auc, other = metrics["auc"], 1 - tumour_output
    if auc < 0.4:
        return [
            f"AUC {auc:.3f}: it calls tumour what is none, so its two outputs look swapped (folders in alphabetical "
            f"order make the first output tumour). Import it again with --tumour-output {other}."
        ]
    if auc < 0.6:
        return [
            f"AUC {auc:.3f}: it does not tell these patches apart. The weights may be for other classes, or expect "
            "another normalisation than ImageNet's."
        ]
    called = sum(row[1] for row in metrics["confusion"])
    if called in (0, metrics["n"]):
        return [f"It calls {'every' if called else 'no'} patch tumour at P = 0.5, although its AUC is {auc:.3f}."]
    return []
