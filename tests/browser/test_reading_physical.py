"""How large things are: a bank card held against the screen, the distance, and a scale bar of the tissue."""

import pytest

from study.models import ReadingSession, Response
from tests import factories, ladders
from tests.browser.conftest import at_position, enter_room, follow, no_fault, sign_in, wait_ready

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


def calibrated(page, *, pixels_per_mm: float) -> None:
    """Hold the card against a screen of so many page pixels per millimetre."""
    page.goto("/reading/study/small/viewing/")
    page.locator("#card-width").fill(str(round(85.6 * pixels_per_mm)))
    page.check("#card-fits")
    page.check("input[name=pattern][value=yes]")


@pytest.mark.parametrize(
    ("ratio", "wanted", "scale", "shown"), [(1, 30, 2, 25.6), (1.5, 30, 4, 34.13), (1, 5, 1, 12.8)]
)
def test_a_size_in_millimetres_is_met_by_the_nearest_whole_scale(window, ratio, wanted, scale, shown):
    factories.open_study(size=64, scale=3, size_mm=wanted)
    page = window(scale=ratio)
    sign_in(page)
    calibrated(page, pixels_per_mm=5)
    assert page.text_content("#size-mm") == f"{shown:.1f} mm"
    no_fault(page, "viewing-size")
    follow(page, "#viewing button[type=submit]")
    follow(page, "a[role=button]")  # Start
    wait_ready(page)
    drawn = page.locator("#first").evaluate("canvas => [canvas.width, canvas.height]")
    assert drawn == pytest.approx([64 * scale, 64 * scale], abs=2)  # to the next whole page pixels of the screen
    page.keyboard.press("t")
    at_position(page, 2)
    for viewing in (ReadingSession.objects.get().viewing, Response.objects.get().viewing):
        assert (viewing["scale"], viewing["scale_wanted"]) == (scale, scale)
        assert viewing["size_mm"] == pytest.approx(shown, abs=0.1)


def test_who_has_no_card_says_so_and_reads_at_the_scale(window):
    factories.open_study(size=64, scale=3, size_mm=30)
    page = window()
    sign_in(page)
    page.goto("/reading/study/small/viewing/")
    page.check("input[name=pattern][value=yes]")
    page.click("#viewing button[type=submit]")
    assert page.url.endswith("/viewing/")  # one of the two must be said
    page.check("input[name=card_fits][value=no]")
    follow(page, "#viewing button[type=submit]")
    viewing = ReadingSession.objects.get().viewing
    assert viewing["scale"] == 3 and not {"pixels_per_mm", "size_mm"} & viewing.keys()


def test_a_scale_bar_is_drawn_in_a_language_with_a_decimal_comma(window):
    ladders.opened(task="bias", size=64, microns_per_pixel=0.25, scale=4)
    page = window(locale="de-DE")
    sign_in(page)
    enter_room(page)
    assert page.locator("html").get_attribute("lang") == "de"
    assert page.locator("#scale-bar").is_visible()
