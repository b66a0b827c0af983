"""Every page of the project as a browser lays it out: in a window, at 200 % zoom, on a phone. Nothing is cut off."""

import pytest

from tests import factories, ladders
from tests.browser.conftest import at_position, enter_room, follow, pass_viewing_check, sign_in, wait_ready
from tests.web.addresses import addresses
from tests.web.cast import World

SIZES = {"a window": (1280, 720), "at 200 % zoom": (640, 360), "on a phone": (390, 844)}
WRONG = """() => {
  const wrong = [], root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) wrong.push(`the page is ${root.scrollWidth} wide`);
  const name = (element) => `${element.tagName} ${(element.textContent || element.name || "").trim().slice(0, 40)}`;
  const shown = (element) => {
    const { width, height, right } = element.getBoundingClientRect();
    return width > 0 && height > 0 && right > 0 && element.checkVisibility({ visibilityProperty: true });
  };
  for (const element of document.querySelectorAll("body *")) {
    if (!shown(element)) continue;
    const style = getComputedStyle(element);
    const cut = ["hidden", "clip"].includes(style.overflowX) && element.scrollWidth > element.clientWidth + 1;
    const field = element.matches("input, select, textarea, .for-readers, .sr-only");
    const shortened = field || style.textOverflow === "ellipsis";
    if (cut && !shortened && element.textContent) wrong.push(`cut off: ${name(element)}`);
    if (element.matches("img") && element.complete && !element.naturalWidth) wrong.push(`not painted: ${element.src}`);
    if (!element.matches("button, input:not([type=hidden]), select, textarea, summary, a[role=button]")) continue;
    const target = (element.closest("label") || element).getBoundingClientRect();
    const other = document.querySelector(`label[for="${element.id}"]`)?.getBoundingClientRect();
    const high = Math.max(target.height, other?.height || 0), wide = Math.max(target.width, other?.width || 0);
    if (high < 24 || wide < 24) wrong.push(`${Math.round(wide)} x ${Math.round(high)} pixels to hit: ${name(element)}`);
  }
  return wrong;
}"""
"""What lies beyond the window's edge or its own box, an image that is not there, a control too small for a finger."""
LEFT_OUT = ("/admin/", "/api/", "/sign-out/", "/healthz", "/preview/")
"""Django's own pages and Swagger's; no pages; and the reading pages a second time."""
STATES = ("draft", "open", "unblinded")


def pages_for(world: World, role: str) -> list[str]:
    found = []
    for address in addresses():
        of_readers = address.pattern.startswith("/reading/")
        if address.pattern.startswith(LEFT_OUT) or of_readers != (role == "reader"):
            continue
        for state in STATES if "slug" in address.arguments and not of_readers else ("open",):
            found.append(address.filled(world.values(address.pattern, address.arguments, state)))
    return list(dict.fromkeys(found))


@pytest.mark.slow
@pytest.mark.parametrize("role", ["admin", "reader"])
def test_nothing_is_cut_off_on_any_page(window, transactional_db, tmp_path, role):
    world, wrong, seen = World(tmp_path), [], 0
    page = window(has_touch=True)
    sign_in(page, role)
    for path in pages_for(world, role):
        answer = page.request.get(path, max_redirects=0)
        if answer.status != 200 or "text/html" not in answer.headers["content-type"]:
            continue
        page.goto(path)
        seen += 1
        for size, (width, height) in SIZES.items():
            page.set_viewport_size({"width": width, "height": height})
            wrong += [f"{path} {size}: {what}" for what in page.evaluate(WRONG)]
    assert not wrong, "\n".join(wrong)
    assert seen > {"admin": 70, "reader": 9}[role]


IN_SIGHT = """element => {
  const { left, top, width, height } = element.getBoundingClientRect();
  const there = document.elementFromPoint(left + width / 2, top + height / 2);
  return element.contains(there) || element.parentElement.contains(there);
}"""


@pytest.mark.parametrize(
    "display", [{}, {"task": "pair"}, {"task": "pair", "pair_display": "alternating"}, {"task": "bias"}], ids=str
)
def test_at_200_per_cent_zoom_the_answers_are_in_sight(window, transactional_db, display):
    """Also beside a note that the window is too small, and beside the button that shows the other one of a pair."""
    questions = ["confidence"] if display else ["confidence", "perturbed_response", "tumour_cell_count", "note"]
    shown = {"copies": 1, "min_gap": 1, "questions": questions}
    if display.get("task") == "bias":
        ladders.opened(size=112, scale=4, **shown, **display)
    else:
        factories.open_study(cases=2, size=224, scale=2, **shown, **display)
    page = window(width=640, height=360, scale=2)
    sign_in(page)
    enter_room(page)
    for control in page.locator("[name=answer], [name=confidence], #save, #other").all():
        assert control.evaluate(IN_SIGHT), control.evaluate("element => element.outerHTML")


def test_the_practice_can_be_skipped_without_scrolling(window, transactional_db):
    questions = ["confidence", "perturbed_response", "tumour_cell_count", "note"]
    factories.open_study(cases=2, copies=1, size=32, min_gap=1, ready=False, questions=questions)
    page = window()
    sign_in(page)
    page.goto("/reading/study/small/consent/")
    page.check("input[name=agree]")
    follow(page, ".page form button[type=submit]")
    page.goto("/reading/study/small/viewing/")
    pass_viewing_check(page)
    page.wait_for_url("**/practice/1/")
    assert page.locator(".skip-practice").evaluate(IN_SIGHT)
    follow(page, ".skip-practice")
    page.goto("/reading/study/small/read/")
    wait_ready(page)


def test_each_image_begins_with_the_first_question_in_sight(window, transactional_db):
    """Also where the form had been scrolled; what was answered is not asked for any longer; the end shows no label."""
    questions = ["confidence", "perturbed_response", "tumour_cell_count", "note"]
    options = {"task": "pair", "pair_display": "alternating", "microns_per_pixel": 0.25}
    factories.open_study(cases=2, copies=1, size=32, min_gap=1, questions=questions, **options)
    page = window(width=390, height=700, has_touch=True, is_mobile=True)
    sign_in(page)
    enter_room(page)
    for position in range(1, int(page.get_attribute("#progress", "max")) + 1):
        at_position(page, position)
        assert page.locator("[name=answer]").first.evaluate(IN_SIGHT)
        assert page.is_visible("#which") and page.is_visible("#scale-bar")
        page.tap("#save")
        assert page.locator(".error:visible").count() == 3
        for name in ("answer", "confidence", "perturbed_response"):
            page.locator(f"label:has([name={name}])").last.tap()
        assert page.locator(".error:visible").count() == 0
        page.locator("[name=note]").scroll_into_view_if_needed()
        page.tap("#save")
    page.wait_for_selector("#finish:visible")
    assert page.is_hidden("#which") and page.is_hidden("#scale-bar")
