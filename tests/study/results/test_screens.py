"""How large an image was on a reader's screen goes with the answer into the tidy table, analysis and methods."""

import pytest

from study.models import Presentation, Study
from study.protocol import life
from study.reading import answers
from study.reading.answers import SentAnswer
from study.results.analysis import analysis_of
from study.results.exports.report import page_context
from study.results.tidy import presentation_rows
from tests import factories

pytestmark = pytest.mark.django_db


def test_a_measured_width_is_in_the_table_the_analysis_and_the_methods():
    study = factories.open_study(size_mm=60, readers=("ada", "ben"), copies=1)
    for name, viewing in (("ada", {"size_mm": 59.3, "scale": 1}), ("ben", {"scale": 2})):
        assignment = factories.assignment_of(study, name)
        for row in Presentation.objects.filter(reading_set__assignment=assignment).order_by("position"):
            sent = SentAnswer(answer="tumour", viewing=viewing)
            answers.record_answer(assignment=assignment, token=row.token, key=f"key of {row.token}", sent=sent)
        answers.finish_set(assignment=assignment, number=1)
    life.unblind_study(study=life.close_study(study=study, actor="office"), actor="office")
    study = Study.objects.get(pk=study.pk)
    widths = {(row["reader_id"], row["width_mm"]) for row in presentation_rows(study)}
    assert {width for _, width in widths} == {59.3, None} and len(widths) == 2
    analysis = analysis_of(study).to_json()
    assert analysis["display"]["width_mm"] == {"median": 59.3, "lowest": 59.3, "highest": 59.3}
    said = " ".join(page_context(study, analysis)["methods"])
    assert "Images were to be 60 mm wide" in said
    assert "59.3 mm wide (median), as far as screens were measured: in 8 of 16 answers" in said
