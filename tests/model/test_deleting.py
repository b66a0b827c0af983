"""Deleting data sets, classifiers and cross-validations in the admin: rows and files go together, or nothing goes."""

from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from attacks import figures
from model import deletion
from model.models import Classifier, CrossValidation, Dataset, Patch
from tests import factories
from tests.model.datasets import small_dataset
from tests.model.judged import cross_validation, finish_folds, judged_classifier

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def home(own_files) -> Path:
    return own_files.parent


@pytest.fixture
def admin(client):
    client.force_login(factories.user("boss", "admin", is_staff=True, is_superuser=True))
    return client


def files(home: Path) -> set[str]:
    return {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()}


def delete(client, model: str, *rows) -> str:
    """Delete through the page of one row, or through the list's action for several; the answer's text."""
    if len(rows) == 1:
        address, form = f"/admin/model/{model}/{rows[0].pk}/delete/", {"post": "yes"}
    else:
        address = f"/admin/model/{model}/"
        form = {"action": "delete_selected", "_selected_action": [row.pk for row in rows], "post": "yes"}
    return client.post(address, form, follow=True).content.decode()


def test_a_data_set_goes_with_its_pictures_and_masks(admin, home):
    dataset, kept = small_dataset(name="gone", n=6, masks=True), small_dataset(name="kept", n=4)
    names = {path for pair in kept.patches.values_list("image", "tumour_mask") for path in pair if path}
    page = admin.get(f"/admin/model/dataset/{dataset.pk}/delete/").content.decode()
    assert "gone" in page and "Patches: 6" in page and "small" not in page
    assert "was deleted successfully" in delete(admin, "dataset", dataset)
    assert list(Dataset.objects.all()) == [kept] and Patch.objects.count() == 4
    assert files(home) == {f"files/{name}" for name in names}
    assert len(list((home / "files" / "patches").iterdir())) == 1, "the empty folder is gone, too"


def test_several_data_sets_go_at_once(admin, home):
    rows = [small_dataset(name=name, n=4) for name in ("one", "two")]
    assert "Successfully deleted 2" in delete(admin, "dataset", *rows)
    assert not Dataset.objects.exists() and files(home) == set()


def test_a_data_set_that_a_classifier_needs_stays_whole(admin, home):
    classifier = judged_classifier()
    free = small_dataset(name="free", n=4)
    before = files(home)
    for rows in ([classifier.dataset], [classifier.dataset, free]):
        text = delete(admin, "dataset", *rows)
        assert "would require deleting the following protected related objects" in text and "judged" in text
        assert Dataset.objects.count() == 2 and Patch.objects.count() == 24 and files(home) == before


def test_a_classifier_goes_with_its_weights_its_path_and_its_figures(admin, home):
    classifier = judged_classifier()
    before = files(home)
    classifier.weights.save("net.pt", ContentFile(b"weights"))
    path = default_storage.save("weights/net-trajectory.pt", ContentFile(b"path"))
    classifier.settings = {"trajectory": {"file": path, "sha256": "0" * 64}}
    classifier.save()
    figures.make("roc", classifier)
    assert len(files(home)) == len(before) + 2 + 5
    assert "was deleted successfully" in delete(admin, "classifier", classifier)
    assert not Classifier.objects.exists() and files(home) == before


def test_a_cross_validation_goes_with_its_folds_and_figures(admin, home):
    classifier = judged_classifier()
    validation = cross_validation(classifier)
    finish_folds(validation, classifier)
    before = files(home)
    figures.make("folds", validation)
    assert "was deleted successfully" in delete(admin, "crossvalidation", validation)
    assert not CrossValidation.objects.exists() and files(home) == before and Classifier.objects.exists()


def test_nothing_is_half_deleted_when_one_of_several_fails(admin, home, monkeypatch):
    rows = [small_dataset(name=name, n=4) for name in ("one", "two")]
    before, real, calls = files(home), deletion.delete_dataset, []

    def second_fails(*, dataset):
        calls.append(dataset)
        if len(calls) == 2:
            raise RuntimeError("the database went away")
        real(dataset=dataset)

    monkeypatch.setattr(deletion, "delete_dataset", second_fails)
    with pytest.raises(RuntimeError):
        delete(admin, "dataset", *rows)
    assert len(calls) == 2 and Dataset.objects.count() == 2 and Patch.objects.count() == 8 and files(home) == before


def test_a_file_that_is_gone_already_does_not_keep_a_row(admin, home):
    dataset = small_dataset(name="gone", n=4)
    default_storage.delete(dataset.patches.first().image.name)
    assert "was deleted successfully" in delete(admin, "dataset", dataset)
    assert not Dataset.objects.exists() and files(home) == set()
