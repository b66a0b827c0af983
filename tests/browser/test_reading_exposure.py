"""Pairs for a limited time: after it a mask covers both, and the frames that were painted are stored."""

import pytest

from study.models import Response
from tests import ladders
from tests.browser.conftest import at_position, enter_room, sign_in

pytestmark = pytest.mark.django_db(transaction=True)

# Grey in all three channels, as no tissue is; random, as no room is.
MASKED = """() => ["first", "second"].every((id) => {
  const canvas = document.getElementById(id);
  const middle = canvas.getContext("2d").getImageData(canvas.width / 2 - 8, canvas.height / 2 - 8, 16, 16).data;
  const greys = new Set();
  for (let at = 0; at < middle.length; at += 4) {
    if (middle[at] !== middle[at + 1] || middle[at] !== middle[at + 2]) return false;
    greys.add(middle[at]);
  }
  return greys.size > 5;
})"""


def test_a_mask_covers_the_pair_after_the_exposure_and_each_pair_is_shown_anew(window):
    ladders.opened(task="bias", exposure_ms=400, size=64)
    page = window()
    sign_in(page)
    enter_room(page)
    for position in (1, 2):
        page.wait_for_function(MASKED)
        page.set_viewport_size({"width": 1280 + position, "height": 720})  # drawn again, and still masked
        page.wait_for_timeout(100)
        assert page.evaluate(MASKED)
        page.keyboard.press("l")
        at_position(page, position + 1)
    for response in Response.objects.all():
        seen = response.viewing
        assert seen["exposure_frames"] >= 1
        assert seen["exposure_ms"] >= 300  # whole frames, the nearest number of them; a busy machine paints few


def test_without_a_limit_nothing_is_masked_and_nothing_of_it_stored(window):
    ladders.opened(task="bias", size=64)
    page = window()
    sign_in(page)
    enter_room(page)
    page.wait_for_timeout(600)
    assert not page.evaluate(MASKED)
    page.keyboard.press("r")
    at_position(page, 2)
    assert "exposure_frames" not in Response.objects.get().viewing
