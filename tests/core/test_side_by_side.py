"""Things side by side: lines are brought together, and only what was chosen is marked as different."""

from core.side_by_side import Cell, Row, compared


def test_lines_stand_in_sections_and_a_thing_without_a_line_has_a_dash():
    one = [("Found", "A", Cell("1")), ("Made", "Seed", Cell("3")), ("Made", "Norm", Cell("l2"))]
    two = [("Made", "Steps", Cell("9")), ("Made", "Seed", Cell("3")), ("Found", "B", Cell("2"))]
    sections = compared([one, two], settings=["Made"])
    assert [section.title for section in sections] == ["Found", "Made"]
    found, made = ({row.title: [cell.text for cell in row.cells] for row in section.rows} for section in sections)
    assert found == {"A": ["1", "–"], "B": ["–", "2"]}
    assert made == {"Seed": ["3", "3"], "Norm": ["l2", "–"], "Steps": ["–", "9"]}


def test_estimates_are_never_marked_and_settings_are_where_they_differ():
    cells = [Cell("1"), Cell("2")]
    assert not Row("TPF", cells, setting=False).differs
    assert Row("Margin", cells, setting=True).differs
    assert not Row("Margin", [Cell("1"), Cell("1")], setting=True).differs
