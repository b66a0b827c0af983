"""Where a study's cases come from: the flipped patches of attacks, or pairs that another program made.

A source offers a pool of candidates, the arms of each candidate, and further patches for the instructions. The study
keeps the bytes, and a record of how they were made.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pandas as pd

from attacks.engine.norms import MEASURED
from attacks.models import Attack, Pair, PairSet, Perturbation
from core.errors import InvalidInput
from core.images import read_pixels
from model.models import Classifier, Dataset, Patch
from model.selectors import accuracy_and_auc, latest_cross_validation

TRUTH_SOURCES = {
    "pannuke": "PanNuke nuclei: 5 or more neoplastic, or none",
    "synthetic": "generated: tumour cells drawn, 5 or more or none",
    "folder": "labels.csv of the data set",
}
POOL_COLUMNS = ["key", "patch_id", "truth", "group", "tumour_cells", "prob_before"]


@dataclass(frozen=True, slots=True)
class Shown:
    """One arm of a case: displayed pixels, uint8 (h, w, 3), and the model's P(tumour) for them.

    ``provenance`` holds fields of ``Stimulus``: the attack and the norms of the difference from the original.
    """

    arm: str
    pixels: np.ndarray
    probability: float | None
    provenance: dict[str, Any] = field(default_factory=lambda: dict.fromkeys(MEASURED, 0.0))


@dataclass(frozen=True, slots=True)
class Outside:
    """A patch that may be shown in the instructions."""

    patch_id: str
    truth: bool
    group: str
    key: int


class CaseSource(Protocol):
    truth_source: str

    @property
    def arm_count(self) -> int:
        """How many arms a case has: the original and every altered version, without controls."""

    def pool(self) -> pd.DataFrame:
        """One row per candidate: ``POOL_COLUMNS`` and ``margin``, the classifier's distance from 0.5."""

    def arms(self, key: int) -> list[Shown]:
        """The original and every altered version of one candidate, without controls."""

    def outside(self) -> list[Outside]:
        """Candidates for the instructions, in a fixed order; the drawn ones are among them."""

    def pixels_outside(self, key: int) -> np.ndarray:
        """The pixels of one of ``outside``, uint8 (h, w, 3)."""

    def classifier(self) -> Classifier | None:
        """The classifier that judged the images, where it is known."""

    def snapshot(self, pool: pd.DataFrame) -> dict[str, Any]:
        """Data set, hash of the weights, settings, code versions: whatever is needed to trace a number."""


def source_of(
    *,
    attack: Attack | None = None,
    further_attacks: Sequence[Attack] = (),
    pairs: PairSet | None = None,
    variants: Sequence[str] = (),
) -> CaseSource:
    """The source that a study is asked to draw from; InvalidInput unless it is an attack or pairs, one of the two."""
    if pairs is not None and attack is None:
        return PairSource(pairs, variants)
    if attack is not None and pairs is None:
        return AttackSource([attack, *further_attacks])
    raise InvalidInput("choose an attack, or imported pairs; one of the two.", field="attack")


def _table(rows: list[tuple]) -> pd.DataFrame:
    pool = pd.DataFrame(rows, columns=POOL_COLUMNS)
    pool["margin"] = (pool["prob_before"].astype(float) - 0.5).abs()
    return pool


class AttackSource:
    """Patches that the classifier judged correctly and the first attack flipped on displayed bytes.

    The first attack is the arm ``perturbed``; each further one (another norm or budget, a universal perturbation)
    is an arm of its own, whether or not it flipped the patch.
    """

    def __init__(self, attacks: Sequence[Attack]) -> None:
        self.attacks = list(attacks)
        first = self.attacks[0]
        for attack in self.attacks:
            if attack.classifier_id != first.classifier_id:
                raise InvalidInput(
                    f"'{attack.name}' is of another classifier than '{first.name}'; a study has one classifier.",
                    field="further_attacks",
                )
            if attack.completed_at is None:
                raise InvalidInput(
                    f"'{attack.name}' is not finished; run it to its end first.", field="further_attacks"
                )
        if len({attack.pk for attack in self.attacks}) < len(self.attacks):
            raise InvalidInput("an attack is named twice.", field="further_attacks")
        self.names = dict(zip((attack.pk for attack in self.attacks), _arm_names(self.attacks)))
        self.truth_source = TRUTH_SOURCES.get(self.dataset.kind, "labels of the data set")

    @property
    def arm_count(self) -> int:
        return 1 + len(self.attacks)

    @property
    def dataset(self) -> Dataset:
        return self.attacks[0].classifier.dataset

    def pool(self) -> pd.DataFrame:
        flipped = Perturbation.objects.filter(attack=self.attacks[0], flipped=True, already_wrong=False)
        for other in self.attacks[1:]:
            flipped = flipped.filter(patch__perturbations__in=other.perturbations.exclude(image=""))
        return _table(
            list(
                flipped.values_list(
                    "patch_id", "patch__name", "patch__tumour", "patch__group", "patch__tumour_cells", "prob_before"
                )
            )
        )

    def arms(self, key: int) -> list[Shown]:
        rows = Perturbation.objects.filter(patch_id=key, attack__in=self.attacks).select_related("patch", "attack")
        by_attack = {row.attack_id: row for row in rows}
        first = by_attack[self.attacks[0].pk]
        # The original is decoded and encoded again too: the files of all arms come from the same encoder.
        shown = [Shown("original", read_pixels(first.patch.image.name, sha256=first.patch.sha256), first.prob_before)]
        for attack in self.attacks:
            row = by_attack[attack.pk]
            provenance = {"attack": attack.name, "norm": attack.norm, "budget": attack.budget}
            provenance |= {norm: getattr(row, norm) for norm in MEASURED}
            shown.append(
                Shown(self.names[attack.pk], read_pixels(row.image.name, sha256=row.sha256), row.prob_after, provenance)
            )
        return shown

    def outside(self) -> list[Outside]:
        rows = Patch.objects.filter(dataset=self.dataset).order_by("index").values_list("name", "tumour", "group", "pk")
        return [Outside(*row) for row in rows]

    def pixels_outside(self, key: int) -> np.ndarray:
        patch = Patch.objects.get(pk=key)
        return read_pixels(patch.image.name, sha256=patch.sha256)

    def classifier(self) -> Classifier:
        return self.attacks[0].classifier

    def snapshot(self, pool: pd.DataFrame) -> dict[str, Any]:
        classifier, dataset = self.classifier(), self.dataset
        described = [_attack(attack) | {"arm": self.names[attack.pk]} for attack in self.attacks]
        return {
            "dataset": {
                "name": dataset.name,
                "kind": dataset.kind,
                "sha256": dataset.sha256,
                "patch_size": dataset.size,
            },
            "classifier": _classifier(classifier),
            "attack": described[0],
            "further_attacks": described[1:],
            "table_1a": _table_1a(classifier),
            "pool": _counts(pool),
        }


class PairSource:
    """Pairs that another program made. The first variant is the arm ``perturbed``; each further one is an arm, too."""

    def __init__(self, pair_set: PairSet, variants: Sequence[str] = ()) -> None:
        self.pair_set = pair_set
        self.variants = list(variants) or list(pair_set.variants)
        unknown = [variant for variant in self.variants if variant not in pair_set.variants]
        if unknown:
            known = ", ".join(variant or "(unnamed)" for variant in pair_set.variants)
            raise InvalidInput(
                f"'{unknown[0]}' is not in the pairs '{pair_set.name}'; there are {known}.", field="variants"
            )
        self.truth_source = f"pairs.csv of '{pair_set.name}'"[:200]

    @property
    def arm_count(self) -> int:
        return 1 + len(self.variants)

    @cached_property
    def _by_name(self) -> dict[str, dict[str, Pair]]:
        """Pairs by name of the original and by variant."""
        pairs: dict[str, dict[str, Pair]] = {}
        for pair in self.pair_set.pairs.all():
            pairs.setdefault(pair.name, {})[pair.variant] = pair
        return pairs

    def pool(self) -> pd.DataFrame:
        rows = []
        for name, pairs in self._by_name.items():
            if all(variant in pairs for variant in self.variants):
                pair = pairs[self.variants[0]]
                rows.append((pair.pk, name, pair.label, pair.group, None, pair.prob_before))
        return _table(rows)

    def arms(self, key: int) -> list[Shown]:
        first = self.pair_set.pairs.get(pk=key)
        pairs = self._by_name[first.name]
        shown = [Shown("original", read_pixels(first.original.name, sha256=first.original_sha256), first.prob_before)]
        for number, variant in enumerate(self.variants):
            pair = pairs[variant]
            norms = {norm: getattr(pair, norm) for norm in MEASURED}
            provenance = {"attack": pair.attack, "budget": pair.budget} | norms
            arm = f"perturbed-{variant}" if number else "perturbed"
            shown.append(Shown(arm, read_pixels(pair.image.name, sha256=pair.sha256), pair.prob_after, provenance))
        return shown

    def outside(self) -> list[Outside]:
        firsts = [next(iter(pairs.values())) for pairs in self._by_name.values()]
        return [Outside(pair.name, pair.label, pair.group, pair.pk) for pair in firsts]

    def pixels_outside(self, key: int) -> np.ndarray:
        pair = self.pair_set.pairs.get(pk=key)
        return read_pixels(pair.original.name, sha256=pair.original_sha256)

    def classifier(self) -> Classifier | None:
        return self.pair_set.classifier

    def snapshot(self, pool: pd.DataFrame) -> dict[str, Any]:
        pair_set, classifier = self.pair_set, self.pair_set.classifier
        return {
            "dataset": {
                "name": pair_set.name,
                "kind": "pairs",
                "sha256": pair_set.sha256,
                "patch_size": [pair_set.width, pair_set.height],
            },
            "classifier": _classifier(classifier) if classifier else None,
            "attack": {
                "name": pair_set.name,
                "kind": "pairs",
                "norm": "",
                "budget": None,
                "settings": pair_set.source,
                "seed": None,
                "summary": {"variants": self.variants},
                "code_version": pair_set.code_version,
                "arm": "perturbed",
            },
            "further_attacks": [],
            "table_1a": _table_1a(classifier) if classifier else None,
            "pool": _counts(pool),
        }


def _arm_names(attacks: list[Attack]) -> Iterator[str]:
    """``perturbed`` for the first; ``universal``, ``natural-worst``, ``perturbed-l2-4`` for others; numbered where two
    agree.
    """
    taken: set[str] = set()
    for position, attack in enumerate(attacks):
        name = "perturbed"
        if position:
            family = "universal" if attack.kind == Attack.Kind.UNIVERSAL else "perturbed"
            budget = "" if attack.budget is None else f"-{attack.budget:g}"
            name = "universal" if family == "universal" else f"perturbed-{attack.norm}{budget}"
            if attack.kind == Attack.Kind.WORST:
                name = "natural-random" if attack.settings.get("at_random") else "natural-worst"
            if name in taken:
                name = f"{name}-{position + 1}"
        taken.add(name)
        yield name


def _classifier(classifier: Classifier) -> dict[str, Any]:
    return {
        "id": classifier.pk,
        "name": classifier.name,
        "arch": classifier.arch,
        "initialisation": classifier.initialisation,
        "weights_sha256": classifier.weights_sha256,
        "settings": classifier.settings,
        "seed": classifier.seed,
        "metrics": classifier.metrics,
        "code_version": classifier.code_version,
    }


def _attack(attack: Attack) -> dict[str, Any]:
    return {
        "name": attack.name,
        "kind": attack.kind,
        "norm": attack.norm,
        "budget": attack.budget,
        "settings": attack.settings,
        "seed": attack.seed,
        "summary": attack.summary,
        "code_version": attack.code_version,
    }


def _counts(pool: pd.DataFrame) -> dict[str, int]:
    truth = pool["truth"].astype(bool)
    return {"positives": int(truth.sum()), "negatives": int((~truth).sum())}


def _table_1a(classifier: Classifier) -> dict[str, Any] | None:
    """Mean and SD over runs and folds of the data set's latest finished cross-validation."""
    latest = latest_cross_validation(classifier.dataset)
    if latest is None:
        return None
    described = {"runs": latest.runs, "folds": latest.folds, "grouped": latest.grouped, "seed": latest.seed}
    return described | accuracy_and_auc(latest)
