"""What a tidy table may hold, and how it is refused by name."""

import pandas as pd
import pytest

from core.errors import InvalidInput
from study.statistics.schema import COLUMNS, REQUIRED, arm_family, data_dictionary
from study.statistics.table import check, read_csv
from tests.study.readings import simulate


def written(tmp_path, table: pd.DataFrame, **kwargs):
    path = tmp_path / "readings.csv"
    table.to_csv(path, index=False, **kwargs)
    return path


def test_the_required_columns_are_enough_and_unknown_ones_are_kept(tmp_path):
    table = simulate()
    table["microscope"] = "Zeiss"
    read = read_csv(written(tmp_path, table))
    assert list(read["microscope"].unique()) == ["Zeiss"]
    assert read["label"].tolist() == table["label"].tolist()
    assert set(REQUIRED) == {"reader_id", "patch_id", "arm", "set", "truth", "label"}


def test_copy_stands_for_set_and_names_stay_as_they_are_written(tmp_path):
    table = simulate(readers=1).rename(columns={"set": "copy"})
    table["reader_id"] = "007"
    table["arm"] = table["arm"].str.upper()
    read = read_csv(written(tmp_path, table, encoding="utf-8-sig"))
    assert read["set"].max() == 2
    assert read["reader_id"].unique().tolist() == ["007"]
    assert set(read["arm"]) == {"original", "perturbed"}


def test_a_reader_called_na_and_true_false_are_understood(tmp_path):
    table = simulate(readers=1, patches=2)
    table["reader_id"] = "NA"
    table["truth"] = "TRUE"
    table["label"] = table["label"].map({1: "yes", 0: "no"})
    read = read_csv(written(tmp_path, table))
    assert read["reader_id"].unique().tolist() == ["NA"]
    assert read["truth"].unique().tolist() == [1]


def change(column, row, value):
    def apply(table):
        table[column] = table[column].astype(object)
        table.loc[row, column] = value
        return table

    return apply


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda t: t.drop(columns="label"), r"column label missing \(40 rows read"),
        (lambda t: t.drop(columns=["arm", "truth"]), "column arm, truth missing"),
        (change("label", 3, "tumour?"), "row 5: label 'tumour\\?' is not 0 or 1"),
        (change("label", 3, 2), "row 5: label '2' is neither 0 nor 1"),
        (change("set", 0, "first"), "row 2: set 'first' is not a whole number"),
        (change("set", 0, 1.5), "row 2: set '1.5' is not a whole number"),
        (change("set", 0, 0), "row 2: set '0' is below 1"),
        (change("set", 0, "99999999999999999999"), "row 2: set '99999999999999999999' is too large a number"),
        (change("arm", 7, "sharpened"), "row 9: arm 'sharpened' is not a known arm"),
        (change("truth", 1, ""), "row 3: truth is empty"),
        (change("patch_id", 2, ""), "row 4: patch_id is empty"),
        (change("truth", 0, 0), "patch p000 has truth 0 and 1"),
        (lambda t: pd.concat([t, t.iloc[[5]]]), r"rows 7, 42 are the same presentation \(reader R1"),
        (lambda t: t.iloc[:0], "0 rows"),
        (lambda t: t.assign(rt_ms=[-5, *[800] * 39]), "row 2: rt_ms '-5' is below 0"),
        (lambda t: t.assign(rt_ms=["fast", *[800] * 39]), "row 2: rt_ms 'fast' is not a number"),
        (lambda t: t.assign(rt_ms=["inf", *[800] * 39]), "row 2: rt_ms 'inf' is not finite"),
        (lambda t: t.assign(confidence=[6] * 40), r"is above 5|\(and 35 more\)"),
        (lambda t: t.assign(correct=1 - (t.label == t.truth)), "correct .* disagrees with label and truth"),
    ],
)
def test_what_is_wrong_is_named_with_its_row_and_column(tmp_path, spoil, said):
    path = written(tmp_path, spoil(simulate(readers=1)))
    with pytest.raises(InvalidInput, match=said) as error:
        read_csv(path)
    assert str(path) in str(error.value)


def test_files_that_are_no_table(tmp_path):
    with pytest.raises(InvalidInput, match="no such file"):
        read_csv(tmp_path / "absent.csv")
    with pytest.raises(InvalidInput, match="is a folder"):
        read_csv(tmp_path)
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    with pytest.raises(InvalidInput, match="empty; expected a header"):
        read_csv(empty)
    picture = tmp_path / "picture.csv"
    picture.write_bytes(b"\xff\xd8\xff\xe0" * 40)
    with pytest.raises(InvalidInput, match="not UTF-8"):
        read_csv(picture)
    ragged = tmp_path / "ragged.csv"
    ragged.write_text("reader_id,set\nR1,1\nR1,1,2,3\n")
    with pytest.raises(InvalidInput, match="not a readable CSV"):
        read_csv(ragged)


def test_semicolons_and_blank_lines_are_read_and_lines_keep_their_numbers(tmp_path):
    table = simulate(readers=1, patches=2)
    path = written(tmp_path, table, sep=";")
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], "", *lines[1:], "", ""]))
    assert len(read_csv(path)) == len(table)
    path.write_text(path.read_text().replace("p001;original;1;1", "p001;original;1;8", 1))
    with pytest.raises(InvalidInput, match="row 5: label '8'"):
        read_csv(path)


def test_checking_twice_changes_nothing():
    once = check(simulate())
    pd.testing.assert_frame_equal(check(once), once)


def test_arms_have_families():
    assert arm_family("perturbed-l2-4") == arm_family("perturbed") == "perturbed"
    assert arm_family("pair-noise") == "pair"
    assert arm_family("perturbedly") is None


def test_the_dictionary_names_every_column_once_and_the_rule_for_formula_cells():
    rows = data_dictionary()
    assert [row["name"] for row in rows[:-1]] == list(COLUMNS)
    assert "apostrophe" in rows[-1]["description"]
    assert all(row["description"] and row["type"] for row in rows)


def test_a_readers_seed_of_64_bits_is_carried_along(tmp_path):
    table = simulate(readers=1, patches=2)
    table["seed"] = 5712964121383671236
    assert len(read_csv(written(tmp_path, table))) == len(table)
