"""axe finds nothing on any page of the reading room, in any of its states."""

import pytest

from core.models import User
from study.protocol.readers import invite
from tests import factories
from tests.browser.conftest import at_position, enter_room, follow, no_fault, pass_viewing_check, sign_in, wait_ready

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_way_to_the_room(window):
    study = factories.open_study(cases=2, copies=1, size=32, min_gap=1, ready=False, consent_text="You agree to this.")
    _, secret = invite(study=study, username="newcomer", actor="office")
    page = window()
    page.goto("/reading/join/")
    no_fault(page, "join by hand")
    page.goto(f"/reading/join/#{secret}")
    page.wait_for_selector("[name=password]")
    assert page.url.endswith("/reading/join/"), "the secret has left the address bar"
    no_fault(page, "join")
    page.goto(f"/reading/join/#{'x' * 43}")  # pasted while the first one is open
    page.wait_for_selector("text=cannot be used")
    no_fault(page, "join gone")
    page.goto("/password/forgotten/")
    no_fault(page, "password forgotten")
    page.goto("/password/new/")
    no_fault(page, "password code")
    sign_in(page)
    no_fault(page, "home")
    for address in ("/account/", "/account/password/", "/reading/stored/"):
        page.goto(address)
        no_fault(page, address)
    for name in ("", "consent/"):
        page.goto(f"/reading/study/small/{name}")
        no_fault(page, name)
    page.check("input[name=agree]")
    page.click(".page form button[type=submit]")
    page.wait_for_url("**/instructions/")
    no_fault(page, "instructions")
    page.goto("/reading/study/small/viewing/")
    no_fault(page, "viewing")
    pass_viewing_check(page)
    assert page.url.endswith("/practice/1/")
    no_fault(page, "practice")
    page.keyboard.press("n")
    page.wait_for_selector(".feedback")
    no_fault(page, "feedback")


@pytest.mark.parametrize(
    ("surroundings", "options"),
    [
        ("dark", {"questions": []}),
        ("light", {"questions": ["confidence", "perturbed_response", "tumour_cell_count", "note"]}),
        ("dark", {"questions": ["confidence"], "task": "pair"}),
        ("light", {"task": "pair", "pair_display": "alternating"}),
    ],
)
def test_the_room(window, surroundings, options):
    factories.open_study(cases=2, copies=1, size=32, min_gap=1, surroundings=surroundings, **options)
    page = window()
    sign_in(page)
    enter_room(page)
    no_fault(page, "room")
    page.keyboard.press("p")
    page.wait_for_selector("#pause-dialog[open]")
    no_fault(page, "pause")


def test_the_rooms_troubles_and_its_end(window):
    factories.open_study(cases=2, copies=1, size=32, min_gap=1)
    page = window()
    sign_in(page)
    enter_room(page)
    page.context.set_offline(True)
    page.keyboard.press("t")
    page.wait_for_selector("#banner:not([hidden])")
    no_fault(page, "offline")
    page.context.clear_cookies(name="sessionid")
    page.context.set_offline(False)
    page.wait_for_selector("#sign-in-dialog[open]")
    no_fault(page, "sign in again")
    page.fill("#sign-in-form [name=password]", factories.PASSWORD)
    page.keyboard.press("Enter")
    for position in (2, 3, 4):
        at_position(page, position)
        page.keyboard.press("t")
    page.wait_for_selector("#done:not([hidden])")
    no_fault(page, "end of the set")
    page.click("#finish")
    page.wait_for_url("**/study/small/")
    no_fault(page, "study")
    page.goto("/reading/study/small/questionnaire/")
    no_fault(page, "questionnaire")
    page.check("input[name=noticed][value=no]")
    page.check("input[name=repeats][value=yes]")
    page.click(".page form button[type=submit]")
    page.wait_for_url("**/study/small/")
    no_fault(page, "finished")


@pytest.mark.parametrize(
    ("width", "options"),
    [(1280, {"surroundings": "dark"}), (640, {"surroundings": "light", "questions": ["confidence", "note"]})],
)
def test_the_preview_with_its_mark(window, width, options):
    factories.draft_study(cases=2, copies=1, size=32, min_gap=1, **options)
    factories.user("ada", User.Role.ADMIN)
    page = window(width=width)
    sign_in(page, "ada")
    page.goto("/preview/study/small/")
    no_fault(page, "preview study")
    page.click(".preview button")
    page.wait_for_url("**/consent/")
    no_fault(page, "preview consent")
    page.check("input[name=agree]")
    page.click(".page form button[type=submit]")
    page.wait_for_url("**/instructions/")
    page.goto("/preview/study/small/viewing/")
    pass_viewing_check(page)
    no_fault(page, "preview practice")
    follow(page, ".skip-practice")
    no_fault(page, "preview start")
    follow(page, "a[role=button]")
    wait_ready(page)
    no_fault(page, "preview room")
    mark = page.locator(".preview strong")
    assert mark.is_visible() and mark.text_content() == "Preview: nothing is stored."
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.documentElement.scrollHeight <= window.innerHeight")
