"""A reader labels a whole study by keyboard, closes the window half-way and goes on."""

import pytest

from study.models import Response
from tests import factories
from tests.browser.conftest import at_position, enter_room, sign_in, wait_ready

pytestmark = pytest.mark.django_db(transaction=True)


def press_and_wait(page, key: str, position: int) -> None:
    page.keyboard.press(key)
    at_position(page, position)


def test_a_small_set_by_keyboard_with_a_closed_window_in_between(window):
    study = factories.open_study(cases=3, copies=1)
    page = window()
    sign_in(page)
    enter_room(page)
    press_and_wait(page, "t", 2)
    press_and_wait(page, "n", 3)
    state = page.context.storage_state()
    page.close()

    page = window(storage_state=state)
    page.goto("/reading/study/small/read/")
    wait_ready(page)
    assert page.text_content("#position").strip() == "3"
    for position in (4, 5, 6):
        press_and_wait(page, "t", position)
    page.keyboard.press("n")
    page.wait_for_selector("#done:not([hidden])")
    page.keyboard.press("Enter")
    page.wait_for_url("**/study/small/")

    answers = list(Response.objects.order_by("presentation__position").values_list("answer", "revision"))
    assert answers == [(a, 1) for a in ("tumour", "no_tumour", "tumour", "tumour", "tumour", "no_tumour")]
    for response in Response.objects.all():
        assert response.rt_ms > 200 and response.shown_at < response.answered_at
        assert response.viewing["scale"] == study.scale
    assert factories.assignment_of(study).sets.get().completed_at
