"""The check that a backup was restored whole."""

import json
import os
import time
from io import StringIO

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from jobs.models import Job
from tests.pool import attacked_pool

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_files")]


@pytest.fixture
def perturbation():
    """One of a pool whose hashes are all recorded, so that the check has something to compare."""
    import hashlib

    attack = attacked_pool(positives=2, negatives=2)
    for row in attack.perturbations.all():
        row.sha256 = hashlib.sha256(row.image.open().read()).hexdigest()
        row.save()
    attack.classifier.weights.save("w.pt", ContentFile(b"weights"))
    attack.classifier.weights_sha256 = hashlib.sha256(b"weights").hexdigest()
    attack.classifier.save()
    return attack.perturbations.first()


def check(*arguments: str) -> dict:
    out = StringIO()
    call_command("check_files", *arguments, "--json", stdout=out, stderr=StringIO())
    return json.loads(out.getvalue())


def test_whole_files_pass(perturbation):
    assert check() == {"checked": 9, "missing": [], "changed": [], "orphans": 0, "removed": 0, "log": "holds"}


def test_a_missing_file_and_a_changed_one_are_named(perturbation):
    name = perturbation.image.name
    default_storage.delete(name)
    with pytest.raises(CommandError, match=f"1 files are missing.*{name}"):
        check()
    default_storage.save(name, ContentFile(b"something else"))
    with pytest.raises(CommandError, match=f"1 have changed.*{name}"):
        check()


def test_a_universal_perturbation_is_kept_as_long_as_its_attack(perturbation):
    attack = perturbation.attack
    name = default_storage.save(f"universal/{attack.pk}.npy", ContentFile(b"delta"))
    os.utime(default_storage.path(name), (time.time() - 200_000,) * 2)
    attack.kind, attack.summary = "universal", {"delta": name}
    attack.save()
    assert check("--remove-orphans")["removed"] == 0 and default_storage.exists(name)
    attack.summary = {}
    attack.save()
    assert check("--remove-orphans")["removed"] == 1 and not default_storage.exists(name)


def test_what_nothing_names_is_removed_when_it_is_old_and_no_job_may_want_it(perturbation):
    old = [default_storage.save(f"{folder}/x.png", ContentFile(b"x")) for folder in ("patches/gone", "uploads")]
    young = default_storage.save("patches/new/x.png", ContentFile(b"x"))
    for name in old:
        os.utime(default_storage.path(name), (time.time() - 200_000,) * 2)
    Job.objects.create(kind="import_patches", title="x", code_version="x", state="failed", arguments={"upload": old[1]})
    assert check()["orphans"] == 1
    assert check("--remove-orphans")["removed"] == 1
    assert [default_storage.exists(name) for name in (*old, young)] == [False, True, True]
