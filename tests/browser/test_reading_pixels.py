"""What is painted is what is stored: every patch pixel, at every device scale, as a square of whole device pixels."""

import io

import numpy as np
import pytest
from PIL import Image

from study.models import Presentation
from tests import factories
from tests.browser.conftest import at_position, enter_room, sign_in

pytestmark = pytest.mark.django_db(transaction=True)


def stored(image) -> np.ndarray:
    with image.open("rb") as file:
        return np.asarray(Image.open(io.BytesIO(file.read())).convert("RGB"))


def painted(page, selector: str, size: int = 448) -> np.ndarray:
    """The image in the middle of its canvas, as it stands in a screenshot: device pixels, (size, size, 3) uint8."""
    box = page.eval_on_selector(
        selector,
        "c => { const b = c.getBoundingClientRect(), r = devicePixelRatio;"
        " return [b.left * r, b.top * r, b.width * r, b.height * r, c.width, c.height]; }",
    )
    left, top, width, height = (round(value) for value in box[:4])
    assert np.allclose(box[:4], (left, top, width, height), atol=1e-3), "the canvas is not on whole device pixels"
    assert [width, height] == box[4:], "the canvas has not one pixel per device pixel"
    left, top = left + (width - size) // 2, top + (height - size) // 2
    shot = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))
    return shot[top : top + size, left : left + size]


def enlarged(pixels: np.ndarray, k: int) -> np.ndarray:
    return pixels.repeat(k, axis=0).repeat(k, axis=1)


@pytest.mark.parametrize("ratio", [1, 1.1, 1.5, 2])
def test_every_patch_pixel_is_painted_as_it_is_stored(window, ratio):
    factories.open_study(cases=2, copies=1, size=224, min_gap=1, scale=2)
    page = window(scale=ratio)
    sign_in(page)
    enter_room(page)
    rows = Presentation.objects.order_by("position")
    for row in rows[:2]:
        expected = enlarged(stored(row.stimulus.image), 2)
        np.testing.assert_array_equal(painted(page, "#first"), expected)
        page.keyboard.press("t")
        at_position(page, row.position + 1)


def test_a_window_that_is_too_small_gets_a_smaller_whole_scale_and_says_so(window):
    factories.open_study(cases=2, copies=1, size=224, min_gap=1, scale=3)
    page = window(width=1000, height=600)
    sign_in(page)
    enter_room(page)
    row = Presentation.objects.get(position=1)
    np.testing.assert_array_equal(painted(page, "#first"), enlarged(stored(row.stimulus.image), 2))
    assert "2 to 1 instead of 3 to 1" in page.text_content("#scale-note")
    page.keyboard.press("t")
    at_position(page, 2)
    assert row.responses.get().viewing["scale"] == 2


def test_the_magnifier_enlarges_in_whole_steps_and_is_recorded(window):
    factories.open_study(cases=2, copies=1, size=64, min_gap=1, scale=2)
    page = window()
    sign_in(page)
    enter_room(page)
    page.keyboard.press("+")
    row = Presentation.objects.get(position=1)
    middle = stored(row.stimulus.image)[16:48, 16:48]
    np.testing.assert_array_equal(painted(page, "#first", 128), enlarged(middle, 4))
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("-")
    np.testing.assert_array_equal(painted(page, "#first", 128), enlarged(stored(row.stimulus.image), 2))
    page.keyboard.press("n")
    at_position(page, 2)
    viewing = row.responses.get().viewing
    assert (viewing["magnifier_steps"], viewing["magnifier_max"]) == (2, 2)


def test_both_of_a_pair_are_painted_as_they_are_stored(window):
    factories.open_study(cases=2, copies=1, size=224, min_gap=1, task="pair")
    page = window(scale=1.5)
    sign_in(page)
    enter_room(page)
    row = Presentation.objects.get(position=1)
    np.testing.assert_array_equal(painted(page, "#first"), enlarged(stored(row.stimulus.image), 2))
    np.testing.assert_array_equal(painted(page, "#second"), enlarged(stored(row.second.image), 2))


def test_a_pair_in_one_place_alternates_at_a_key(window):
    factories.open_study(cases=2, copies=1, size=64, min_gap=1, task="pair", pair_display="alternating")
    page = window()
    sign_in(page)
    enter_room(page)
    row = Presentation.objects.get(position=1)
    np.testing.assert_array_equal(painted(page, "#first", 128), enlarged(stored(row.stimulus.image), 2))
    page.keyboard.press(" ")
    np.testing.assert_array_equal(painted(page, "#first", 128), enlarged(stored(row.second.image), 2))
    page.keyboard.press("s")
    at_position(page, 2)
    response = row.responses.get()
    assert (response.answer, response.viewing["alternations"]) == ("second", 1)


@pytest.mark.parametrize(
    ("width", "height", "scale", "options"),
    [(1920, 1080, 3, {"task": "pair"}), (2560, 1440, 6, {})],
)
def test_the_room_keeps_what_the_viewing_check_promised_of_a_large_screen(window, width, height, scale, options):
    factories.open_study(cases=2, copies=1, size=224, min_gap=1, scale=scale, **options)
    page = window(width=width, height=height)
    sign_in(page)
    page.goto("/reading/study/small/viewing/")
    assert f"{scale} to 1" in page.text_content("#verdict.right")
    enter_room(page)
    assert page.is_hidden("#scale-note"), page.text_content("#scale-note")
