"""Every language keeps every page of a reader within its layout, in a window of 1280 x 720 and on a phone."""

import os
import re
from pathlib import Path

import pytest
from django.conf import settings
from playwright.sync_api import expect

from study.models import ReadingSession
from study.protocol.readers import invite
from tests import factories
from tests.browser.conftest import follow, no_fault, pass_viewing_check, wait_ready

pytestmark = pytest.mark.django_db(transaction=True)

EVERYTHING = ["confidence", "perturbed_response", "tumour_cell_count", "note"]
SIZES = {"window": (1280, 720, {}), "phone": (390, 844, {"has_touch": True, "is_mobile": True})}
if os.environ.get("SCREENSHOTS"):  # to be looked at
    SIZES |= {"wide": (1920, 1080, {}), "tablet": (820, 1180, {"has_touch": True})}
CUT_OFF = """() => {
  const visible = { visibilityProperty: true };
  const seen = (element) => element.checkVisibility(visible) && !element.closest(".for-readers, .skip");
  const kinds = "button, a, legend, label, .choice span, kbd, h1, h2, p, dt, dd, th, td, summary";
  const cutOff = (element) => {
    const box = element.getBoundingClientRect();
    const shortened = getComputedStyle(element).overflowX === "hidden"; // such as a long name, on purpose
    const spills = element.clientWidth > 0 && element.scrollWidth > element.clientWidth + 1;
    return box.right > innerWidth + 1 || box.left < -1 || (spills && !shortened);
  };
  const name = (element) => `${element.tagName} ${element.textContent.trim().slice(0, 40)}`;
  const wide = document.documentElement.scrollWidth;
  const across = wide > innerWidth ? [`the page is ${wide} wide`] : [];
  return [...across, ...[...document.querySelectorAll(kinds)].filter(seen).filter(cutOff).map(name)];
}"""
"""What stands beyond the window's edge, or is wider than the box that it stands in."""


def wrong_with(page, name: str, language: str) -> list[str]:
    if folder := os.environ.get("SCREENSHOTS"):
        width = page.viewport_size["width"]
        page.screenshot(path=Path(folder) / f"{name}-{width}-{language}.png", full_page=True)
    assert page.get_attribute("html", "lang") == language
    return [f"{name}: {wrong}" for wrong in page.evaluate(CUT_OFF)]


def whole(page, name: str, language: str) -> None:
    assert wrong_with(page, name, language) == []


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("language", [code for code, _ in settings.LANGUAGES])
def test_a_reader_goes_the_whole_way_in_their_language(window, language, size):
    width, height, options = SIZES[size]
    study = factories.open_study(
        cases=2, copies=2, size=64, min_gap=1, ready=False, questions=EVERYTHING, tell_altered=True, washout_hours=336,
        contact="study@example.org", scale=4,
    )  # fmt: skip
    _, secret = invite(study=study, username="newcomer", actor="office")
    page = window(width=width, height=height, **options)

    wrong = []

    def look(name: str) -> None:
        wrong.extend(wrong_with(page, name, language))

    page.goto("/sign-in/")
    follow(page, f".languages button[value={language}]")
    look("sign-in")
    page.goto("/password/forgotten/")
    look("forgotten")
    page.goto(f"/reading/join/#{secret}")
    page.wait_for_selector("[name=password]")
    look("join")
    page.goto(f"/reading/join/#{'x' * 43}")
    page.wait_for_selector("[name=password]", state="detached")
    look("join-gone")
    page.goto("/sign-in/")
    page.fill("input[name=username]", "reader")
    page.fill("input[name=password]", factories.PASSWORD)
    follow(page, "article form button")
    for name in ("", "help/", "about/", "stored/"):
        page.goto(f"/reading/{name}")
        look(f"reading-{name.strip('/') or 'home'}")
    page.goto("/reading/study/small/")
    look("study")
    follow(page, "a[role=button]")
    look("consent")
    page.check("input[name=agree]")
    follow(page, ".page form button[type=submit]")
    look("instructions")
    follow(page, "a[role=button]")
    page.check("input[name=pattern][value=no]")
    look("viewing")
    pass_viewing_check(page)
    look("practice")
    page.click("label:has(input[value=tumour])")
    page.click("label:has(input[name=confidence][value='3'])")
    page.click("label:has(input[name=perturbed_response][value=false])")
    follow(page, "#save")
    look("feedback")
    follow(page, ".skip-practice")
    follow(page, "a[role=button]")
    wait_ready(page)
    look("room")
    page.click("#save")
    look("room-missing")
    expect(page.locator("#save")).to_be_in_viewport(ratio=1)  # how to save stays in sight
    page.click("#pause")
    look("pause")
    page.click("#pause-dialog button")
    for position in (1, 2, 3, 4):
        page.click("label:has(input[value=tumour])")
        page.click("label:has(input[name=confidence][value='3'])")
        page.click("label:has(input[name=perturbed_response][value=false])")
        page.click("#save")
        if position < 4:
            page.wait_for_function(
                "n => document.getElementById('position').textContent.trim() == n", arg=str(position + 1)
            )
            wait_ready(page)
    page.wait_for_selector("#done:not([hidden])")
    look("done")
    follow(page, "#finish")
    look("washout")
    assert wrong == []
    assert set(ReadingSession.objects.values_list("language", flat=True)) == {language}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("language", [code for code, _ in settings.LANGUAGES])
@pytest.mark.parametrize("display", ["side", "alternating"])
def test_a_pair_fits_in_every_language(window, language, size, display):
    width, height, options = SIZES[size]
    factories.open_study(
        cases=2, copies=1, size=64, min_gap=1, task="pair", pair_display=display, questions=["confidence"]
    )
    page = window(width=width, height=height, **options)
    page.goto("/sign-in/")
    follow(page, f".languages button[value={language}]")
    page.fill("input[name=username]", "reader")
    page.fill("input[name=password]", factories.PASSWORD)
    follow(page, "article form button")
    page.goto("/reading/study/small/instructions/")
    whole(page, f"pair-{display}-instructions", language)
    page.goto("/reading/study/small/viewing/")
    pass_viewing_check(page)
    follow(page, "a[role=button]")
    wait_ready(page)
    whole(page, f"pair-{display}", language)


def test_the_last_questions_fit_and_a_changed_language_begins_a_new_session(window):
    study = factories.open_study(cases=1, copies=1, size=32, min_gap=1)
    page = window()
    page.goto("/sign-in/")
    follow(page, ".languages button[value=de]")
    page.fill("input[name=username]", "reader")
    page.fill("input[name=password]", factories.PASSWORD)
    follow(page, "article form button")
    page.goto("/reading/study/small/viewing/")
    pass_viewing_check(page)
    follow(page, ".languages button[value=fr]")
    page.goto("/reading/study/small/read/")
    assert page.url.endswith("/viewing/"), "the page of another language is another session"
    pass_viewing_check(page)
    follow(page, "a[role=button]")
    wait_ready(page)
    for position in ("2", None):
        page.keyboard.press("t")
        if position:
            page.wait_for_function("n => document.getElementById('position').textContent.trim() == n", arg=position)
            wait_ready(page)
    page.wait_for_selector("#done:not([hidden])")
    follow(page, "#finish")
    follow(page, "a[role=button]")
    for language in ("de", "fr", "es", "zh-hans", "en-gb"):
        follow(page, f".languages button[value={language}]")
        whole(page, "questionnaire", language)
    no_fault(page, "questionnaire with languages")
    assert list(ReadingSession.objects.values_list("language", flat=True)) == ["de", "fr"]
    assert re.search("Tumour", study.criterion)
