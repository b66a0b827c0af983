"""Writing attacks: perturbations of a classifier's patches, stored chunk by chunk so that a killed run goes on."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.utils import timezone
from torch import Tensor, nn

from attacks.engine import PerturbationSet
from attacks.engine.api import check_images
from attacks.engine.display import chw, hwc
from attacks.engine.masking import SAMPLE as DOUBTED
from attacks.engine.masking import warnings_about
from attacks.engine.norms import check_reachable
from attacks.engine.passes import Passes, batch_for
from attacks.engine.pgd import pgd
from attacks.engine.recipe import Recipe, recipe
from attacks.engine.soundness import PROBES
from attacks.models import Attack, Battery, Perturbation
from attacks.selectors import CHUNK, attacked_patches, summarise
from core.errors import InvalidInput, Progress, no_progress
from core.images import encode_png, sha256_of
from core.version import code_version
from model.learning.devices import usable_device
from model.learning.groups import few_groups
from model.models import Classifier, Patch
from model.selectors import dataset_arrays
from model.stored_network import stored_network

Work = Callable[[Passes, Tensor, Tensor, int, Progress], PerturbationSet]
"""What makes a chunk's perturbations: of passes, images uint8 (n, 3, h, w), labels (n,), the first one's number."""


def run_attack(
    *,
    classifier: Classifier,
    norm: str,
    budget: float | None = None,
    name: str = "",
    positives_only: bool = False,
    seed: int = 0,
    amp: bool = False,
    chunk: int | None = None,
    device: str | None = None,
    created_by: Any = None,
    part: tuple[int, int] | None = None,
    progress: Progress = no_progress,
    **settings: Any,
) -> Attack:
    """Attack the classifier's test split (``settings``: see ``attacks.engine.recipe``) and store every result.

    A run that was cut off goes on when it is called again with the same arguments, and gives the same bytes; one that
    is complete is returned as it is. ``part`` = (i, n) does every n-th chunk only, from the i-th; the call without it
    then finds them made and completes the attack. A ``chunk`` of patches (256; 2,048 on a GPU,
    whose batches it has to fill) is attacked and stored together: small ones share few patches among many workers, and
    lose less when one is killed. ``amp``: gradients in bfloat16 on a GPU.

    Raises InvalidInput, before anything is written, for settings out of range, a name used by another attack, a
    classifier whose weights or patches are not what was recorded.
    """
    chosen = recipe(norm=norm, budget=budget, seed=seed, **settings)
    check_reachable(chosen.norm, chosen.budget, classifier.dataset.size, classifier.dataset.size)
    patches = attacked_patches(classifier, positives_only=positives_only)
    attack = begin(
        classifier=classifier,
        kind=Attack.Kind.PGD,
        norm=norm,
        budget=budget,
        seed=seed,
        name=name,
        recipe=chosen.as_dict() | {"positives_only": positives_only} | ({"amp": True} if amp else {}),
        patches=patches,
        chunk=chunk,
        device=device,
        created_by=created_by,
    )

    def work(passes: Passes, images: Tensor, labels: Tensor, first: int, progress: Progress) -> PerturbationSet:
        return pgd(passes, images, labels, chosen, first=first, progress=progress)

    fill(attack=attack, work=work, patches=patches, part=part, doubted=True, within=chosen, progress=progress)
    return attack


def fill(
    *,
    attack: Attack,
    work: Work,
    patches: Sequence[Patch],
    part: tuple[int, int] | None = None,
    doubted: bool = False,
    within: Recipe | None = None,
    progress: Progress = no_progress,
) -> None:
    """Do what is left of an attack, and close it unless only a ``part`` of it was asked for.

    ``doubted``: say in its summary what speaks against reading its unflipped patches as robust (``engine.masking``);
    ``within`` is the recipe that they withstood, if there was a budget.
    """
    if attack.completed_at is None:
        run_chunks(attack=attack, work=work, patches=patches, part=part, progress=progress)
    if part is None and attack.completed_at is None:
        complete(attack=attack, warnings=_doubts(attack, patches, within) if doubted else [])


def _doubts(attack: Attack, patches: Sequence[Patch], recipe: Recipe | None) -> list[dict[str, str]]:
    """Warnings about an attack whose rows are complete, from a few of its patches, drawn by its seed."""
    flipped = dict(attack.perturbations.filter(already_wrong=False).values_list("patch_id", "flipped"))
    draw = np.random.default_rng(attack.seed)
    chosen = set()
    for which in (True, False):
        keys = [patch.pk for patch in patches if flipped.get(patch.pk) is which]
        chosen |= set(draw.permutation(keys)[:DOUBTED].tolist())
    some = [patch for patch in patches if patch.pk in chosen]
    if not some:
        return []
    with machine_of(attack) as device:
        passes = prepared(attack.classifier, device)
        read(passes, patches[:PROBES])
        images, labels = read(passes, some)
        fell = np.array([flipped[patch.pk] for patch in some])
        told = warnings_about(passes, images, labels, fell, recipe, seed=attack.seed)
    return [one.as_dict() for one in told]


def begin(
    *,
    classifier: Classifier,
    kind: str,
    norm: str,
    budget: float | None,
    seed: int,
    name: str,
    recipe: dict[str, Any],
    patches: Sequence[Patch],
    device: str | None,
    created_by: Any,
    chunk: int | None = None,
    battery: Battery | None = None,
) -> Attack:
    """The attack's row: a new one, or the one of the same name and settings that goes on.

    ``name`` may be empty (one is made of the settings), or end in "-": then the settings' hash follows.
    """
    device = usable_device(device)
    chunk = chunk_on(device) if chunk is None else chunk
    if chunk < 1:
        raise InvalidInput(f"{chunk} is too small; at least 1 patch.", field="chunk")
    determines = {
        "kind": str(kind),
        "weights_sha256": classifier.weights_sha256,
        "dataset_sha256": classifier.dataset.sha256,
        "patches": [patch.index for patch in patches],
        "recipe": recipe,
        "chunk": chunk,
    }
    digest = hashlib.sha256(json.dumps(determines, sort_keys=True).encode()).hexdigest()
    network_of(classifier)  # refused here, before anything is written
    title = f"{name}{digest[:8]}" if name.endswith("-") else name
    title = title or f"{classifier.name[:60]}-{kind}-{norm}{'' if budget is None else f'-{budget:g}'}-{digest[:8]}"
    if len(title) > 100:
        raise InvalidInput("An attack's name has 1 to 100 characters.")
    machine = {"device": device, "threads": torch.get_num_threads(), "chunk": chunk, "batch": batch_for(device)}
    try:
        with transaction.atomic():
            attack, made = Attack.objects.get_or_create(
                name=title,
                defaults={
                    "classifier": classifier,
                    "kind": kind,
                    "norm": norm,
                    "budget": budget,
                    "seed": seed,
                    "settings": recipe | machine | {"weights_sha256": classifier.weights_sha256},
                    "settings_sha256": digest,
                    "code_version": code_version(),
                    "summary": {"seconds": 0.0, "passes": {}},
                    "created_by": created_by,
                    "battery": battery,
                },
            )
    except IntegrityError as error:
        raise InvalidInput(f"An attack called {title!r} was begun at the same moment. Choose another name.") from error
    if made:
        return attack
    if attack.settings_sha256 != digest:
        raise InvalidInput(
            f"Another attack is called {title!r}: its classifier or settings differ. Choose another name."
        )
    if attack.completed_at is None and attack.code_version != code_version():
        raise InvalidInput(
            f"Attack {title!r} was begun by version {attack.code_version} and this is {code_version()}: its second "
            "half might differ from its first. Delete it (in the admin) or choose another name."
        )
    return attack


def run_chunks(
    *, attack: Attack, work: Work, patches: Sequence[Patch], part: tuple[int, int] | None, progress: Progress
) -> None:
    """Attack what has no result yet, a chunk of patches at a time; a chunk is stored whole or not at all.

    Chunks are cut by position, whatever is stored already, and run on the device, with the number of threads and
    the batch size with which the attack began: each can move the last digits of a gradient, and with them a byte.
    """
    passes: Passes | None = None
    made = set(attack.perturbations.values_list("patch_id", flat=True))
    share, shares = part or (0, 1)
    with machine_of(attack) as device:
        for number, first in enumerate(range(0, len(patches), attack.settings["chunk"])):
            chunk = patches[first : first + attack.settings["chunk"]]
            if number % shares != share or all(patch.pk in made for patch in chunk):
                progress(first + len(chunk), len(patches))
                continue
            if passes is None:
                passes = prepared(attack.classifier, device, amp=attack.settings.get("amp", False))
                passes.batch = attack.settings.get("batch", passes.batch)
                read(passes, patches[:PROBES])  # what is learned of the network is the same whatever the first chunk
            before, began = dict(passes.count), time.process_time()
            images, labels = read(passes, chunk)

            def report(done: int, total: int, first: int = first) -> None:
                progress(first + done, len(patches))

            found = work(passes, images, labels, first, report)
            used = {key: value - before[key] for key, value in passes.count.items()}
            spent = time.process_time() - began
            store_chunk(attack=attack, patches=chunk, found=found, passes=used, cpu_seconds=spent)


def prepared(classifier: Classifier, device: str | None = None, *, amp: bool = False) -> Passes:
    """The classifier's network, ready for attacks."""
    return Passes(network_of(classifier), device=usable_device(device), amp=amp)


def chunk_on(device: str) -> int:
    """Patches per chunk: on a GPU several batches, so that those that flip early leave no batch half empty."""
    return CHUNK if device == "cpu" else max(CHUNK, 4 * batch_for(device))


def network_of(classifier: Classifier) -> nn.Module:
    """The classifier's network; InvalidInput if its weights are not what was saved."""
    return stored_network(classifier)


def read(passes: Passes, patches: Sequence[Patch]) -> tuple[Tensor, Tensor]:
    """Pictures and classes of patches of one data set: uint8 (n, 3, h, w), int64 (n,)."""
    images = chw(dataset_arrays(patches[0].dataset, [patch.pk for patch in patches]))
    return images, check_images(passes, images, [int(patch.tumour) for patch in patches])


@contextmanager
def machine_of(attack: Attack) -> Iterator[str]:
    """The device on which the attack began, with its number of threads; InvalidInput if it is not here."""
    device, threads = attack.settings["device"], torch.get_num_threads()
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise InvalidInput(f"Attack {attack} was begun on {device}, which is not here: go on there, or begin another.")
    torch.set_num_threads(attack.settings["threads"])
    try:
        yield device
    finally:
        torch.set_num_threads(threads)


def store_chunk(
    *,
    attack: Attack,
    patches: Sequence[Patch],
    found: PerturbationSet,
    passes: dict[str, int],
    cpu_seconds: float = 0.0,
) -> None:
    """PNG files and rows of one chunk, in one transaction; files of a run that was cut off are written over.

    Of a battery's attacks only the pictures that flipped are kept: the others are of no use to anybody.
    """
    started = time.perf_counter()
    keep = ~found.already_wrong if attack.battery_id is None else found.flipped
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        kept = np.flatnonzero(keep)
        pictures = dict(zip(kept.tolist(), pool.map(encode_png, hwc(found.displayed[torch.from_numpy(kept)]))))
    rows = []
    for place, patch in enumerate(patches):
        row = Perturbation(
            attack=attack,
            patch=patch,
            already_wrong=bool(found.already_wrong[place]),
            flipped_float=bool(found.flipped_float[place]),
            flipped=bool(found.flipped[place]),
            prob_before=float(found.before[place, 1]),
            prob_after=float(found.after[place, 1]),
            steps=int(found.steps[place]),
            **{norm: float(values[place]) for norm, values in found.norms.items()},
        )
        if place in pictures:
            row.image = _write(f"perturbed/{attack.pk}/{patch.index:06d}.png", pictures[place])
            row.sha256 = sha256_of(pictures[place])
        rows.append(row)
    with transaction.atomic():
        Perturbation.objects.bulk_create(rows)
        current = Attack.objects.select_for_update().get(pk=attack.pk)
        seconds = current.summary.get("seconds", 0.0) + found.seconds + time.perf_counter() - started
        earlier = current.summary.get("passes", {})
        current.summary |= {
            "seconds": seconds,
            "cpu_seconds": current.summary.get("cpu_seconds", 0.0) + cpu_seconds,
            "passes": {key: earlier.get(key, 0) + value for key, value in passes.items()},
        }
        current.save(update_fields=["summary"])


def complete(*, attack: Attack, warnings: Sequence[dict[str, str]] = ()) -> None:
    """Close the attack: its summary is counted from the stored rows, and names its ``warnings``."""
    attack.refresh_from_db()
    attack.summary = attack.summary | summarise(attack)
    few = few_groups(attack.summary["groups"], "Attacked patches")
    attack.summary |= {"warnings": [*warnings, *({"name": "few groups", "text": text} for text in few)]}
    attack.completed_at = timezone.now()
    attack.save(update_fields=["summary", "completed_at"])


def _write(path: str, data: bytes) -> str:
    if default_storage.exists(path):
        default_storage.delete(path)
    return default_storage.save(path, ContentFile(data))
