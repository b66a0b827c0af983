"""What a command prints for people: names and values, and tables where there are rows."""

from core.commands import JsonCommand


def test_rows_are_a_table_and_no_braces_are_printed():
    text = JsonCommand().as_text(
        {
            "classifier": "demo",
            "share": 0.123456,
            "checks": [
                {"search": "l2", "budget": 1.5, "flipped": 7, "low": None},
                {"search": "linf", "budget": 12.25, "flipped": 10},
            ],
            "attacks": {"l2": {"name": "a", "passes": {"gradient": 5}}, "linf": {"name": "bc", "passes": {}}},
            "seed": 3,
        }
    )
    assert not set("{}[]\"'") & set(text)
    assert text.splitlines() == [
        "classifier  demo",
        "share       0.1235",
        "checks",
        "  search  budget  flipped  low",
        "  l2         1.5        7    –",
        "  linf     12.25       10",
        "attacks",
        "  l2",
        "    name    a",
        "    passes",
        "      gradient  5",
        "  linf",
        "    name    bc",
        "    passes",
        "seed        3",
    ]
