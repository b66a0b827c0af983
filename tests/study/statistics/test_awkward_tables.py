"""Tidy tables as spreadsheets of any country save them, and many readers."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from core.errors import InvalidInput
from study.statistics.agreement import agreement
from study.statistics.analysis import analyse
from study.statistics.table import read_csv
from tests.fuzzing import tables, tried

ROOT = Path(__file__).resolve().parents[3]
ROWS = [
    ["reader_id", "set", "patch_id", "arm", "truth", "label", "model_prob"],
    ["R1", "1", "p1", "original", "1", "1", "0.99"],
    ["R1", "1", "p1", "perturbed", "1", "0", "0.01"],
    ["R1", "1", "p2", "original", "0", "0", "1"],
    ["R1", "1", "p2", "perturbed", "0", "", ""],
]


def text(delimiter: str, *, comma: bool = False, beyond: str = "", first: str = "") -> str:
    rows = [[cell.replace(".", ",") if comma else cell for cell in row] for row in ROWS]
    return first + "\r\n".join(delimiter.join(row) + beyond for row in rows) + "\r\n"


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (text(","), "utf-8"),
        (text(";", comma=True), "utf-8-sig"),
        (text(";", comma=True, first="sep=;\r\n"), "utf-8"),
        (text("\t", comma=True), "utf-16"),
        (text("\t"), "utf-8-sig"),
        (text(",", beyond=","), "utf-8"),
        (
            text(",").replace("0.99\r\n", "0.99,,\r\n").replace("0.01\r\n", "0.01,,\r\n").replace(",1\r\n", ",1,,\r\n"),
            "utf-8",
        ),
        ('"' + text('";"', comma=True).replace("\r\n", '"\r\n"').removesuffix('"'), "utf-8"),
    ],
)
def test_a_table_of_any_spreadsheet_is_read_as_it_was_written(tmp_path, content, encoding):
    (tmp_path / "t.csv").write_bytes(content.encode(encoding))
    table = read_csv(tmp_path / "t.csv")
    assert table["model_prob"].tolist()[:3] == [0.99, 0.01, 1.0] and np.isnan(table["model_prob"].iloc[3])
    assert table["arm"].tolist() == ["original", "perturbed"] * 2 and table["reader_id"].tolist() == ["R1"] * 4


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (text(",", beyond=",x").replace("prob,x", "prob"), "rows have 8 fields, the header 7"),
        (text(",").replace("0.01\r\n", "0.01,x\r\n"), "Expected 7 fields in line"),
        (text(";", comma=True, first="sep=;\r\n").replace("perturbed;1;0", "perturbed;1;zwei"), "row 4: label 'zwei'"),
        ("", "empty"),
        ("\n\n", "empty"),
    ],
)
def test_what_does_not_fit_the_header_is_refused_and_nothing_slides(tmp_path, content, message):
    (tmp_path / "t.csv").write_text(content, newline="")
    with pytest.raises(InvalidInput, match=message):
        read_csv(tmp_path / "t.csv")


def calls_for(readers: int) -> int:
    """Functions called for the agreement of so many readers."""
    ratings = (np.random.default_rng(0).random((20, readers)) < 0.8).astype(float)
    ratings[np.random.default_rng(1).random(ratings.shape) < 0.1] = np.nan
    calls = 0

    def count(*event: object) -> None:
        nonlocal calls
        calls += 1

    sys.setprofile(count)
    try:
        found = agreement(ratings)
    finally:
        sys.setprofile(None)
    assert found.kappa is not None
    return calls


def test_agreement_goes_through_no_pairs_of_readers():
    calls_for(5)  # what is done once, such as imports
    assert calls_for(1000) < 20 * calls_for(50)


def test_agreement_of_many_readers_is_that_of_its_pairs():
    ratings = pd.DataFrame((np.random.default_rng(2).random((30, 6)) < 0.7).astype(float))
    ratings = ratings.mask(np.random.default_rng(3).random(ratings.shape) < 0.2)
    pairs = [agreement(ratings[[i, j]].dropna().to_numpy()).kappa for i in range(6) for j in range(i + 1, 6)]
    assert agreement(ratings.to_numpy()).kappa == pytest.approx(
        np.mean([kappa for kappa in pairs if kappa is not None])
    )


MANY = [
    [f"R{reader}", str(number), f"p{patch}", arm, str(patch % 2), str((reader + patch) % 2), f"0.{patch}"]
    for reader in (1, 2)
    for number in (1, 2)
    for patch in range(4)
    for arm in ("original", "perturbed")
]


@pytest.mark.fuzz
@tried(60)
@given(data=tables(ROWS[0], MANY))
def test_any_tidy_table_is_analysed_or_refused_with_its_name(tmp_path, data):
    (tmp_path / "t.csv").write_bytes(data)
    try:
        table = read_csv(tmp_path / "t.csv")
    except InvalidInput as error:
        assert "t.csv" in str(error)
        return
    assert set(table["truth"]) <= {0, 1} and table["set"].ge(1).all()
    try:
        found = analyse(table, margin=0.1)
    except InvalidInput as error:
        assert str(error)
    else:
        json.dumps(found.to_json(), allow_nan=False)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_results_are_printed_on_a_terminal_of_any_encoding(tmp_path, encoding):
    (tmp_path / "t.csv").write_text("\n".join(",".join(row) for row in [ROWS[0], *MANY]))
    done = subprocess.run(
        [sys.executable, "manage.py", "analyse", "--csv", str(tmp_path / "t.csv")],
        cwd=ROOT, env=os.environ | {"PYTHONIOENCODING": encoding}, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode(encoding)
    said = done.stdout.decode(encoding)
    assert re.search(r"95 % interval [−-]\d+\.\d to ", said) and "\\u2212" not in said
