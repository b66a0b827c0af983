"""Names as parts of an address, in any alphabet; words and differences as people write them."""

import pytest

from core.texts import heading, signed, slug_of


def test_names_in_latin_letters_have_the_address_that_they_had():
    assert slug_of("Blut & Brust 2024", word="study") == "blut-brust-2024"
    assert slug_of("Müller: Änderung", word="study") == "muller-anderung"


def test_names_in_other_alphabets_have_addresses_of_their_own():
    names = ["乳腺研究", "Исследование", "研究 2024", "肺 2024", "Größe", "Große", "тест", "x" * 61, "x" * 62]
    slugs = [slug_of(name, word="study") for name in names]
    assert len(set(slugs)) == len(names) and all(slug.isascii() and 0 < len(slug) <= 60 for slug in slugs)
    assert slugs[0].startswith("study-") and slugs[2].startswith("2024-")
    assert [slug_of(name, word="study") for name in names] == slugs


@pytest.mark.parametrize("name", ["", "!!!", " \n", "—"])
def test_a_name_without_letters_has_none(name):
    assert slug_of(name, word="study") == ""


def test_a_difference_has_its_sign_and_a_difference_of_nothing_has_none():
    assert [signed(number, 3) for number in (0.25, -0.1, 0.0, -0.0, 0.0004, -0.0004)] == [
        "+0.250", "−0.100", "0.000", "0.000", "0.000", "0.000",
    ]  # fmt: skip
    assert [signed(number, 1) for number in (10, 0.05001, 0.049)] == ["+10.0", "+0.1", "0.0"]


def test_a_change_is_headed_as_people_write_it():
    assert (heading("stain"), heading("jpeg"), heading("any of them")) == ("Stain", "JPEG", "Any of them")
