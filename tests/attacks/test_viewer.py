"""The pair viewer: every attacked patch and imported pair beside its original, with their difference at one gain."""

import io

import numpy as np
import pytest
from PIL import Image

from attacks.models import PairSet
from attacks.selectors import displayed_pixels, gain_of
from core.differences import enlarged, gain_for
from core.images import read_pixels
from core.models import User
from tests import factories
from tests.pool import attacked_pool

pytestmark = pytest.mark.django_db


@pytest.fixture
def rex(client, own_files):
    client.force_login(factories.user("rex", User.Role.RESEARCHER))
    return client


def pixels(answer) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB"))


def test_the_difference_is_perturbed_less_original_times_the_gain_around_grey(rex):
    row = attacked_pool().perturbations.select_related("patch").first()
    original = read_pixels(row.patch.image.name, sha256=row.patch.sha256).astype(int)
    shown = pixels(rex.get(f"/perturbed/{row.pk}/difference.png?gain=5"))
    assert np.array_equal(shown, np.clip(128 + 5 * (displayed_pixels(row).astype(int) - original), 0, 255))
    same = np.zeros((2, 2, 3), np.uint8)
    assert set(enlarged(same, same, 64).ravel()) == {128}


@pytest.mark.parametrize("gain", ["", "0", "65", "-1", "2.5", "a", "٣", "9" * 5_000])
def test_a_gain_out_of_range_is_not_found(rex, gain):
    row = attacked_pool().perturbations.first()
    assert rex.get(f"/perturbed/{row.pk}/difference.png?gain={gain}").status_code == 404


def test_one_gain_holds_for_an_attack_and_brings_its_largest_change_to_64_levels(rex):
    attack = attacked_pool()
    assert gain_of(attack) == gain_for(4.0) == 16
    attack.perturbations.filter(pk=attack.perturbations.first().pk).update(linf=8.0)
    assert gain_of(attack) == 8
    assert (gain_for(0), gain_for(1), gain_for(255)) == (64, 64, 1)
    for row in attack.perturbations.all()[:3]:
        page = rex.get(f"/attacks/{attack.pk}/patches/{row.pk}/").content.decode()
        assert 'difference.png?gain=8"' in page and '<output id="gain-shown">8</output>' in page


def test_every_flipped_patch_leads_to_the_viewer_and_from_one_to_the_next(rex):
    attack = attacked_pool(positives=3, negatives=2)
    gallery = rex.get(f"/attacks/{attack.pk}/").content.decode()
    table = rex.get(f"/attacks/{attack.pk}/patches/").content.decode()
    order = [row.pk for row in attack.perturbations.order_by("l2", "pk")]
    for pk in order:
        assert f"/attacks/{attack.pk}/patches/{pk}/" in gallery and f"/attacks/{attack.pk}/patches/{pk}/" in table
    address, walked = f"/attacks/{attack.pk}/patches/{order[0]}/", []
    while address:
        page = rex.get(address)
        assert page.status_code == 200 and page.context["count"] == 5
        walked.append(int(address.split("/")[-2]))
        address = page.context["after"]
    assert walked == order
    text = rex.get(f"/attacks/{attack.pk}/patches/{order[0]}/").content.decode()
    for shown in ("0.900 → 0.100", "slide-", "L∞", "Difference × "):
        assert shown in text


def test_a_patch_of_another_attack_and_a_missing_image_are_not_found(rex):
    one, two = attacked_pool(), attacked_pool(name="other", seed=1)
    row = two.perturbations.first()
    assert rex.get(f"/attacks/{one.pk}/patches/{row.pk}/").status_code == 404
    row.image.storage.delete(row.image.name)
    assert rex.get(f"/perturbed/{row.pk}/difference.png?gain=5").status_code == 404


def test_readers_never_see_a_pair(client, own_files):
    attack = attacked_pool()
    row = attack.perturbations.first()
    client.force_login(factories.user("ann"))
    for address in (f"/attacks/{attack.pk}/patches/{row.pk}/", f"/perturbed/{row.pk}/difference.png?gain=5"):
        assert client.get(address).status_code == 403


def test_an_imported_pair_is_seen_in_the_same_way(rex, tmp_path):
    import os

    from django.core.management import call_command

    from tests.attacks.pair_files import pair_folder

    call_command("import_pairs", pair_folder(tmp_path), name="pairs", json=True, stdout=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    pairs = PairSet.objects.get()
    pair = pairs.pairs.order_by("l2", "pk").first()
    assert f"/pairs/{pairs.pk}/{pair.pk}/" in rex.get(f"/pairs/{pairs.pk}/").content.decode()
    assert rex.get(f"/pairs/{pairs.pk}/{pair.pk}/").context["place"] == 1
    assert pixels(rex.get(f"/pair-images/{pair.pk}/difference.png?gain=2")).shape[2] == 3
