"""A table as a spreadsheet opens it: no formulas, no words of a program, no more digits than anybody reads."""

import csv
import io

import numpy as np
import pandas as pd
import pytest
from openpyxl import load_workbook

from core.spreadsheet import csv_chunks, csv_of
from study.results.exports.registry import Source, exports
from tests.study.answered import answer_all, open_study_of, unblinded


def cells(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_a_data_frame_has_its_truths_as_digits_its_numbers_short_and_no_formula():
    table = pd.DataFrame(
        {"patch": ["=1+1", None], "flipped": [True, False], "prob": [0.9946172833442688, np.nan], "steps": [30, 1],
         "mixed": [np.bool_(True), "-x"], "linf": [7.0, 1234567.0]}
    )  # fmt: skip
    assert cells(csv_of(table)) == [
        ["patch", "flipped", "prob", "steps", "mixed", "linf"],
        ["'=1+1", "1", "0.994617283", "30", "1", "7"],
        ["", "0", "", "1", "'-x", "1234567"],
    ]
    assert cells(csv_of(table, digits=6))[1][2] == "0.994617"


def test_data_for_programs_keep_every_digit_and_tables_for_people_do_not():
    rows = [{"a": 0.15463901892484694, "b": 2918264622725855778, "c": None, "d": True}]
    exact, short = (
        cells("".join(csv_chunks("abcd", rows, for_people=people)))[1] for people in (False, True)
    )  # fmt: skip
    assert exact == ["0.15463901892484694", "2918264622725855778", "", "1"]
    assert short == ["0.154639", "2918264622725855778", "", "1"]


@pytest.mark.django_db
def test_no_cell_of_a_studys_files_is_a_word_of_the_program_or_a_formula(own_files):
    study = open_study_of(readers=2, negatives=3)
    answer_all(study, skip=2, amend=3)
    source = Source(unblinded(study))
    seen = 0
    for export in exports(source.study):
        if export.lacking(source.study) or not export.filename.endswith((".csv", ".xlsx")):
            continue
        pieces = list(source.write(export))
        if export.filename.endswith(".xlsx"):
            book = load_workbook(io.BytesIO(b"".join(piece for piece in pieces if isinstance(piece, bytes))))
            rows = [[str(cell or "") for cell in row] for sheet in book for row in sheet.values]
        else:
            rows = cells("".join(piece for piece in pieces if isinstance(piece, str)))
            assert len({len(row) for row in rows}) == 1 and "" not in rows[0], export.filename
        for row in rows:
            wrong = [cell for cell in row if cell.lower() in ("none", "nan", "true", "false", "nat", "inf")]
            wrong += [cell for cell in row if cell.startswith(("=", "@", "[", "+", "{'"))]
            assert not wrong, (export.filename, wrong)
        seen += 1
    assert seen >= 10


@pytest.mark.django_db
def test_files_that_compare_single_images_are_not_offered_of_pairs(own_files):
    study = open_study_of(readers=2, positives=6, name="Pairs", task="pair")
    answer_all(study)
    lacking = {export.filename: export.lacking(study) for export in exports(unblinded(study))}
    assert all("shows pairs" in lacking[name] for name in ("study.imrmc", "mrmcaov.csv", "rjafroc.xlsx"))
    assert not lacking["presentations.csv"]
