"""Classifiers brought along: a lab's own network in any form, judged on patches before anything is stored."""

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from django.conf import settings as project
from numpy.typing import NDArray

from core.errors import InvalidInput, Progress, no_progress
from model.classifier_rows import by_id, check_classifier_name, machine, store_classifier, told
from model.learning import evaluation, splits
from model.learning.checkpoints import bytes_of, read_state
from model.learning.devices import usable_device
from model.learning.file_formats import Format, format_of
from model.learning.forms import (
    Form,
    check_gradient,
    check_onnx,
    open_network,
    outputs_of,
    packed,
    with_outputs,
)
from model.learning.imagenet import MEAN, STD
from model.learning.network import Network, load_weights
from model.learning.prediction import predict
from model.learning.reading import Reading
from model.models import Classifier, Dataset
from model.selectors import dataset_arrays, patch_table


def import_classifier(
    *,
    dataset: Dataset,
    arch: str = "",
    weights: str | Path | None = None,
    encoder: str | Path | None = None,
    head: str | Path | None = None,
    entry: str = "",
    name: str = "",
    shrink: int = 1,
    tumour_output: int = 1,
    positive: Sequence[int] = (),
    keep_order: bool = False,
    mean: Sequence[float] = MEAN,
    std: Sequence[float] = STD,
    input_size: int | None = None,
    activation: str = "relu",
    microns_per_pixel: float | None = None,
    device: str | None = None,
    created_by: Any = None,
    progress: Progress = no_progress,
) -> Classifier:
    """A lab's own network, checked on a forward pass and evaluated on every patch of ``dataset``, which becomes its
    test split: it was trained elsewhere, and whether it has seen these patches is not known here.

    ``weights`` are a state dict or safetensors for ``arch`` (torchvision's name, or timm/NAME), TorchScript, or ONNX;
    or there are an ``encoder`` (any of these) and a linear ``head``; or an ``entry`` of Python code, with or without
    weights. ``mean``, ``std``, ``input_size``, ``positive``: see ``model.learning.reading``; ``tumour_output`` 0: of
    one or two outputs, the first is for tumour. ``shrink`` as in ``TrainSettings``. What looks wrong about its answers
    is noted, and which of the two orders of classes fits better; where the other one fits beyond doubt it has to be
    chosen, unless ``keep_order``.

    Raises InvalidInput, before anything is written, if the files do not fit.
    """
    source = _source(weights, encoder, head, entry)
    name = name or f"{Path(source).stem}-{arch or 'network'}".replace("/", "-")[:100]
    check_classifier_name(name)
    place = usable_device(device)
    if tumour_output not in (0, 1):
        raise InvalidInput(f"{tumour_output} is not one of 0, 1.", field="tumour_output")
    reading = Reading(
        mean=tuple(mean), std=tuple(std), input_size=input_size, positive=tuple(positive), exchanged=tumour_output == 0
    )
    table = patch_table(dataset)
    truth = table["tumour"].to_numpy().astype(int)
    images = dataset_arrays(dataset)
    kind: Format = "python" if entry else "encoder" if encoder else format_of(str(weights))
    notes: list[str] = []
    if kind == "weights":
        if not arch:
            raise InvalidInput("Weights alone are no network: name the architecture that they are for.", field="arch")
        network, data, form, notes = _of_weights(arch, Path(source), dataset.size, shrink, tumour_output, reading)
    else:
        asked = Form(kind, reading, arch if kind == "encoder" else "", shrink, activation, entry)
        data = _bytes(kind, weights, encoder, head)
        network, form = _opened(asked, data, source, dataset.size, images, truth)
        notes.append(_gradient_note(network, kind, data, images, source))
        if form.reading.outputs == 1:
            notes.append("It has one output, which is taken for the logit of tumour.")
        if entry:
            notes.append(
                f"PYTHON CODE: {entry} runs on this machine whenever the network is used, and can do anything."
            )
    probabilities = predict(network, images, device=place, progress=progress)
    metrics = evaluation.metrics(truth, probabilities)
    groups = table["group"].to_numpy()
    counts = splits.groups_per_class(truth, groups)
    if not keep_order:
        _check_order(metrics, "positive" if reading.positive else "tumour_output")
    ids = table.index.to_numpy()
    return store_classifier(
        network,
        data=data,
        extra=None,
        name=name,
        dataset=dataset,
        arch=(arch or kind)[:50],
        initialisation=f"imported from {Path(source).name}"[:200],
        seed=0,
        settings={
            "imported": Path(source).name,
            "format": kind,
            "file_sha256": hashlib.sha256(bytes_of(source)).hexdigest() if not entry or weights else "",
            "shrink": shrink,
            "tumour_output": tumour_output,
            "microns_per_pixel": microns_per_pixel,
            "groups": {"test": counts},
            "machine": machine(),
            "notes": notes + splits.few_groups(counts, "Test split") + orders(metrics) + doubts(metrics),
        }
        | ({"form": form.as_dict()} if form else {}),
        split={"train": [], "test": ids.tolist(), "grouped": splits.grouped(groups)},
        metrics=metrics,
        test_probabilities=by_id(ids, probabilities),
        history=[],
        created_by=created_by,
    )


def _source(weights: Any, encoder: Any, head: Any, entry: str) -> str:
    """The file, or the entry, that the network is named after; InvalidInput for what does not go together."""
    if (encoder is None) != (head is None):
        missing = "head" if head is None else "encoder"
        raise InvalidInput("An encoder and a head go together: give both.", field=missing)
    given = [one for one in (weights, encoder, entry) if one]
    if not given:
        raise InvalidInput("Give the network's file, or an encoder and a head.", field="weights")
    if encoder is not None and (weights or entry):
        raise InvalidInput("Give the network's file, or an encoder and a head, not both.", field="encoder")
    return str(encoder or weights or entry.replace(":", "."))


def _of_weights(
    arch: str, path: Path, size: int, shrink: int, tumour_output: int, reading: Reading
) -> tuple[Network, bytes | None, Form | None, list[str]]:
    """A state dict in its architecture, as trainings store theirs; where it is read otherwise, the form says how."""
    outputs = 2
    if reading.positive:
        outputs = _head_outputs(read_state(path)[0], arch)
    own = Reading(mean=reading.mean, std=reading.std, input_size=reading.input_size)
    if outputs > 2:
        own = with_outputs(Reading(**(own.as_dict() | {"positive": reading.positive})), outputs)
    network, notes = told(
        lambda: load_weights(
            arch, path, image_size=size, shrink=shrink, tumour_output=tumour_output if outputs == 2 else 1, reading=own
        )
    )
    usual = own == Reading() and len(arch) <= 50
    form = None if usual else Form("weights", own, arch, shrink)
    return network, None, form, notes


def _head_outputs(state: dict[str, torch.Tensor], arch: str) -> int:
    """The outputs of the last layer in a state dict."""
    wide = [value for key, value in state.items() if value.ndim == 2 and key.endswith("weight")]
    if not wide:
        raise InvalidInput(f"The weights for {arch} hold no linear layer.", field="weights")
    return int(wide[-1].shape[0])


def _bytes(kind: str, weights: Any, encoder: Any, head: Any) -> bytes:
    if kind == "encoder":
        return packed(bytes_of(encoder), bytes_of(head))
    return bytes_of(weights) if weights else b""


def _opened(
    form: Form, data: bytes, source: str, size: int, images: NDArray[np.uint8], truth: NDArray[Any]
) -> tuple[Network, Form]:
    """The network, with the number of its outputs in its form."""
    allowed = project.PYTHON_NETWORKS
    outputs = outputs_of(form, data, source, image_size=size, code_allowed=allowed)
    if outputs > 2 and not form.reading.positive:
        best = _best(form, data, source, size, outputs, images, truth)
        raise InvalidInput(
            f"{source} has {outputs} outputs. Say which of them stand for tumour, counted from 0. {best}",
            field="positive",
        )
    whole = Form(**(vars(form) | {"reading": with_outputs(form.reading, outputs)}))
    return open_network(whole, data, source, image_size=size, code_allowed=allowed), whole


def _best(
    form: Form, data: bytes, source: str, size: int, outputs: int, images: NDArray[np.uint8], truth: NDArray[Any]
) -> str:
    """Which single output tells these patches apart best."""
    some = np.sort(np.random.default_rng(0).permutation(len(images))[:64])
    if len(np.unique(truth[some])) < 2:
        return ""
    found = []
    for one in range(outputs):
        reading = Reading(**(form.reading.as_dict() | {"positive": (one,), "outputs": outputs}))
        whole = Form(**(vars(form) | {"reading": reading}))
        network = open_network(whole, data, source, image_size=size, code_allowed=project.PYTHON_NETWORKS)
        found.append((evaluation.metrics(truth[some], predict(network, images[some]))["auc"], one))
    auc, best = max(found)
    return f"On {len(some)} of these patches output {best} alone fits best (AUC {auc:.3f})."


def _gradient_note(network: Network, kind: str, data: bytes, images: NDArray[np.uint8], source: str) -> str:
    """Says how far the gradients lie from finite differences; InvalidInput where they are others."""
    few = torch.from_numpy(np.ascontiguousarray(images[:2].transpose(0, 3, 1, 2))).float() / 255
    if kind == "onnx":
        check_onnx(network, data, few[:1], source)
    return (
        f"Its gradients lie within {check_gradient(network, few, source):.1e} (median, relative) of finite differences."
    )


def orders(metrics: dict[str, Any]) -> list[str]:
    """Both orders of the two classes on the labelled patches, and which fits better."""
    auc, accuracy = metrics["auc"], metrics["accuracy"]
    better = "as given" if auc >= 0.5 else "exchanged"
    return [
        f"Order of the classes: as given AUC {auc:.3f}, accuracy {accuracy:.3f}; exchanged AUC {1 - auc:.3f}, accuracy "
        f"{1 - accuracy:.3f}. It fits better {better}."
    ]


def _check_order(metrics: dict[str, Any], field: str) -> None:
    """InvalidInput where the labelled patches say that the classes are the other way round, beyond what chance does."""
    auc = metrics["auc"]
    (right, wrong), (missed, found) = metrics["confusion"]
    negatives, positives = right + wrong, missed + found
    chance = math.sqrt((positives + negatives + 1) / (12 * positives * negatives))  # SD of the AUC of a coin
    if auc >= 0.4 or auc > 0.5 - 3 * chance:
        return
    raise InvalidInput(
        f"The classes look swapped. On the {metrics['n']} labelled patches this order gives AUC {auc:.3f} and accuracy "
        f"{metrics['accuracy']:.3f}, the other AUC {1 - auc:.3f} and accuracy {1 - metrics['accuracy']:.3f}. "
        "(Folders in alphabetical order make the first output tumour.) Choose the other order, or ask for this one to "
        "be kept.",
        field=field,
    )


def doubts(metrics: dict[str, Any]) -> list[str]:
    """What an imported classifier's answers let one suspect."""
    auc = metrics["auc"]
    if auc < 0.4:
        return [
            f"AUC {auc:.3f}: it calls tumour what is none, so its two outputs look swapped (folders in alphabetical "
            "order make the first output tumour). Import it again with the other order of the classes."
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
