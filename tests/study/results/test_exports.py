"""Everything that leaves a study: complete, safe to open, readable by the programs it is made for."""

import csv
import hashlib
import io
import json
import tracemalloc
from base64 import b64encode
from itertools import pairwise

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils.html import escape
from openpyxl import load_workbook

from attacks import figures
from attacks.models import Attack
from core.errors import InvalidInput
from core.spreadsheet import csv_chunks, neutral
from model.models import Classifier
from study.blinds import StillBlinded
from study.models import Assignment, Response, Study
from study.results.analysis import analysis_of
from study.results.exports import mrmc
from study.results.exports.mrmc import DUMMIES, Readings, imrmc, mrmcaov, mrmcbinary, rjafroc
from study.results.exports.registry import Source, exports
from study.results.exports.report import report_html
from study.results.exports.tables import tex
from study.results.tidy import presentation_rows
from study.statistics.schema import COLUMNS
from study.statistics.table import check
from tests.study.answered import answer_all, open_study_of, unblinded
from tests.study.readings import simulate
from tests.study.results.exported import crossover, without

pytestmark = pytest.mark.django_db


@pytest.fixture
def study(own_files) -> Study:
    """Two readers, one of whom amended three answers and left two open; unblinded."""
    made = open_study_of(readers=2, negatives=3)
    answer_all(made, skip=2, amend=3)
    Assignment.objects.filter(study=made, code="R01").update(
        questionnaire={
            "noticed": "no",
            "share": 10,
            "difference": "=cmd|' /C calc'!A0",
            "repeats": "yes",
            "comment": "",
        }
    )
    return unblinded(made)


def exported(study: Study, tmp_path) -> tuple[dict, dict[str, str]]:
    out = io.StringIO()
    call_command("export_study", study.slug, str(tmp_path / "out"), json=True, stdout=out, stderr=io.StringIO())
    found = json.loads(out.getvalue())
    return found, {name: (tmp_path / "out" / name).read_text() for name in found["files"] if not name.endswith(".xlsx")}


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_nothing_leaves_before_unblinding(tmp_path, settings):
    made = open_study_of(readers=1, name="Closed")
    answer_all(made)
    for command in (["analyse", made.slug], ["export_study", made.slug, str(tmp_path / "out")]):
        with pytest.raises(CommandError, match="stay closed"):
            call_command(*command, stdout=io.StringIO(), stderr=io.StringIO())
    with pytest.raises(StillBlinded):
        next(presentation_rows(made))
    assert not (tmp_path / "out").exists()


def test_every_file_is_written_with_its_sum(study, tmp_path):
    found, texts = exported(study, tmp_path)
    assert {"presentations.csv", "responses.csv", "readers.csv", "stimuli.csv", "data_dictionary.csv", "protocol.json",
            "analysis.json", "audit_log.csv", "study.imrmc", "mrmcaov.csv", "rjafroc_cases.csv",
            "mrmcbinary-reading1.csv", "mrmcbinary-reading2.csv", "table_1.csv", "table_1.md", "table_1.tex",
            "report.html", "analysis.R"} <= set(texts)  # fmt: skip
    assert set(found["left_out"]) == {"blinding_audit.json"}
    assert "audit_blinding answered" in found["left_out"]["blinding_audit.json"]
    sums = dict(line.split("  ")[::-1] for line in (tmp_path / "out" / "SHA256SUMS").read_text().splitlines())
    for name in found["files"]:
        assert hashlib.sha256((tmp_path / "out" / name).read_bytes()).hexdigest() == sums[name]
    with pytest.raises(CommandError, match="there is something already"):
        exported(study, tmp_path)


def test_presentations_are_the_tidy_table_with_the_latest_revision(study, tmp_path):
    _, texts = exported(study, tmp_path)
    rows = table(texts["presentations.csv"])
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 2 * 2 * 9 * 2
    assert [row["label"] for row in rows].count("") == 2
    amended = [row for row in rows if row["revision"] == "2"]
    assert len(amended) == 3
    for row in amended:
        answer = Response.objects.get(presentation_id=row["presentation_id"], revision=2).answer
        assert row["label"] == str(int(answer == "tumour"))
    assert {row["reader_id"] for row in rows} == {"R01", "R02"}
    assert len(table(texts["responses.csv"])) == len(rows) - 2 + 3
    current = [row for row in table(texts["responses.csv"]) if row["is_current"] == "1"]
    assert len(current) == len(rows) - 2


def test_the_csv_analyses_to_the_same_numbers_as_the_study(study, tmp_path):
    _, texts = exported(study, tmp_path)
    out = io.StringIO()
    call_command("analyse", csv=tmp_path / "out" / "presentations.csv", margin=study.margin, json=True, stdout=out)
    by_csv, by_study = json.loads(out.getvalue()), json.loads(texts["analysis.json"])
    assert by_study["flow"]["readers"].pop("declared_finished") == 0, "no table knows it, the study does"
    assert by_study["flow"].pop("deviations") == []  # these, too
    for key in ("n", "table_1b", "per_set", "per_reader", "crossed", "primary", "specificity", "response_time", "flow",
                "intra_reader", "inter_reader"):  # fmt: skip
        assert by_csv[key] == pytest.approx(by_study[key]) if key == "n" else by_csv[key] == by_study[key], key
    out = io.StringIO()
    call_command("analyse", study.slug, json=True, stdout=out)
    again = json.loads(out.getvalue())
    assert {key: again[key] for key in by_study} == json.loads(texts["analysis.json"])


def test_the_frozen_margin_cannot_be_replaced(study):
    with pytest.raises(CommandError, match="was frozen with margin"):
        call_command("analyse", study.slug, margin=0.3, stdout=io.StringIO())
    with pytest.raises(CommandError, match="one of the two"):
        call_command("analyse", stdout=io.StringIO())


def test_names_of_people_stay_inside(study, tmp_path):
    _, texts = exported(study, tmp_path)
    for name, text in texts.items():
        assert "Answered-0" not in text, name  # the reader's login


def test_cells_that_a_spreadsheet_would_run_are_neutralised(study, tmp_path):
    _, texts = exported(study, tmp_path)
    assert {row["note"] for row in table(texts["responses.csv"])} == {"", "'=1+1"}
    assert table(texts["readers.csv"])[0]["questionnaire_difference"].startswith("'=cmd")
    for text in (texts["presentations.csv"], texts["responses.csv"], texts["readers.csv"], texts["audit_log.csv"]):
        for row in csv.reader(io.StringIO(text)):
            assert not any(cell.startswith(("=", "+", "@", "\t", "\r")) for cell in row)
    assert [neutral(value) for value in (-1.5, "-1.5", None, True, "ok")] == [-1.5, "'-1.5", "", 1, "ok"]


def test_the_dictionary_knows_every_column_of_every_table(study, tmp_path):
    _, texts = exported(study, tmp_path)
    known = {(row["file"], row["name"]) for row in table(texts["data_dictionary.csv"])}
    for file in ("presentations.csv", "responses.csv", "readers.csv", "stimuli.csv"):
        header = next(csv.reader(io.StringIO(texts[file])))
        assert {(file, column) for column in header} <= known


def test_the_protocol_is_the_frozen_one(study, tmp_path):
    _, texts = exported(study, tmp_path)
    written = json.loads(texts["protocol.json"])
    canonical = json.dumps(written["protocol"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(canonical.encode()).hexdigest() == written["protocol_sha256"] == study.protocol_sha256


def test_the_audit_log_chains(study, tmp_path):
    _, texts = exported(study, tmp_path)
    rows = table(texts["audit_log.csv"])
    assert [row["action"] for row in rows][-2:] == ["closed", "unblinded"]
    assert all(later["previous_hash"] == earlier["hash"] for earlier, later in pairwise(rows))


def test_the_report_shows_the_models_figures_that_were_drawn_and_names_the_others(study, tmp_path):
    def report() -> str:
        return report_html(study, Source(study).analysis)

    before = report()
    assert "Not drawn yet, so not in this report" in before and "data:image/png" not in before
    assert "manage.py figure pairs --attack Answered" in before and "figure roc --classifier Answered" in before
    assert not (tmp_path / "figures").exists(), "a report draws nothing"
    attack = Attack.objects.get(name="Answered")
    drawn = figures.make("pairs", attack)
    after = report()
    picture = b64encode(drawn.files["png"].read_bytes()).decode()
    assert after.count("data:image/png") == 1 and picture in after and escape(drawn.caption) in after
    assert "figure pairs" not in after and "figure roc --classifier Answered" in after
    Classifier.objects.filter(pk=attack.classifier_id).update(weights_sha256="2" * 64)
    other = report()
    assert "data:image/png" not in other and "manage.py figure" not in other, "another classifier than the study's"


def test_the_report_stands_alone(study, tmp_path):
    _, texts = exported(study, tmp_path)
    report = texts["report.html"]
    assert report.count("data:image/svg+xml;base64,") == 2
    assert "<script" not in report
    assert 'src="http' not in report
    assert 'href="' not in report
    for words in (
        "Table 1a",
        "Table 1b",
        "published",
        "GRRAS",
        "Methods",
        "Software: blindspot",
        study.protocol_sha256,
    ):
        assert words in report


def test_tables_for_papers(study, tmp_path):
    _, texts = exported(study, tmp_path)
    assert "| published: Foote et al. 2021 | pathologist | 1 | 17 of 20 | 18 of 20 |" in texts["table_1.md"]
    assert texts["table_1.tex"].count("\\begin{tabular}") == texts["table_1.tex"].count("\\end{tabular}") == 2
    assert tex("50 % & _x_") == r"50 \% \& \_x\_"
    rows = table(texts["table_1.csv"])
    assert [row["reader"] for row in rows] == ["R01", "R01", "R02", "R02", "model", "pathologist", "pathologist"]


def readings(**kwargs) -> Readings:
    return mrmc.readings(check(simulate(**kwargs)), "perturbed", "A, study")


def area(positives: list[float], negatives: list[float]) -> float:
    wins = [(p > n) + 0.5 * (p == n) for p in positives for n in negatives]
    return sum(wins) / len(wins)


def test_imrmc_holds_what_its_header_says_and_its_areas_are_the_tpf():
    data = readings(readers=3, patches=7)
    lines = "".join(imrmc(data)).splitlines()
    start = lines.index("BEGIN DATA:")
    header = dict(line.split(": ") for line in lines[2:start])
    assert header == {"NR": "3", "N0": "5", "N1": "7", "NM": "2"}
    body = [line.split(",") for line in lines[start + 1 :]]
    truth = {case: int(value) for reader, case, arm, value in body if (reader, arm) == ("truth", "truth")}
    assert sum(truth.values()) == 7
    assert len(truth) == 7 + DUMMIES
    scores = [row for row in body if row[0] != "truth"]
    assert len(scores) == 3 * 2 * (7 + DUMMIES)
    for (reader, arm), part in data.rows.groupby(["reader_id", "arm"]):
        own = [(truth[case], float(score)) for r, case, a, score in scores if (r, a) == (reader, arm)]
        found = area([s for t, s in own if t], [s for t, s in own if not t])
        assert found == pytest.approx(part["correct"].mean())


def test_mrmcaov_and_mrmcbinary_hold_every_reading():
    data = readings(readers=2, patches=6)
    aov = table("".join(mrmcaov(data)))
    assert set(aov[0]) == {"reader", "test", "case", "truth", "rating"}
    assert len(aov) == 2 * 2 * (6 + DUMMIES)
    for suffix, part in data.per_reading():
        rows = table("".join(mrmcbinary(part)))
        assert list(rows[0]) == ["Modality", "Reader", "Case", "D", "Y"]
        assert len(rows) == 2 * 2 * 6, suffix
        assert sum(int(row["Y"]) for row in rows) == part.rows["correct"].sum()


def test_three_sets_come_one_by_one_because_a_mean_of_three_is_no_tpf():
    assert [suffix for suffix, _ in readings(sets=3).split()] == ["-reading1", "-reading2", "-reading3"]
    assert [suffix for suffix, _ in readings(sets=2).split()] == [""]


def test_a_study_of_three_sets_has_a_workbook_for_each_whose_areas_are_the_tpf(own_files, tmp_path):
    made = open_study_of(readers=2, positives=4, copies=3, name="Three")
    answer_all(made, right=(0.8, 0.6))
    found, texts = exported(unblinded(made), tmp_path)
    names = {f"rjafroc-reading{number}.xlsx" for number in (1, 2, 3)}
    assert names == {name for name in found["files"] if name.endswith(".xlsx")}
    per_set = {(row["reader"], row["set"], arm): row[arm] for row in json.loads(texts["analysis.json"])["table_1b"]
               for arm in ("original", "perturbed")}  # fmt: skip
    for number in (1, 2, 3):
        book = load_workbook(tmp_path / "out" / f"rjafroc-reading{number}.xlsx")
        rated = list(book["TP"].values)[1:]
        for reader in ("R01", "R02"):
            for arm in ("original", "perturbed"):
                own = [rating for name, which, _, _, rating in rated if (name, which) == (reader, arm)]
                count = per_set[reader, number, arm]
                assert set(own) <= {0, 1} and sum(own) == count["tp"] and len(own) == count["n"]


def test_where_arms_cross_over_a_reading_is_no_set():
    data = mrmc.readings(check(crossover(readers=2, patches=6, sets=4)), "perturbed", "x")
    assert data.numbers == [1, 2]
    assert [suffix for suffix, _ in data.split()] == [""]
    for _, part in data.per_reading():
        assert len(part.rows) == 2 * 6 * 2 and len(part.complete("MRMCbinary").patches) == 6
    assert [suffix for suffix, _ in mrmc.readings(check(crossover(sets=6)), "perturbed", "x").split()] == [
        "-reading1", "-reading2", "-reading3",
    ]  # fmt: skip


def test_the_rjafroc_workbook_has_its_three_sheets_and_no_holes():
    data = readings(readers=2, patches=6)
    book = load_workbook(io.BytesIO(rjafroc(data)))
    assert book.sheetnames == ["TRUTH", "TP", "FP"]
    truth = list(book["TRUTH"].values)
    assert truth[0] == ("CaseID", "LesionID", "Weight", "ReaderID", "ModalityID", "Paradigm")
    assert truth[1] == (1, 0, 0, "R1, R2", "original, perturbed", "ROC")
    assert truth[2][5] == "FCTRL"
    assert len(truth) - 1 == 6 + DUMMIES
    assert len(list(book["TP"].values)) - 1 == 2 * 2 * 6
    assert len(list(book["FP"].values)) - 1 == 2 * 2 * DUMMIES
    assert not mrmc.holes(data)


def test_programs_that_refuse_unbalanced_data_get_the_complete_patches_and_it_is_said():
    data = mrmc.readings(check(without(simulate(readers=2, patches=6), 3)), "perturbed", "x")
    [(_, first), (_, second)] = data.per_reading()
    for part in (first, second):
        rows = table("".join(mrmcbinary(part)))
        patches = {row["Case"] for row in rows}
        assert len(rows) == 2 * 2 * len(patches)
    missing = len(first.complete("").patches) + len(second.complete("").patches)
    assert missing < 12
    assert "MRMCbinary and RJafroc refuse unbalanced data" in mrmc.holes(data)
    assert f"mrmcbinary-reading1.csv {len(first.complete('').patches)}" in mrmc.holes(data)
    nobody = mrmc.Readings(first.rows[(first.rows["reader_id"] == "R1") ^ (first.rows["arm"] == "original")], "x")
    with pytest.raises(InvalidInput, match="refuses unbalanced data, and no patch was answered in both arms by every"):
        mrmcbinary(nobody)


def test_names_that_other_programs_would_split_or_mistake_stay_apart():
    named = simulate(readers=2, patches=4, sets=1).replace(
        {"reader_id": {"R1": "truth", "R2": "A, B"}, "patch_id": {"p001": "a,b", "p002": "a;b", "p003": "dummy1"}}
    )
    data = mrmc.readings(check(named), "perturbed", "x")
    lines = "".join(imrmc(data)).splitlines()
    body = [line.split(",") for line in lines[lines.index("BEGIN DATA:") + 1 :]]
    assert all(len(row) == 4 for row in body)
    assert len({case for _, case, arm, _ in body if arm == "truth"}) == 4 + DUMMIES
    assert {reader for reader, _, arm, _ in body if arm != "truth"} == {"truth.2", "A_B"}
    cases = {(row["reader"], row["test"], row["case"]) for row in table("".join(mrmcaov(data)))}
    assert len(cases) == 2 * 2 * (4 + DUMMIES)


def test_a_pair_comparison_leaves_as_pairs(settings, tmp_path):
    made = open_study_of(readers=1, positives=4, name="Pairs", task=Study.Task.PAIR)
    answer_all(made, right=(1.0, 1.0))
    made = unblinded(made)
    rows = list(presentation_rows(made))
    assert {row["arm"] for row in rows} == {"pair"}
    assert {row["truth"] for row in rows} == {0, 1}
    assert all(row["correct"] == 1 for row in rows)
    found = analysis_of(made).to_json()
    assert found["detection"]["pair_comparison"]["per_reader"][0]["value"]["correct"] == 8
    with pytest.raises(InvalidInput, match="no TPF"):
        next(e for e in exports(made) if e.filename == "study.imrmc").write(Source(made))


def test_withdrawn_readers_are_marked_and_kept(study):
    Assignment.objects.filter(study=study, code="R02").update(
        withdrawn_at=study.unblinded_at, withdrawal_reason="left the hospital"
    )
    rows = [row for row in presentation_rows(study) if row["reader_id"] == "R02"]
    assert rows
    assert all(row["excluded"] == 1 and "left the hospital" in row["exclusion_reason"] for row in rows)


def test_streaming_takes_the_same_memory_for_ten_times_the_rows():
    def peak(rows: int) -> int:
        source = ({"a": number, "b": "x" * 50} for number in range(rows))
        tracemalloc.start()
        for chunk in csv_chunks(("a", "b"), source):
            assert chunk
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(50_000) < 1.5 * peak(5_000)


def test_presentations_stream_from_the_database_with_flat_memory(study):
    def peak(times: int) -> int:
        rows = (row for _ in range(times) for row in presentation_rows(study))
        tracemalloc.start()
        size = sum(len(chunk) for chunk in csv_chunks(COLUMNS, rows))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert size > times * 10_000
        return most

    peak(12)  # more than one chunk
    few, many = peak(12), peak(40)
    remembered = 28 * 20_000 if connection.vendor == "postgresql" else 0  # psycopg keeps the last 128 queries' texts
    assert many < 1.3 * few + remembered
