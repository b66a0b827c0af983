"""The results page in Chromium: its figures are painted, nothing is cut off, axe finds nothing."""

import pytest

from core.models import User
from tests import factories
from tests.browser.conftest import no_fault
from tests.study.answered import answer_all, open_study_of, unblinded


@pytest.mark.parametrize("width", [1280, 480])
def test_the_results_are_painted_whole_and_axe_finds_nothing(window, transactional_db, width):
    User.objects.create_user("rita", password=factories.PASSWORD, role=User.Role.RESEARCHER)
    study = open_study_of(readers=3, positives=8, negatives=4)
    answer_all(study)
    unblinded(study)
    page = window(width=width)
    page.goto("/sign-in/")
    page.fill("input[name=username]", "rita")
    page.fill("input[name=password]", factories.PASSWORD)
    page.click("main form button[type=submit]")
    page.goto(f"/studies/{study.slug}/results/")
    painted = page.eval_on_selector_all("main img", "images => images.map(i => i.complete && i.naturalWidth > 100)")
    assert painted == [True, True]
    assert page.evaluate("document.querySelector('#main').scrollWidth") <= width
    no_fault(page)
