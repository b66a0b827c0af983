"""Deleting attacks and imported pairs in the admin: rows and files go together, or nothing goes."""

from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command

from attacks import figures
from attacks.models import Attack, Pair, PairSet, Perturbation
from model.models import Classifier
from tests import factories
from tests.attacks.pair_files import pair_folder
from tests.pool import attacked_pool

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def place(own_files) -> Path:
    return own_files.parent


@pytest.fixture
def admin(client):
    client.force_login(factories.user("boss", "admin", is_staff=True, is_superuser=True))
    return client


def files(place: Path) -> set[str]:
    return {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}


def delete(client, address: str) -> str:
    return client.post(f"/admin/{address}/delete/", {"post": "yes"}, follow=True).content.decode()


def test_an_attack_goes_with_its_pictures_its_perturbation_and_its_figures(admin, place):
    kept = attacked_pool(name="kept", positives=2, negatives=2)
    before = files(place)
    attack = attacked_pool(name="gone", positives=3, negatives=2)
    patches = {f"files/{name}" for name in attack.classifier.dataset.patches.values_list("image", flat=True)}
    figures.make("pairs", attack)
    default_storage.save(f"perturbed/{attack.pk}/left-by-a-killed-run.png", ContentFile(b"x"))
    attack.summary = {"delta": default_storage.save(f"universal/{attack.pk}.npy", ContentFile(b"delta"))}
    attack.save()
    assert len(files(place) - before - patches) == 5 + 5 + 1 + 1
    assert "was deleted successfully" in delete(admin, f"attacks/attack/{attack.pk}")
    assert list(Attack.objects.all()) == [kept] and Perturbation.objects.count() == 4
    assert files(place) == before | patches


def test_a_classifier_with_an_attack_stays_whole(admin, place):
    attack = attacked_pool()
    before = files(place)
    text = delete(admin, f"model/classifier/{attack.classifier_id}")
    assert "would require deleting the following protected related objects" in text
    assert Classifier.objects.exists() and Perturbation.objects.count() == 20 and files(place) == before
    assert "was deleted successfully" in delete(admin, f"attacks/attack/{attack.pk}")
    assert "was deleted successfully" in delete(admin, f"model/classifier/{attack.classifier_id}")
    assert "was deleted successfully" in delete(admin, f"model/dataset/{attack.classifier.dataset_id}")
    assert files(place) == set()


def test_imported_pairs_go_with_both_images(admin, place, tmp_path):
    folder = pair_folder(tmp_path)
    before = files(place)
    call_command("import_pairs", folder, name="jpeg")
    assert files(place) - before and Pair.objects.exists()
    assert "was deleted successfully" in delete(admin, f"attacks/pairset/{PairSet.objects.get().pk}")
    assert not PairSet.objects.exists() and not Pair.objects.exists() and files(place) == before


@pytest.mark.parametrize("role", ["reader", "researcher", "admin"])
def test_only_staff_comes_in(client, place, role):
    attack = attacked_pool()
    client.force_login(factories.user("somebody", role))
    delete(client, f"attacks/attack/{attack.pk}")
    assert Attack.objects.exists()
