"""How large things are: a bank card held against the screen, the distance, and a scale bar of the tissue."""

import pytest

from study.models import ReadingSession
from tests import ladders
from tests.browser.conftest import enter_room, follow, no_fault, sign_in

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("scale", [1, 1.5])
def test_the_card_gives_device_pixels_per_millimetre(window, scale):
    ladders.opened(task="bias", size=64)
    page = window(scale=scale)
    sign_in(page)
    page.goto("/reading/study/small/viewing/")
    page.locator("#card-width").fill("428")  # as wide as a card is on a screen of 5 page pixels per millimetre
    assert page.locator("#card").bounding_box()["width"] == pytest.approx(428, abs=0.5)
    page.check("#card-fits")
    page.fill("#distance", "57")
    no_fault(page, "viewing-physical")
    page.check("input[name=pattern][value=yes]")
    follow(page, "#viewing button[type=submit]")
    viewing = ReadingSession.objects.get().viewing
    assert viewing["pixels_per_mm"] == pytest.approx(5 * scale, rel=1e-3)
    assert viewing["distance_cm"] == 57
    assert {viewing["gamut_p3"], viewing["gamut_rec2020"], viewing["high_dynamic_range"]} <= {True, False}
    assert viewing["colour_depth"] >= 24


def test_an_outline_that_was_moved_must_be_compared_again_and_nothing_need_be_measured(window):
    ladders.opened(task="bias", size=64)
    page = window()
    sign_in(page)
    page.goto("/reading/study/small/viewing/")
    page.check("#card-fits")
    page.locator("#card-width").fill("400")
    assert not page.is_checked("#card-fits")
    page.check("input[name=pattern][value=yes]")
    follow(page, "#viewing button[type=submit]")
    viewing = ReadingSession.objects.get().viewing
    assert "pixels_per_mm" not in viewing and "distance_cm" not in viewing


def test_a_scale_bar_is_as_long_as_it_says(window):
    ladders.opened(task="bias", size=64, microns_per_pixel=0.25, scale=4)
    page = window()
    sign_in(page)
    enter_room(page)
    line, text = page.locator("#scale-bar span").all()
    microns = int(text.text_content().split()[0])
    assert line.bounding_box()["width"] == pytest.approx(microns / 0.25 * 4, abs=1)
    page.keyboard.press("+")
    assert int(text.text_content().split()[0]) * 8 / 0.25 == pytest.approx(line.bounding_box()["width"], abs=1)
    no_fault(page, "room-scale-bar")
