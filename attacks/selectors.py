"""Reading attacks back: pools for studies, tables for pages, pixels for galleries."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from django.db.models import Avg, Max, QuerySet
from numpy.typing import NDArray

from attacks.engine.curves import success_curve
from attacks.engine.norms import MEASURED, PERCEPTUAL
from attacks.models import Attack, Comparison, PairSet, Perturbation
from core.differences import gain_for
from core.errors import InvalidInput
from core.images import read_pixels
from core.records import row_named
from model.learning.groups import groups_per_class
from model.models import Classifier, Patch
from model.selectors import classifier_named as classifier_named  # of the floor below; asked for here, too

VERDICTS = ("already_wrong", "flipped_float", "flipped", "prob_before", "prob_after", "steps")
CHUNK = 256
"""Patches that are attacked and stored together, unless an attack says otherwise."""


def chunk_for(classifier: Classifier, *, workers: int, positives_only: bool = False) -> int:
    """Patches per chunk, so that each of so many workers has work to do."""
    patches = Patch.objects.filter(dataset=classifier.dataset, pk__in=classifier.split.get("test", []))
    count = (patches.filter(tumour=True) if positives_only else patches).count()
    return max(1, min(CHUNK, -(-count // workers)))


def attack_named(name: str) -> Attack:
    """The attack of that name, or InvalidInput naming those that exist."""
    return row_named(Attack.objects.select_related("classifier__dataset"), name, word="attack")


def comparison_named(name: str) -> Comparison:
    """The comparison of that name, or InvalidInput naming those that exist."""
    return row_named(Comparison.objects.select_related("first__dataset", "second__dataset"), name, word="comparison")


def pairs_named(name: str) -> PairSet:
    """The set of imported pairs of that name, or InvalidInput naming those that exist."""
    return row_named(PairSet.objects.all(), name, word="pairs", field="pairs")


def attacked_patches(classifier: Classifier, *, part: str = "test", positives_only: bool = False) -> list[Patch]:
    """The patches of one part of the classifier's split, in the order of reading; InvalidInput if there are none."""
    ids = classifier.split.get(part, [])
    patches = Patch.objects.filter(dataset=classifier.dataset, pk__in=ids).select_related("dataset").order_by("index")
    if len(patches) != len(ids):
        raise InvalidInput(
            f"Of the {len(ids)} {part} patches of classifier {classifier} only {len(patches)} are left in data set "
            f"{classifier.dataset}. Import it again and train a new classifier."
        )
    chosen = [patch for patch in patches if patch.tumour or not positives_only]
    if not chosen:
        raise InvalidInput(f"Classifier {classifier} has no {'positive ' * positives_only}{part} patches to attack.")
    return chosen


def flipped_rows(attack: Attack, tumour: bool | None = None) -> QuerySet[Perturbation]:
    """Judged correctly before and flipped on displayed bytes, in the order of reading; of one class, or of both."""
    rows = attack.perturbations.filter(flipped=True, already_wrong=False)
    if tumour is not None:
        rows = rows.filter(patch__tumour=tumour)
    return rows.select_related("patch", "attack").order_by("patch__index")


def flipped_positives(attack: Attack) -> QuerySet[Perturbation]:
    """The pool from which a study draws."""
    return flipped_rows(attack, tumour=True)


def summarise(attack: Attack) -> dict[str, Any]:
    """Counts, and the norms of the flipped on displayed bytes, from the stored rows."""
    rows = attack.perturbations.all()
    flipped = rows.filter(flipped=True)
    spread = flipped.aggregate(
        **{f"{norm}_mean": Avg(norm) for norm in MEASURED}, **{f"{norm}_max": Max(norm) for norm in MEASURED}
    )
    values = np.array(flipped.values_list(*MEASURED), dtype=float).reshape(-1, len(MEASURED))
    medians = np.median(values, axis=0) if len(values) else [None] * len(MEASURED)
    wrong = rows.filter(already_wrong=True).count()
    return {
        "groups": _groups(rows),
        "flipped_groups": _groups(flipped),
        "images": rows.count(),
        "attacked": rows.count() - wrong,
        "already_wrong": wrong,
        "flipped_float": rows.filter(flipped_float=True).count(),
        "flipped": len(values),
        "flipped_positives": flipped_positives(attack).count(),
        "norms_of_flipped": {
            norm: {"mean": spread[f"{norm}_mean"], "median": median, "max": spread[f"{norm}_max"]}
            for norm, median in zip(MEASURED, medians)
        },
    }


def _groups(rows: QuerySet[Perturbation]) -> dict[str, int]:
    """How many slides or patients the patches of each class come from; empty where they are not known."""
    seen = list(rows.values_list("patch__tumour", "patch__group"))
    return groups_per_class(np.array([one for one, _ in seen]), np.array([group for _, group in seen]))


def drawn_patches(patches: Sequence[Patch], count: int | None, *, seed: int) -> list[Patch]:
    """``count`` of the patches, drawn by the seed and left in their order; all of them without a count."""
    if count is None or count >= len(patches):
        return list(patches)
    chosen = np.random.default_rng([seed, 15]).permutation(len(patches))[:count]
    return [patches[row] for row in np.sort(chosen)]


def flip_norms(attack: Attack, *, patches: Sequence[Patch] | None = None) -> NDArray[np.float64]:
    """Norms of the flips, (attacked,), in the order of reading; infinity where there is none.

    Of a minimal attack these are the smallest found, of another what it made do with. ``patches`` looks at these
    only; those that the classifier errs on are left out.
    """
    found = attack.perturbations.order_by("patch__index")
    if patches is not None:
        found = found.filter(patch__in=[patch.pk for patch in patches])
    rows = found.values_list("already_wrong", "flipped", attack.norm)
    return np.array([norm if flipped else np.inf for wrong, flipped, norm in rows if not wrong], dtype=float)


def latest_minimal(classifier: Classifier) -> dict[str, Attack]:
    """The latest complete minimal attack for each search that there is: "l0", "l1", "l1-rescaled", "l2", "linf"."""
    found = Attack.objects.filter(classifier=classifier, kind=Attack.Kind.MINIMAL, completed_at__isnull=False)
    return {attack.settings["search"]: attack for attack in found.order_by("created_at")}


def curves_of(classifier: Classifier) -> pd.DataFrame:
    """Success against budget from the latest minimal attacks; columns as ``attacks.engine.curves.success_curve``."""
    parts = [success_curve(flip_norms(attack), search=name) for name, attack in latest_minimal(classifier).items()]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def perturbation_table(attack: Attack) -> pd.DataFrame:
    """One row per patch, in the order of reading: verdicts, P(tumour) before and after, steps, norms, measures (empty
    where nobody measured yet, or no image was kept)."""
    columns = {
        "patch__index": "index",
        "patch__name": "patch",
        "patch__tumour": "tumour",
        "patch__group": "group",
    } | {name: name for name in (*VERDICTS, *MEASURED, *PERCEPTUAL)}
    rows = attack.perturbations.order_by("patch__index").values_list(*columns)
    return pd.DataFrame.from_records(rows, columns=list(columns.values()))


def gain_of(attack: Attack) -> int:
    """The one factor by which figures and pages enlarge this attack's perturbations, so that they can be compared."""
    largest = attack.perturbations.filter(flipped=True).aggregate(largest=Max("linf"))["largest"]
    return gain_for(largest or 0)


def displayed_pixels(perturbation: Perturbation) -> NDArray[np.uint8]:
    """The displayed bytes, uint8 (h, w, 3), checked against their SHA-256; InvalidInput if nothing was stored."""
    if not perturbation.image:
        why = "was not attacked: the classifier errs on it already" if perturbation.already_wrong else "was not flipped"
        raise InvalidInput(f"Patch {perturbation.patch} {why}, and no image of it was kept.")
    return read_pixels(perturbation.image.name, sha256=perturbation.sha256)


def attacks(classifier: Classifier | None = None) -> QuerySet[Attack]:
    found = Attack.objects.select_related("classifier").defer(
        "classifier__split", "classifier__test_probabilities", "classifier__history"
    )
    return found.filter(classifier=classifier) if classifier else found


def universal_files() -> set[str]:
    """The files of universal perturbations, which attacks name in their summaries."""
    summaries = Attack.objects.filter(kind=Attack.Kind.UNIVERSAL).values_list("summary", flat=True)
    return {summary.get("delta", "") for summary in summaries}
