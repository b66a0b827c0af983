"""Galleries and sets of pairs in Chromium: every picture is painted, nothing is cut off, axe finds nothing."""

import hashlib

import pytest
from django.core.management import call_command

from attacks.models import Attack, PairSet
from core.models import User
from tests import factories
from tests.attacks.pair_files import pair_folder
from tests.browser.conftest import no_fault, sign_in
from tests.model.judged import cross_validation, finish_folds, judged_classifier
from tests.pool import attacked_pool


def pool_with_hashes() -> Attack:
    """Its pairs are drawn from images whose SHA-256 is checked."""
    attack = attacked_pool()
    for row in attack.perturbations.all():
        row.sha256 = hashlib.sha256(row.image.open().read()).hexdigest()
        row.save()
    return attack


@pytest.mark.parametrize("width", [1280, 640])
def test_every_picture_is_painted_and_axe_finds_nothing(window, transactional_db, tmp_path, width):
    factories.user("ora", User.Role.RESEARCHER)
    attack, classifier = pool_with_hashes(), judged_classifier()
    validation = cross_validation(classifier)
    finish_folds(validation, classifier)
    call_command("import_pairs", pair_folder(tmp_path), name="jpeg")
    page = window(width=width)
    sign_in(page, "ora")
    for address, pictures in (
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
