"""The researcher's page: who may see it, when, and that it shows what the analysis says."""

import io
import re

import pytest
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from core.models import User
from study.models import ReadingSet, Study
from study.protocol.audit_log import record
from study.protocol.readers import withdraw
from study.results.analysis import analysis_of
from study.results.exports.report import _model_note
from study.results.exports.tables import points, table_1_rows
from tests.study.answered import answer_all, open_study_of, unblinded

pytestmark = pytest.mark.django_db


@pytest.fixture
def researcher(client):
    client.force_login(User.objects.create_user("rita", role=User.Role.RESEARCHER))
    return client


@pytest.fixture(autouse=True)
def nothing_kept():
    """Studies of two tests have the same numbers, and an analysis is kept by them."""
    cache.clear()


@pytest.fixture
def study() -> Study:
    made = open_study_of(readers=2, positives=8, negatives=4, questions=["perturbed_response"])
    answer_all(made)
    return unblinded(made)


def page(client, study, name="results:results", *args):
    return client.get(reverse(name, args=[study.slug, *args]))


def test_results_stay_closed_until_the_arms_are_open(researcher):
    made = open_study_of(readers=1)
    answer_all(made)
    for address in (("results:results",), ("results:figure", "forest", "svg"), ("results:file", "presentations.csv")):
        response = page(researcher, made, *address)
        assert response.status_code == 403
        text = response.content.decode()
        assert "stay closed" in text
        assert "perturbed" not in text.lower().replace("perturbed patches", "")


@pytest.mark.parametrize("role", [User.Role.READER, None])
def test_readers_and_strangers_see_nothing(client, study, role):
    if role:
        client.force_login(User.objects.create_user("rob", role=role))
    for address in (("results:results",), ("results:figure", "forest", "svg"), ("results:file", "presentations.csv")):
        response = page(client, study, *address)
        assert response.status_code == (403 if role else 302)


def test_the_page_shows_the_tables_side_by_side_with_the_published_rows_marked(researcher, study):
    response = page(researcher, study)
    text = re.sub(r"\s+", " ", response.content.decode())
    assert response.status_code == 200
    found = analysis_of(study).to_json()
    for row in found["table_1b"]:
        for arm in ("original", "perturbed"):
            assert f"{row[arm]['tp']} of {row[arm]['n']}" in text
    assert "Table 1a. The model" in text
    assert "Table 1b. True positives" in text
    assert re.search(r'Pathologist <span class="tag">published</span></th><td class="number first">17 of 20</td>'
                     r'<td class="number">18 of 20</td><td class="number first">18 of 20</td>', text)  # fmt: skip
    assert found["primary"]["statement"] in text
    assert text.count('class="pair-card"') == 4
    for heading in ("Paired 2×2 tables", "Agreement", "Response time", "Patches without tumour",
                    "Sensitivity (d′) and bias (c)", "Participant flow", "Methods", "Downloads"):  # fmt: skip
        assert heading in text, heading


def test_nothing_on_the_page_needs_more_than_the_policy_allows(researcher, study):
    response = page(researcher, study)
    text = response.content.decode()
    assert "style=" not in text
    assert "<style" not in text
    assert not re.search(r"<script(?![^>]* src=)", text)
    assert "style-src" not in response["Content-Security-Policy"]  # the default, our own address, holds for styles
    assert {"private", "no-store"} <= set(response["Cache-Control"].split(", "))


@pytest.mark.parametrize("name", ["forest", "flow"])
def test_figures_are_svg_and_the_same_every_time(researcher, study, name):
    first = page(researcher, study, "results:figure", name, "svg")
    assert first["Content-Type"] == "image/svg+xml"
    assert b"<svg" in first.content
    assert first.content == page(researcher, study, "results:figure", name, "svg").content
    assert page(researcher, study, "results:figure", "unknown", "svg").status_code == 404


def test_figures_can_be_taken_into_a_paper(researcher, study):
    """Under each figure stand its files: PNG of 180 mm at 300 dots per inch, and PDF."""
    text = page(researcher, study).content.decode()
    for kind, begins in (("png", b"\x89PNG"), ("pdf", b"%PDF")):
        assert reverse("results:figure", args=[study.slug, "forest", kind]) in text
        response = page(researcher, study, "results:figure", "forest", kind)
        assert response.content.startswith(begins)
        assert response["Content-Disposition"] == f'attachment; filename="{study.slug}-forest.{kind}"'
    with Image.open(io.BytesIO(page(researcher, study, "results:figure", "forest", "png").content)) as picture:
        assert picture.width == round(180 / 25.4 * 300) - 1 or picture.width == round(180 / 25.4 * 300)
    assert page(researcher, study, "results:figure", "forest", "exe").status_code == 404


def test_files_that_a_study_cannot_have_are_no_links(researcher, study):
    text = page(researcher, study).content.decode()
    assert "blind_spot.csv" in text and "file/blind_spot.csv" not in text


def test_no_difference_has_no_sign():
    assert [points(value) for value in (0.0, -0.0001, 0.0001, 0.1, -0.1)] == ["0.0", "0.0", "0.0", "+10.0", "−10.0"]


def test_every_listed_file_can_be_downloaded(researcher, study):
    addresses = re.findall(r'href="(/studies/[^"]+/results/file/[^"]+)"', page(researcher, study).content.decode())
    assert len(addresses) >= 17
    for address in addresses:
        response = researcher.get(address)
        assert response.status_code == 200, address
        assert response.streaming
        assert len(b"".join(response.streaming_content)) > 50
        assert "attachment" in response["Content-Disposition"]
    assert page(researcher, study, "results:file", "passwd").status_code == 404


def test_a_file_that_is_not_there_yet_is_no_link_and_says_how_to_make_it(researcher, study):
    text = page(researcher, study).content.decode()
    assert f"audit_blinding {study.slug}" in text and "file/blinding_audit.json" not in text
    record(study=study, actor="test", action="blinding_audited", report={"channels": []})
    assert "file/blinding_audit.json" in page(researcher, study).content.decode()


def test_the_report_numbers_its_pages_and_figures_and_has_its_methods_before_its_results(researcher, study):
    body = page(researcher, study, "results:file", "report.html")
    report = b"".join(body.streaming_content).decode()
    assert "counter(page)" in report and report.count("counter(figure)") == 1
    assert report.count("<figure") == report.count("<figcaption>")
    assert report.index('id="verdict"') < report.index('id="methods"') < report.index('id="readers"')
    shown = page(researcher, study).content.decode()
    assert shown.index('id="methods"') > shown.index('id="flow"'), "on the page they stand at the end"


@pytest.mark.parametrize(
    ("initialisation", "said"),
    [
        ("imagenet", "First weights: imagenet. Its"),
        ("random; no weights: x.pth could not be had.", "First weights: random (no weights: x.pth could not be had). "),
    ],
)
def test_the_note_under_table_1a_reads_as_sentences(initialisation, said):
    note = _model_note(
        {"name": "demo", "arch": "resnet18", "initialisation": initialisation, "weights_sha256": "ab" * 32}
    )
    assert note.startswith("Classifier: demo, resnet18. ") and said in note and note.endswith("abababababab…")
    assert _model_note({}) == ""


def test_a_file_that_the_study_cannot_fill_says_why(researcher):
    made = open_study_of(readers=1, positives=4, name="Pairs", task=Study.Task.PAIR)
    answer_all(made)
    made = unblinded(made)
    response = page(researcher, made, "results:file", "study.imrmc")
    assert response.status_code == 409
    assert "no TPF to compare" in response.content.decode()
    text = page(researcher, made).content.decode()
    assert "which one was altered?" in text
    assert "Table 1b. True positives" not in text


def test_a_study_that_nobody_answered_says_so(researcher):
    made = unblinded(open_study_of(readers=1))
    response = page(researcher, made)
    assert response.status_code == 409
    assert "has an answer" in response.content.decode()


def test_simulated_readers_are_announced(researcher, study):
    study.assignments.update(simulated=True)
    assert "are no findings" in page(researcher, study).content.decode()


def words_of(response) -> str:
    """The page as a person reads it."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def test_the_verdict_names_the_patches_it_rests_on(researcher, study):
    text = words_of(page(researcher, study))
    assert "Readers × patches with tumour × sets 2 × 8 × 2 beside 4 patches without tumour" in text


def test_the_slides_or_patients_of_each_class_are_counted_and_few_are_warned_of(researcher, study):
    text = words_of(page(researcher, study))
    assert "Slides or patients 5 with tumour, 4 without" in text
    assert "Cases: only 4 groups without tumour" in text


def test_nothing_is_left_out_of_what_was_never_answered(researcher):
    made = open_study_of(readers=2, positives=8)
    answer_all(made, silent=["R02"])
    withdraw(assignment=made.assignments.get(code="R02"), reason="left", actor="office")
    made = unblinded(made)
    shown = analysis_of(made).to_json()["flow"]
    assert (shown["presentations"]["flagged"], shown["presentations"]["analysed"], shown["flag_reasons"]) == (0, 32, {})
    text = words_of(page(researcher, made))
    assert "flagged for exclusion" not in text and "nothing flagged" in text


def test_a_reader_whose_set_was_reopened_is_not_said_to_have_finished(researcher, study):
    ReadingSet.objects.filter(assignment__study=study).update(completed_at=timezone.now())
    ReadingSet.objects.filter(assignment__study=study, assignment__code="R01", number=2).update(completed_at=None)
    readers = analysis_of(study).to_json()["flow"]["readers"]
    assert (readers["finished"], readers["declared_finished"]) == (2, 1)
    assert "2 answered everything, 1 declared every set finished" in page(researcher, study).content.decode()


def test_programs_that_get_a_part_are_named_beside_their_files(researcher):
    made = open_study_of(readers=2, positives=8)
    answer_all(made, skip=3)
    text = words_of(page(researcher, unblinded(made)))
    assert "MRMCbinary and RJafroc refuse unbalanced data" in text


def test_where_arms_cross_over_a_change_belongs_to_a_reading_and_not_to_a_set(researcher):
    made = open_study_of(readers=2, positives=8, negatives=4, arm_order="twin-split")
    answer_all(made)
    made = unblinded(made)
    text = words_of(page(researcher, made))
    assert "Readers × patches with tumour × readings 2 × 8 × 1 beside 4 patches without tumour" in text
    assert "Reader R01, reading 1" in text and "Reader R01, set" not in text
    assert "the two counts of a set are of different patches" in text
    found = analysis_of(made).to_json()
    rows = [row for row in table_1_rows(found) if row["source"] == "this study" and row["reader"] == "R01"]
    assert [(row.get("set"), row.get("reading")) for row in rows] == [(1, None), (2, None), (None, 1)]
    assert ["delta" in row for row in rows] == [False, False, True]
    assert (rows[2]["original_tp"], rows[2]["original_n"]) == (sum(row["original_tp"] for row in rows[:2]), 8)


def test_order_and_learning_and_the_rule_of_the_verdict_are_shown(researcher, study):
    text = words_of(page(researcher, study))
    found = analysis_of(study).to_json()
    assert found["order"]["statement"] in text and "Change, first meeting with a patch alone" in text
    assert found["primary"]["unit"][1:] in text and found["primary"]["test"] in text
    assert found["primary"]["withheld"] in text and "No verdict is given" in text
    assert "of tumour found (floor 70 %)" in text
