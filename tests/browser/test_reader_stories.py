"""Two pathologists read a study to its last question: one with a keyboard alone, one with a finger alone."""

import pytest

from study.models import Assignment, Response
from study.protocol.readers import invite
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


class Keyboard:
    """Somebody without a mouse: Tab moves, Enter follows and sends, Space ticks and chooses."""

    def __init__(self, page) -> None:
        self.page = page

    def tab_to(self, selector: str) -> None:
        """Press Tab until the element has the focus; fail if it is never reached, or cannot be seen to have it."""
        for _ in range(60):
            if self.page.evaluate("s => document.activeElement.matches(s)", selector):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"Tab never reaches {selector} on {self.page.url}")

    def press(self, selector: str, key: str = "Enter") -> None:
        self.tab_to(selector)
        self.page.keyboard.press(key)

    def follow(self, selector: str, key: str = "Enter") -> None:
        self.tab_to(selector)
        with self.page.expect_navigation():
            self.page.keyboard.press(key)

    def type(self, selector: str, text: str) -> None:
        self.tab_to(selector)
        self.page.keyboard.type(text)


def ready_at(page, position: int) -> None:
    page.wait_for_function("n => document.getElementById('position').textContent.trim() == n", arg=str(position))
    page.wait_for_selector('#room[data-ready="yes"]')


def test_ann_reads_with_her_keyboard_alone(window):
    study = factories.open_study(
        readers=(), cases=2, copies=1, size=32, min_gap=1, questions=["confidence", "note"], consent_text="Your part.",
    )  # fmt: skip
    _, secret = invite(study=study, username="ann", actor="office")
    page = window()
    keys = Keyboard(page)

    # The link of her invitation: she chooses a password and consents.
    page.goto(f"/reading/join/#{secret}")
    page.wait_for_selector("[name=password]")
    keys.type("[name=password]", "quiet-grey-room-7")
    keys.type("[name=again]", "quiet-grey-room-7")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.url.endswith("/consent/")
    keys.press("[name=agree]", "Space")
    keys.follow(".page form button[type=submit]")

    # Instructions and her window.
    assert "There is one set of 4 images" in page.text_content("main")
    keys.follow(".page a[role=button]")
    keys.press("[name=pattern]", "Space")
    keys.follow("#viewing button[type=submit]")

    # Practice: the keys are those of the reading.
    assert page.url.endswith("/practice/1/")
    page.wait_for_selector("canvas:not([hidden])")
    for number in (1, 2):
        page.keyboard.press("t")
        page.keyboard.press("3")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert page.is_visible(".feedback")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert page.url.endswith("/practice/2/" if number == 1 else "/small/")

    # Four images. She changes her mind once, looks closer once, and writes a note.
    keys.follow(".next a[role=button]")
    ready_at(page, 1)
    page.keyboard.press("t")
    page.keyboard.press("5")
    page.keyboard.press("Enter")
    ready_at(page, 2)
    page.keyboard.press("ArrowLeft")
    ready_at(page, 1)
    page.keyboard.press("n")
    page.keyboard.press("Enter")
    ready_at(page, 2)
    page.keyboard.press("+")
    assert page.text_content("#factor") == "2×"
    page.keyboard.press("t")
    page.keyboard.press("2")
    keys.type("[name=note]", "Crushed nuclei.")
    keys.press("#save")
    for position in (3, 4):
        ready_at(page, position)
        page.keyboard.press("n")
        page.keyboard.press("4")
        page.keyboard.press("Enter")
    page.wait_for_selector("#done:not([hidden])")
    with page.expect_navigation():
        page.keyboard.press("Enter")  # Finish set 1 has the focus

    # The last questions, and out.
    keys.follow(".next a[role=button]")
    keys.press("[name=noticed]", "Space")
    keys.press("[name=repeats]", "Space")
    keys.follow(".page form button[type=submit]")
    assert "Everything is done" in page.text_content("main")
    keys.follow(".site-head form button")

    answers = Response.objects.order_by("presentation__position", "revision")
    assert list(answers.values_list("answer", "revision")) == [
        ("tumour", 1), ("no_tumour", 2), ("tumour", 1), ("no_tumour", 1), ("no_tumour", 1)
    ]  # fmt: skip
    assert answers.get(presentation__position=2).note == "Crushed nuclei."
    assert Assignment.objects.get().questionnaire_at


def test_ben_reads_pairs_on_a_tablet_with_his_finger_alone(window):
    study = factories.open_study(
        cases=2, copies=1, size=32, min_gap=1, task="pair", pair_display="alternating", questions=["confidence"],
        ready=False, break_every=1,
    )  # fmt: skip
    page = window(width=820, height=1180, has_touch=True, is_mobile=True)

    def tap(selector: str) -> None:
        page.locator(selector).first.tap()

    def tap_on(selector: str) -> None:
        with page.expect_navigation():
            tap(selector)

    # He signs in with the tablet's own keyboard, the only thing that he types.
    page.goto("/sign-in/")
    page.fill("input[name=username]", "reader")
    page.fill("input[name=password]", factories.PASSWORD)
    tap_on("article form button")
    tap_on(".card a[role=button]")
    tap_on(".next a[role=button]")
    tap("[name=agree]")
    tap_on(".page form button[type=submit]")
    tap_on(".page a[role=button]")
    tap("input[name=pattern][value=yes]")
    tap_on("#viewing button[type=submit]")

    # Practice with pairs that anybody can tell apart.
    assert page.url.endswith("/practice/1/")
    page.wait_for_selector("canvas:not([hidden])")
    assert not any(kbd.is_visible() for kbd in page.locator("kbd").all()), "no hints of keys where there are none"
    assert page.text_content("#which") == "First shown"
    tap("#other")
    assert page.text_content("#which") == "Second shown"
    for following in ("/practice/2/", "/small/"):
        page.wait_for_selector("canvas:not([hidden])")
        tap("label:has(input[value=first])")
        tap("label:has(input[name=confidence][value='2'])")
        tap_on("#save")
        assert page.text_content(".feedback").strip() in ("Right.", "The altered one was: Second.")
        tap_on("[data-key=enter]")
        assert page.url.endswith(following)

    # Two pairs, a look at the other one each time, a rest between them, and a change of mind.
    tap_on(".next a[role=button]")
    ready_at(page, 1)
    tap("#other")
    assert page.text_content("#which") == "Second shown"
    tap("#larger")
    assert page.text_content("#factor") == "2×"
    tap("label:has(input[value=second])")
    tap("label:has(input[name=confidence][value='4'])")
    page.wait_for_selector("#break-dialog[open]")
    tap("#break-dialog button")
    ready_at(page, 2)
    tap("#back")
    ready_at(page, 1)
    tap("label:has(input[value=first])")
    tap("#save")
    ready_at(page, 2)
    tap("#pause")
    page.wait_for_selector("#pause-dialog[open]")
    tap("#pause-dialog button")
    tap("label:has(input[value=second])")
    tap("label:has(input[name=confidence][value='1'])")
    page.wait_for_selector("#done:not([hidden])")
    tap_on("#finish")
    tap_on(".next a[role=button]")
    for name, value in (("noticed", "unsure"), ("repeats", "no")):
        tap(f"input[name={name}][value={value}]")
    tap_on(".page form button[type=submit]")

    answers = Response.objects.order_by("presentation__position", "revision")
    assert list(answers.values_list("answer", "revision")) == [("second", 1), ("first", 2), ("second", 1)]
    assert answers.get(presentation__position=1, revision=1).viewing["alternations"] == 1
    assert factories.assignment_of(study).questionnaire_at
