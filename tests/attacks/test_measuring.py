"""How different images look is measured by a job of its own, and nothing is shown where nobody measured."""

from pathlib import Path

import pytest
from django.core.management import call_command
from django.urls import reverse

from attacks import measuring
from attacks.engine.perceptual import measures_of
from attacks.measure_requests import measure_attack
from attacks.models import Perturbation
from attacks.selectors import displayed_pixels, perturbation_table
from core.errors import InvalidInput
from core.images import read_pixels
from core.models import User
from jobs.models import Job
from jobs.running import run_attempt
from tests.pool import attacked_pool

pytestmark = pytest.mark.django_db


@pytest.fixture
def attack():
    return attacked_pool(positives=4, negatives=2)


@pytest.fixture
def researcher(client):
    user = User.objects.create_user("rita", password="x", role=User.Role.RESEARCHER)
    client.force_login(user)
    return client


def finish(job: Job) -> Job:
    run_attempt(job.pk, job.attempt)
    job.refresh_from_db()
    assert job.state == Job.State.DONE, job.error
    return job


def test_a_job_measures_the_stored_bytes_of_every_perturbation(attack):
    job = finish(measure_attack(attack=attack, by=None))
    assert job.result == {"attack": attack.name, "measured": 6}
    for row in attack.perturbations.select_related("patch"):
        expected = measures_of(read_pixels(row.patch.image.name, sha256=row.patch.sha256), displayed_pixels(row))
        assert {"ciede2000": row.ciede2000, "ms_ssim_loss": row.ms_ssim_loss} == expected
        assert row.ciede2000 > 0 and row.ms_ssim_loss > 0
    assert measure_attack(attack=attack, by=None) is None, "nothing is left to measure"
    assert list(perturbation_table(attack)["ciede2000"]) == [row.ciede2000 for row in attack.perturbations.all()]


def test_what_is_measured_already_is_left_alone_and_parts_share_the_rest(attack, monkeypatch):
    monkeypatch.setattr(measuring, "CHUNK", 1)
    Perturbation.objects.filter(pk=attack.perturbations.first().pk).update(ciede2000=123.0, ms_ssim_loss=0.5)
    assert measuring.measure_attack(attack=attack, part=(0, 2)) == 2
    assert measuring.measure_attack(attack=attack, part=(1, 2)) == 3
    assert measuring.measure_attack(attack=attack) == 0
    assert attack.perturbations.first().ciede2000 == 123.0


def test_an_image_that_was_changed_is_named_and_the_others_are_measured(attack):
    row = attack.perturbations.first()
    file = Path(row.image.path)
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(InvalidInput, match="5 images were measured, 1 cannot be read"):
        measuring.measure_attack(attack=attack)
    row.refresh_from_db()
    assert row.ciede2000 is None and row.ms_ssim_loss is None
    assert attack.perturbations.exclude(ciede2000=None).count() == 5


def test_pages_say_that_nothing_is_measured_yet_offer_it_and_show_it_then(attack, researcher):
    page, viewer = reverse("attacks:attack", args=[attack.pk]), None
    viewer = reverse("attacks:pair_viewer", args=[attack.pk, attack.perturbations.first().pk])
    table = reverse("attacks:perturbations", args=[attack.pk])
    before = researcher.get(page).content.decode()
    assert "6 images have no CIEDE2000 and no MS-SSIM yet." in before
    assert before.count("CIEDE2000, MS-SSIM: not measured yet") == 6
    assert researcher.get(viewer).content.decode().count("not measured yet") == 2
    assert researcher.post(reverse("attacks:measure", args=[attack.pk])).status_code == 302
    job = Job.objects.get(kind="measures")
    assert f"Job {job.pk}</a> measures how different 6 images look" in researcher.get(table).content.decode()
    finish(job)
    row = attack.perturbations.order_by("l2", "pk").first()
    for address in (page, viewer, table):
        after = researcher.get(address).content.decode()
        assert "not measured yet" not in after and "images have no" not in after
        assert f"{row.ciede2000:.2f}" in after
    csv = researcher.get(reverse("attacks:table_csv", args=[attack.pk])).content.decode()
    assert "ciede2000,ms_ssim_loss" in csv.splitlines()[0]


def test_who_only_reads_cannot_ask_for_measures(attack, client):
    client.force_login(User.objects.create_user("ann", password="x", role=User.Role.READER))
    assert client.post(reverse("attacks:measure", args=[attack.pk])).status_code == 403
    assert not Job.objects.exists()


def test_an_attack_that_is_asked_for_is_followed_by_its_measures(make_classifier):
    from jobs.services import submit

    make_classifier()
    settings = {"classifier": "small", "norm": "linf", "budget": 24, "name": "a", "chunk": 8}
    asked = finish(submit(kind="attack", arguments=settings))
    followed = Job.objects.get(kind="measures")
    assert followed.pk > asked.pk and followed.arguments == {"attack": "a"}
    assert finish(followed).result["measured"] == Perturbation.objects.exclude(image="").count() > 0
    assert not Perturbation.objects.filter(image="").exclude(ciede2000=None).exists()


def test_imported_pairs_are_measured_as_they_are_imported(tmp_path):
    from attacks.models import Pair
    from tests.attacks.pair_files import pair_folder

    pair_folder(tmp_path)
    call_command("import_pairs", str(tmp_path), name="p", verbosity=0)
    for pair in Pair.objects.all():
        original = read_pixels(pair.original.name, sha256=pair.original_sha256)
        altered = read_pixels(pair.image.name, sha256=pair.sha256)
        assert measures_of(original, altered) == {"ciede2000": pair.ciede2000, "ms_ssim_loss": pair.ms_ssim_loss}
