"""Perturbations made on each of several classifiers, shown to each of them: the whole table, stored as one row."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from attacks.engine.norms import Norm, check_budget, check_reachable
from attacks.engine.transfer import STEPS, table
from attacks.models import Transfer
from attacks.selectors import attacked_patches, drawn_patches
from attacks.services import prepared, read
from core.errors import InvalidInput, Progress, no_progress
from core.proportions import share_exactly
from core.version import code_version
from model.models import Classifier


def run_transfer(
    *,
    classifiers: Sequence[Classifier],
    norm: Norm,
    budget: float | None = None,
    name: str = "",
    patches: int | None = None,
    seed: int = 0,
    device: str | None = None,
    created_by: Any = None,
    progress: Progress = no_progress,
) -> Transfer:
    """Every pair of the classifiers, on the target's test patches; with three or more also perturbations made on all
    but the target together (the mean of their margins).

    Raises InvalidInput, before anything is written, for fewer than two classifiers, one twice, patches of different
    sizes, a budget out of range, a name that is taken.
    """
    limit = check_budget(norm, budget)
    if len({one.pk for one in classifiers}) < 2 or len({one.pk for one in classifiers}) < len(classifiers):
        raise InvalidInput("Name two classifiers or more, each once.", field="classifiers")
    sizes = {one.dataset.size for one in classifiers}
    if len(sizes) > 1:
        raise InvalidInput(f"The classifiers' patches differ in size: {sorted(sizes)} pixels.", field="classifiers")
    check_reachable(norm, limit, *(sizes.pop(),) * 2)
    title = name or f"transfer-{norm}-{limit:g}-{'-'.join(str(one.pk) for one in classifiers)}-{seed}"[:100]
    if Transfer.objects.filter(name=title).exists():
        raise InvalidInput(f"There is a transfer table called {title!r} already; choose another name.", field="name")
    networks, asked, indices = {}, {}, {}
    for one in classifiers:
        networks[one.name] = prepared(one, device)
        some = drawn_patches(attacked_patches(one), patches, seed=seed)
        asked[one.name] = read(networks[one.name], some)
        indices[one.name] = [patch.index for patch in some]
    rows = table(networks, asked, norm=norm, budget=limit, seed=seed, progress=progress)
    with transaction.atomic():
        found = Transfer.objects.create(
            name=title,
            norm=norm,
            budget=limit,
            seed=seed,
            settings={
                "steps": STEPS,
                "weights_sha256": {one.name: one.weights_sha256 for one in classifiers},
                "datasets": {one.name: one.dataset.sha256 for one in classifiers},
                "patches": indices,
            },
            summary={
                "rows": [row | {"share": share_exactly(row["flipped"], row["of"])} for row in rows],
                "passes": {kind: sum(one.count[kind] for one in networks.values()) for kind in ("gradient", "forward")},
            },
            code_version=code_version(),
            created_by=created_by,
        )
        found.classifiers.set(classifiers)
    return found
