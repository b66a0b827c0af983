"""The planning page in Chromium: sliders, without JavaScript, and for everybody (axe)."""

import pytest

from core.models import User
from tests import factories
from tests.browser.conftest import no_fault, sign_in

ADDRESS = "/plan/?readers=2&patches=12&sets=1&largest=100"


@pytest.fixture
def researcher_at(window, transactional_db):
    User.objects.create_user("rita", password=factories.PASSWORD, role=User.Role.RESEARCHER)

    def at(address: str, **options):
        page = window(**options)
        page.set_default_timeout(120_000)  # a plan is seconds of computing, more on a busy machine
        sign_in(page, "rita")
        page.goto(address)
        return page

    return at


def test_a_slider_calculates_anew_and_the_address_follows(researcher_at):
    page = researcher_at(ADDRESS)
    page.locator("#id_patches").press("Tab")  # focus leaves the field without a change
    slider = page.get_by_label("Positive patches, slider")
    slider.focus()
    slider.press("ArrowRight")
    assert page.input_value("#id_patches") == "13"
    page.wait_for_selector("#crossed:has-text('2 readers, 13 patches, 1 set')")
    assert "patches=13" in page.url
    assert page.text_content(".plan-status") == "Calculated."
    page.fill("#id_difference", "39")
    page.wait_for_selector(".plan-status:has-text('is not between')")
    no_fault(page)


def test_the_form_works_without_javascript(researcher_at):
    page = researcher_at(ADDRESS, java_script_enabled=False)
    assert page.locator("input[type=range]").count() == 0
    page.fill("#id_patches", "14")
    page.click("text=Calculate")
    assert page.locator("#crossed").inner_text() == "2 readers, 14 patches, 1 set"


TASKS = {
    "labelling": ADDRESS,
    "ladder": "/plan/?task=ladder&readers=3&patches=10&trials=30",
    "bias": "/plan/?task=bias&pairs=30&readers=2",
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("task", TASKS)
def test_nothing_is_cut_off_and_axe_finds_nothing(researcher_at, task, scheme):
    page = researcher_at(TASKS[task], width=1280, color_scheme=scheme)
    page.wait_for_selector("#plan-results img")
    page.locator("details summary").first.click()
    no_fault(page)
    page.set_viewport_size({"width": 480, "height": 900})
    assert page.evaluate("document.querySelector('#main').scrollWidth") <= 480
    no_fault(page)


def test_a_slider_of_a_ladder_calculates_anew_and_stays_with_the_task(researcher_at):
    page = researcher_at(TASKS["ladder"])
    page.wait_for_selector("#expected:has-text('3 readers, 10 patches, 30 pairs each')")
    page.fill("#id_readers", "2")
    page.wait_for_selector("#expected:has-text('2 readers, 10 patches, 30 pairs each')")
    assert "task=ladder" in page.url and "readers=2" in page.url
