"""Running batteries: several attacks on the same patches, each stored as an attack, and what stands against all."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import torch
from django.db import IntegrityError, transaction
from django.utils import timezone

from attacks.battery_selectors import rows_of, unasked_row, worst_of
from attacks.engine.battery import BatteryRecipe, Member, battery_recipe, first_descent, members
from attacks.engine.masking import before_attacks, within_attacks
from attacks.engine.norms import check_reachable
from attacks.engine.passes import Passes
from attacks.engine.soundness import PROBES
from attacks.models import Attack, Battery
from attacks.selectors import attacked_patches, drawn_patches
from attacks.services import begin, fill, prepared, read
from core.errors import InvalidInput, Progress, no_progress
from core.version import code_version
from model.learning.devices import usable_device
from model.learning.groups import few_groups
from model.models import Classifier, Patch

SAMPLE = 32
"""Patches that the checks before and after the attacks are made on."""


def run_battery(
    *,
    classifier: Classifier,
    norm: str,
    budget: float | None = None,
    name: str = "",
    others: Sequence[Classifier] = (),
    every: bool = False,
    patches: int | None = None,
    seed: int = 0,
    device: str | None = None,
    created_by: Any = None,
    progress: Progress = no_progress,
    **settings: Any,
) -> Battery:
    """Attack the classifier's test split in every way, and store each attack and what stands against all of them.

    ``settings``: see ``attacks.engine.battery.battery_recipe``. ``others`` are classifiers whose perturbations are
    tried on this one. Unless ``every``, an attack is asked only about the patches that stood against those before it,
    and its row says so. A run that was cut off goes on when it is called again with the same arguments.

    Raises InvalidInput as ``attacks.services.run_attack`` does.
    """
    chosen = battery_recipe(norm=norm, budget=budget, seed=seed, **settings)
    check_reachable(chosen.norm, chosen.budget, classifier.dataset.size, classifier.dataset.size)
    some = drawn_patches(attacked_patches(classifier), patches, seed=seed)
    battery = _begin(classifier, chosen, list(others), every, some, name, created_by)
    if battery.completed_at is not None:
        return battery
    machine = usable_device(device)
    passes = prepared(classifier, machine)
    _flags_before(battery, passes, some, chosen)
    surrogates = [prepared(one, machine) for one in others]
    attacks: list[Attack] = []
    chain = members(chosen, surrogates)
    for place, member in enumerate(chain):
        asked = some if every else _standing(attacks, some)
        if not asked:
            break

        def tell(done: int, total: int, place: int = place) -> None:
            progress(place * len(some) + len(some) * done // max(total, 1), len(chain) * len(some))

        attacks.append(_run_member(battery, member, asked, machine, created_by, tell))
    _complete(battery, attacks, some, chain, passes, chosen)
    return battery


def _begin(
    classifier: Classifier,
    chosen: BatteryRecipe,
    others: Sequence[Classifier],
    every: bool,
    patches: Sequence[Patch],
    name: str,
    created_by: Any,
) -> Battery:
    """The battery's row: a new one, or the one of the same name and settings that goes on."""
    determines = chosen.as_dict() | {
        "weights_sha256": classifier.weights_sha256,
        "dataset_sha256": classifier.dataset.sha256,
        "patches": [patch.index for patch in patches],
        "others_sha256": [one.weights_sha256 for one in others],
        "every": every,
    }
    digest = hashlib.sha256(json.dumps(determines, sort_keys=True).encode()).hexdigest()
    title = name or f"{classifier.name[:40]}-battery-{chosen.norm}-{chosen.budget:g}-{digest[:8]}"
    if len(title) > 80:
        raise InvalidInput("A battery's name has 1 to 80 characters.", field="name")
    named = {"others": [one.name for one in others], "dataset": classifier.dataset.name}
    machine = {"threads": torch.get_num_threads()}
    try:
        with transaction.atomic():
            battery, made = Battery.objects.get_or_create(
                name=title,
                defaults={
                    "classifier": classifier,
                    "norm": chosen.norm,
                    "budget": chosen.budget,
                    "seed": chosen.seed,
                    "settings": determines | named | machine,
                    "settings_sha256": digest,
                    "code_version": code_version(),
                    "created_by": created_by,
                },
            )
    except IntegrityError as error:
        raise InvalidInput(f"A battery called {title!r} was begun at the same moment. Choose another name.") from error
    if not made and battery.settings_sha256 != digest:
        raise InvalidInput(
            f"Another battery is called {title!r}: its classifier or settings differ. Choose another name.",
            field="name",
        )
    return battery


def _flags_before(battery: Battery, passes: Passes, patches: Sequence[Patch], chosen: BatteryRecipe) -> None:
    """What can be said of the network before any attack. One whose answers cannot be attacked is refused, and the
    battery's page says why."""
    if "before" in battery.summary:
        read(passes, patches[:PROBES])  # what is learned of the network is the same in every run
        return
    try:
        read(passes, patches[:PROBES])
    except InvalidInput as error:
        battery.summary = {"flags": [{"name": "answers cannot be attacked", "text": error.message}]}
        battery.save(update_fields=["summary"])
        raise
    images, labels = read(passes, drawn_patches(patches, SAMPLE, seed=chosen.seed))
    told = [one.as_dict() for one in before_attacks(passes, images, labels, seed=chosen.seed)]
    battery.summary = {"before": told, "flags": told}
    battery.save(update_fields=["summary"])


def _standing(attacks: Sequence[Attack], patches: Sequence[Patch]) -> list[Patch]:
    """The patches that no attack has flipped so far and that were not wrong already."""
    fallen: set[int] = set()
    for attack in attacks:
        fallen |= set(
            attack.perturbations.exclude(flipped=False, already_wrong=False).values_list("patch_id", flat=True)
        )
    return [patch for patch in patches if patch.pk not in fallen]


def _run_member(
    battery: Battery, member: Member, patches: list[Patch], device: str, created_by: Any, progress: Progress
) -> Attack:
    attack = begin(
        classifier=battery.classifier,
        kind=Attack.Kind.BATTERY,
        norm=battery.norm,
        budget=battery.budget,
        seed=battery.seed,
        name=f"{battery.name}-{member.name}",
        recipe={"member": member.name, "battery": battery.settings_sha256},
        patches=patches,
        device=device,
        created_by=created_by,
        battery=battery,
    )
    fill(attack=attack, work=member.work, patches=patches, progress=progress)
    return attack


def _complete(
    battery: Battery,
    attacks: Sequence[Attack],
    patches: Sequence[Patch],
    chain: Sequence[Member],
    passes: Passes,
    chosen: BatteryRecipe,
) -> None:
    """The table, the worst case and the flags, counted from the stored rows."""
    kinds = {member.name: member for member in chain}
    made = {row["attack"]: row for row in rows_of(attacks)}
    stand = min((row["stand"] for row in made.values()), default=0)
    unasked = unasked_row(stand)  # of attacks that had nothing left to do
    rows = [
        unasked | {"attack": member.name, "title": member.title, "kind": member.kind} | made.get(member.name, {})
        for member in chain
    ]
    worst = worst_of(attacks, len(patches))
    flags = list(battery.summary["before"])
    flags += [one.as_dict() for one in _flags_after(attacks, patches, kinds, passes, chosen)]
    groups = attacks[0].summary["groups"]
    flags += [{"name": "few groups", "text": text} for text in few_groups(groups, "Attacked patches")]
    battery.summary = battery.summary | {
        "patches": len(patches),
        "already_wrong": attacks[0].summary["already_wrong"],
        "rows": rows,
        "worst": worst,
        "passes": {key: sum(row["passes"].get(key, 0) for row in rows) for key in ("gradient", "forward")},
        "cpu_seconds": sum(row["cpu_seconds"] for row in rows),
        "groups": groups,
        "flags": flags,
    }
    battery.completed_at = timezone.now()
    battery.save(update_fields=["summary", "completed_at"])


def _flags_after(
    attacks: Sequence[Attack],
    patches: Sequence[Patch],
    kinds: dict[str, Member],
    passes: Passes,
    chosen: BatteryRecipe,
) -> list[Any]:
    """Attacks that flip what stronger ones should have, and more budget or more steps that flip less."""
    first: dict[str, set[int]] = {"white": set(), "transfer": set(), "black": set()}
    fallen: set[int] = set()
    for attack in attacks:
        rows = attack.perturbations.filter(flipped=True).values_list("patch_id", flat=True)
        new = set(rows) - fallen
        fallen |= new
        first[kinds[attack.settings["member"]].kind] |= new
    wrong = set(attacks[0].perturbations.filter(already_wrong=True).values_list("patch_id", flat=True))
    some = drawn_patches([patch for patch in patches if patch.pk not in wrong], SAMPLE, seed=chosen.seed)
    if not some:
        return []
    images, labels = read(passes, some)
    flipped = [patch.pk in first["white"] for patch in some]
    return within_attacks(
        passes,
        images,
        labels,
        flipped,
        first_descent(chosen),
        by_transfer=len(first["transfer"]),
        by_black_box=len(first["black"]),
        attacked=len(patches) - len(wrong),
        seed=chosen.seed,
    )
