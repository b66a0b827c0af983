"""Galleries and sets of pairs in Chromium: every picture is painted, nothing is cut off, axe finds nothing."""

import pytest
from django.core.management import call_command

from attacks import figures, gallery
from attacks.models import PairSet
from core.models import User
from jobs.models import Job
from tests import factories
from tests.attacks.pair_files import pair_folder
from tests.browser.conftest import no_fault, sign_in
from tests.model.judged import cross_validation, finish_folds, judged_classifier
from tests.pool import attacked_pool


@pytest.mark.parametrize("width", [1280, 640])
def test_every_picture_is_painted_and_axe_finds_nothing(window, transactional_db, tmp_path, width):
    factories.user("ora", User.Role.RESEARCHER)
    attack, classifier = attacked_pool(size=48), judged_classifier()
    validation = cross_validation(classifier)
    finish_folds(validation, classifier)
    call_command("import_pairs", pair_folder(tmp_path), name="jpeg")
    page = window(width=width)
    sign_in(page, "ora")
    Job.objects.create(
        kind="figure", title="ROC curve", code_version="t", state="queued",
        arguments={"name": "roc", "of": "classifier", "pk": classifier.pk},
    )  # fmt: skip
    assert page.goto(f"/figures/classifier/{classifier.pk}/").status == 200
    assert page.get_by_role("button", name="Draw").count() == 4 and page.locator("progress").count() == 1
    no_fault(page)
    for subject in (classifier, validation, attack):
        for recipe in gallery.figures_of(subject):
            if recipe.name not in ("embedding", "saliency"):  # these need the network
                figures.make(recipe.name, subject)
    for address, pictures in (
        (f"/attacks/{attack.pk}/", 40),
        (f"/attacks/{attack.pk}/patches/", 1),
        (f"/classifiers/{classifier.pk}/", 0),
        (f"/classifiers/{attack.classifier_id}/curves/", 0),
        (f"/figures/classifier/{classifier.pk}/", 4),
        (f"/figures/cross-validation/{validation.pk}/", 5),
        (f"/figures/attack/{attack.pk}/", 1),
        ("/pairs/new/", 0),
        (f"/pairs/{PairSet.objects.get().pk}/", 6),
    ):
        assert page.goto(address).status == 200, address
        for image in page.locator("main img").all():
            image.scroll_into_view_if_needed()
            page.wait_for_function("image => image.complete && image.naturalWidth > 40", arg=image.element_handle())
        assert page.locator("main img").count() >= pictures, address
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address
        no_fault(page)
