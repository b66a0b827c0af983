"""Deleting attacks, batteries and imported pairs with their files. Needs no learning libraries: for the admin.

Studies built from them keep their own copies of the images.
"""

from django.db import transaction

from attacks.models import Attack, Battery, Comparison, PairSet
from core.files import delete_with_files, folder_of_files
from model.recipes import folder_of


def delete_attack(*, attack: Attack) -> None:
    """An attack, its perturbations and their pictures, a universal perturbation, and its figures."""
    files = list(attack.perturbations.exclude(image="").values_list("image", flat=True))
    universal = attack.summary.get("delta", "")
    delete_with_files(attack, [*files, universal], folder=f"perturbed/{attack.pk}", figures=folder_of(attack))


def delete_battery(*, battery: Battery) -> None:
    """A battery with its attacks and their pictures."""
    with transaction.atomic():
        for attack in battery.attacks.all():
            delete_attack(attack=attack)
        delete_with_files(battery, [])


def delete_comparison(*, comparison: Comparison) -> None:
    """A comparison, and its figures."""
    delete_with_files(comparison, [], figures=folder_of(comparison))


def delete_pairs(*, pair_set: PairSet) -> None:
    """A set of pairs and the images of both sides."""
    files = [file for pair in pair_set.pairs.values_list("original", "image") for file in pair]
    delete_with_files(pair_set, files, folder=folder_of_files(files))
