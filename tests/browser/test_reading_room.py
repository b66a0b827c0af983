"""What a reader does at the keyboard, and what the page does about trouble."""

import io

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from study.models import Presentation, Response, Study
from study.protocol import life as services
from tests import factories
from tests.browser.conftest import at_position, enter_room, follow, sign_in, wait_ready

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE = 60_000


@pytest.fixture
def room(window):
    def enter(**options):
        study = factories.open_study(**({"cases": 3, "copies": 1, "size": 32} | options))
        page = window()
        sign_in(page)
        enter_room(page)
        return study, page

    return enter


def answers() -> list[tuple]:
    return list(Response.objects.order_by("presentation__position", "revision").values_list("answer", "revision"))


def test_the_last_answer_is_changed_with_the_arrow_key(room):
    _, page = room()
    page.keyboard.press("t")
    at_position(page, 2)
    page.keyboard.press("ArrowLeft")
    at_position(page, 1)
    assert page.get_attribute("button.earlier", "value") == "tumour"
    assert "earlier answer is marked" in page.text_content("#status")
    page.keyboard.press("n")
    at_position(page, 2)
    page.keyboard.press("ArrowLeft")
    at_position(page, 1)
    page.keyboard.press("ArrowRight")
    at_position(page, 2)
    assert answers() == [("tumour", 1), ("no_tumour", 2)]


def test_questions_are_answered_by_keys_and_the_last_one_saves(room):
    _, page = room(questions=["confidence", "perturbed_response"])
    page.keyboard.press("n")
    page.keyboard.press("Enter")
    assert "how sure you are, whether it was altered" in page.text_content("#status")
    page.keyboard.press("4")
    page.keyboard.press("y")
    at_position(page, 2)
    response = Response.objects.get()
    assert (response.answer, response.confidence, response.perturbed_response) == ("no_tumour", 4, True)


@pytest.mark.parametrize("questions", [[], ["confidence"], ["confidence", "note"]], ids=["label", "keys", "all"])
@pytest.mark.parametrize("by", ["keys", "mouse"])
def test_every_image_begins_with_the_same_frame(room, questions, by):
    """Nothing of the answer before it: no ring, no focus on which Space or Enter would answer alike."""
    _, page = room(questions=questions)
    frames = []
    for position in range(1, 5):
        at_position(page, position)
        assert page.evaluate("document.activeElement.closest('#answer-form') === null")
        assert page.locator("input:checked, .earlier").count() == 0
        if position > 1:  # before the first there is nothing to go back to
            counters = [page.locator(name) for name in ("#stage", ".bar .progress", "#status")]
            frames.append(pixels(page.screenshot(mask=counters, animations="disabled")))
        page.keyboard.press("Space")
        assert Response.objects.count() == position - 1
        answer_by(page, by, questions)
    for frame in frames[1:]:  # a mark of any kind is plain to see; letters are drawn with a shade more or less
        assert np.abs(frame - frames[0]).max() < 64


def pixels(screenshot: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(screenshot)).convert("RGB"), int)


def answer_by(page, by: str, questions: list[str]) -> None:
    if by == "keys":
        for key in ["t", *("4" for name in questions if name == "confidence")]:
            page.keyboard.press(key)
        if "note" in questions:
            page.keyboard.press("Enter")
        return
    if not questions:
        page.click("button[value=tumour]")
        return
    page.click("label:has(input[value=tumour])")
    page.click("label:has(input[name=confidence][value='4'])")
    if "note" in questions:
        page.click("#save")


def test_what_is_wrong_with_an_answer_is_said_beside_its_question_and_in_view(room):
    _, page = room(questions=["confidence", "perturbed_response", "tumour_cell_count", "note"])
    page.keyboard.press("t")
    page.keyboard.press("4")
    page.fill("input[name=tumour_cell_count]", "99999")
    page.click("#save")
    missing, wrong = page.locator("#error-perturbed_response"), page.locator("#error-tumour_cell_count")
    expect(missing).to_be_in_viewport(ratio=1)
    page.keyboard.press("Escape")
    page.click("label:has(input[name=perturbed_response][value=false])")
    page.click("#save")
    expect(wrong).to_contain_text("10000")
    expect(wrong).not_to_contain_text("tumour_cell_count")
    expect(wrong).to_be_in_viewport(ratio=1)
    expect(page.locator("#save")).to_be_in_viewport(ratio=1)
    expect(missing).to_be_hidden()


def test_an_alternating_pair_is_switched_by_a_button_and_says_which_is_shown(room):
    _, page = room(task="pair", pair_display="alternating")
    expect(page.locator("#which")).to_have_text("First shown")
    page.click("#other")
    expect(page.locator("#which")).to_have_text("Second shown")
    page.keyboard.press("Space")
    expect(page.locator("#which")).to_have_text("First shown")
    page.keyboard.press("Space")
    page.keyboard.press("s")
    at_position(page, 2)
    expect(page.locator("#which")).to_have_text("First shown")
    assert Response.objects.get().viewing["alternations"] == 3


def test_the_key_that_pauses_goes_on_again(room):
    _, page = room()
    page.keyboard.press("p")
    page.wait_for_selector("#pause-dialog[open]")
    page.keyboard.press("p")
    page.wait_for_selector("#pause-dialog:not([open])", state="attached")
    assert page.is_visible("#first")


def test_the_magnifier_uses_the_whole_stage(room):
    _, page = room(size=64)
    stage = page.locator("#stage").bounding_box()
    for _ in range(7):
        page.keyboard.press("+")
    expect(page.locator("#factor")).to_have_text("8×")
    magnified = page.locator("#first").bounding_box()
    assert magnified["height"] > 0.9 * stage["height"]
    assert magnified["width"] > 0.9 * stage["width"]


def test_a_count_and_a_note_are_typed_and_enter_saves(room):
    _, page = room(questions=["tumour_cell_count", "note"])
    page.keyboard.press("t")
    page.fill("input[name=tumour_cell_count]", "12")
    page.fill("textarea[name=note]", "tn 1: crush artefact")
    page.click("#save")
    at_position(page, 2)
    response = Response.objects.get()
    assert (response.tumour_cell_count, response.note) == (12, "tn 1: crush artefact")
    assert page.input_value("textarea[name=note]") == ""


def test_a_click_too_many_does_not_answer_the_next_image(room):
    _, page = room()
    page.dblclick("button[value=tumour]")
    at_position(page, 2)
    assert answers() == [("tumour", 1)]


def test_two_windows_give_one_answer_and_the_second_catches_up(room):
    _, first = room()
    second = first.context.new_page()
    second.goto("/reading/study/small/read/")
    wait_ready(second)
    first.keyboard.press("t")
    at_position(first, 2)
    second.keyboard.press("n")
    told = second.locator("#notice-dialog[open]")
    expect(told).to_contain_text("The answer just sent was not used")
    second.keyboard.press("n")  # what is not acknowledged stays
    second.wait_for_timeout(500)
    expect(told).to_be_visible()
    second.keyboard.press("Enter")
    at_position(second, 2)
    assert answers() == [("tumour", 1)]


def test_without_a_network_the_answer_waits_in_the_browser(room):
    _, page = room()
    page.context.set_offline(True)
    page.keyboard.press("t")
    page.wait_for_selector("#banner:not([hidden])")
    assert page.text_content("#position").strip() == "1"
    assert not answers()
    page.context.set_offline(False)
    page.evaluate("document.querySelector('#retry').click()")  # the page may retry by itself meanwhile
    at_position(page, 2)
    assert answers() == [("tumour", 1)]
    assert page.is_hidden("#banner")


def test_an_answer_kept_in_a_closed_window_is_sent_at_the_next_visit(room):
    _, page = room()
    page.context.set_offline(True)
    page.keyboard.press("n")
    page.wait_for_selector("#banner:not([hidden])")
    page.close(run_before_unload=False)
    context = page.context
    context.set_offline(False)
    page = context.new_page()
    page.goto("/reading/study/small/read/")
    at_position(page, 2)
    assert answers() == [("no_tumour", 1)]


def test_an_ended_session_is_renewed_in_place(room):
    _, page = room()
    page.context.clear_cookies(name="sessionid")
    page.keyboard.press("t")
    page.wait_for_selector("#sign-in-dialog[open]")
    page.fill("#sign-in-form [name=password]", "not the password")
    page.keyboard.press("Enter")
    page.wait_for_selector("#sign-in-error:not([hidden])")
    page.fill("#sign-in-form [name=password]", factories.PASSWORD)
    page.keyboard.press("Enter")
    at_position(page, 2)
    for position in (3, 4, 5, 6):
        page.keyboard.press("t")
        at_position(page, position)
    page.keyboard.press("t")
    page.wait_for_selector("#done:not([hidden])")
    page.click("#finish")
    page.wait_for_url("**/study/small/")
    assert answers() == [("tumour", 1)] * 6


def test_a_study_closed_meanwhile_sends_the_reader_to_its_page(room):
    study, page = room()
    services.close_study(study=Study.objects.get(pk=study.pk), actor="test")
    page.keyboard.press("t")
    page.wait_for_selector("#notice-dialog[open]")
    page.keyboard.press("Enter")
    page.wait_for_url("**/study/small/")
    assert "closed" in page.text_content("main")
    assert not answers()


def test_a_pause_covers_the_image_and_does_not_count(room):
    _, page = room()
    page.keyboard.press("p")
    page.wait_for_selector("#pause-dialog[open]")
    assert page.is_hidden("#first")
    page.wait_for_timeout(600)
    page.keyboard.press("t")
    page.keyboard.press("Enter")
    assert page.is_visible("#first")
    page.keyboard.press("t")
    at_position(page, 2)
    response = Response.objects.get()
    assert response.focus_lost_ms >= 550
    passed = (response.answered_at - response.shown_at).total_seconds() * 1000
    assert response.rt_ms + response.focus_lost_ms == pytest.approx(passed, abs=30)


def test_a_break_is_offered(room):
    _, page = room(break_every=2)
    page.keyboard.press("t")
    at_position(page, 2)
    page.keyboard.press("t")
    page.wait_for_selector("#break-dialog[open]")
    page.keyboard.press("Enter")
    at_position(page, 3)


def test_the_next_image_is_fetched_ahead_but_not_shown(window):
    factories.open_study(cases=3, copies=1, size=32)
    asked = []
    page = window()
    page.on("request", lambda request: asked.append(request.url.rsplit("/", 1)[-1]))
    sign_in(page)
    enter_room(page)
    page.wait_for_load_state("networkidle")
    tokens = list(Presentation.objects.order_by("position").values_list("token", flat=True))
    assert [token for token in tokens if token in asked] == tokens[:2]
    assert tokens[1] not in page.content()


def test_the_labelling_task_works_without_javascript(window):
    factories.open_study(cases=2, copies=1, size=32, min_gap=1)
    page = window(java_script_enabled=False)
    sign_in(page)
    page.goto("/reading/study/small/viewing/")
    follow(page, "#viewing button[type=submit]")
    follow(page, "a[role=button]")
    for position in range(1, 5):
        expect(page.locator("#position")).to_have_text(str(position), timeout=PATIENCE)
        picture = page.locator("img.patch")
        expect(picture).to_be_visible(timeout=PATIENCE)
        box = picture.bounding_box()
        assert (box["width"], box["height"]) == (64, 64)  # 32 patch pixels at 2:1, before a byte of it has come
        page.click("button[value=tumour]")
    page.click("#finish")
    page.wait_for_url("**/study/small/")
    assert answers() == [("tumour", 1)] * 4
