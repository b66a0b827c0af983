"""Words that misled people and were replaced: none of them comes back into a page."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
REPLACED = (
    r"\bOffice\b", "Mind when reading", "Sight or criterion", "model[’']s case", "From invitation to analysis",
    "Pair by pair", "What it could show", r">\s*Chance\b", "Stands at", "At work", r">\s*(Asked for|Done)\s*<",
    r">\s*Called\s*<", "Make a link", "Link holds", "Take it back", "paper[’']s letter", "so many workers",
    r">\s*(Newer|Older|Smaller|Larger)\s*<", r"\bGo on\b", "by the reference", "stands in the flow", "is read</",
    "the two entries", r"\ba attack\b", r"\bPw\.py\b",
)  # fmt: skip


@pytest.mark.parametrize("word", REPLACED)
def test_a_replaced_word_stands_on_no_page(word):
    found = [path.relative_to(ROOT) for path in TEMPLATES if re.search(word, path.read_text(encoding="utf-8"))]
    assert not found
