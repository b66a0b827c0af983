"""Keys answer on every keyboard: other letters, other signs on the digits, an input method that takes the key."""

import pytest

from tests import factories
from tests.browser.conftest import at_position, enter_room, sign_in

pytestmark = pytest.mark.django_db(transaction=True)

PRESSED = {
    "Latin": ("t", "KeyT", "answer=tumour"),
    "Latin capital": ("T", "KeyT", "answer=tumour"),
    "AZERTY letter, elsewhere": ("n", "KeyN", "answer=no_tumour"),
    "Dvorak t": ("t", "KeyK", "answer=tumour"),
    "Russian": ("е", "KeyT", "answer=tumour"),
    "Russian n": ("т", "KeyN", "answer=no_tumour"),
    "Greek": ("τ", "KeyT", "answer=tumour"),
    "Arabic": ("ف", "KeyT", "answer=tumour"),
    "Korean": ("ㅅ", "KeyT", "answer=tumour"),
    "Japanese input method": ("Process", "KeyT", "answer=tumour"),
    "dead key": ("Dead", "KeyN", "answer=no_tumour"),
    "French 1": ("&", "Digit1", "confidence=1"),
    "French 2": ("é", "Digit2", "confidence=2"),
    "Czech 1": ("+", "Digit1", "confidence=1"),
    "Czech 4": ("č", "Digit4", "confidence=4"),
    "Arabic 3": ("٣", "Digit3", "confidence=3"),
    "full-width 5": ("５", "Digit5", "confidence=5"),
    "number pad": ("5", "Numpad5", "confidence=5"),
    "Hebrew": ("א", "KeyT", "answer=tumour"),
    "input method, digit": ("Process", "Digit2", "confidence=2"),
}
NOTHING = {
    "German z, where y is printed elsewhere": ("z", "KeyY"),
    "arrow on the number pad": ("End", "Numpad1"),
    "no code at all": ("е", ""),
    "Swiss plus": ("+", "Digit1", True),
}
PRESS = """([key, code, shiftKey = false]) => {
  document.querySelectorAll("#answer-form input[type=radio]").forEach((e) => { e.checked = false; });
  document.body.dispatchEvent(new KeyboardEvent("keydown", { key, code, shiftKey, bubbles: true, cancelable: true }));
  return [...document.querySelectorAll("#answer-form input:checked")].map((e) => `${e.name}=${e.value}`).join();
}"""

COUNT = """() => {
  window.larger = 0;
  document.getElementById("larger").addEventListener("click", () => { window.larger += 1; });
}"""


def test_keys_answer_whatever_is_printed_on_them(window):
    factories.open_study(questions=["confidence"])
    page = window()
    sign_in(page)
    enter_room(page)
    found = {name: page.evaluate(PRESS, [key, code]) for name, (key, code, _) in PRESSED.items()}
    assert found == {name: wanted for name, (*_, wanted) in PRESSED.items()}
    assert {name: page.evaluate(PRESS, list(keys)) for name, keys in NOTHING.items()} == dict.fromkeys(NOTHING, "")
    assert page.evaluate("document.getElementById('position').textContent.trim()") == "1"


def test_a_key_presses_a_button_and_magnifies_where_no_question_wants_it(window):
    factories.open_study()
    page = window()
    sign_in(page)
    enter_room(page)
    page.evaluate(COUNT)
    for key, code in (("+", "Digit1"), ("+", "BracketRight"), ("=", "Equal"), ("+", "NumpadAdd")):
        page.evaluate(PRESS, [key, code])
    assert page.evaluate("window.larger") == 4
    page.evaluate(PRESS, ["т", "KeyN"])
    at_position(page, 2)
