"""Deviations are refused without a reason, logged, and told with the results."""

import pytest

from core.errors import InvalidInput
from study.protocol.deviations import deviations
from study.protocol.readers import invite, withdraw
from study.protocol.verification import verify
from study.results.analysis import analysis_of
from study.results.exports.report import report_html
from tests import factories
from tests.study.answered import answer_all, open_study_of, unblinded

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"replaces": "R01"}, "reason"),
        ({"reason": "ill"}, "replaces"),
        ({"replaces": "R01", "reason": " "}, "reason"),
        ({"replaces": "first", "reason": "ill"}, "replaces"),
        ({"replaces": "R02", "reason": "ill"}, "replaces"),  # not withdrawn
        ({"replaces": "R09", "reason": "ill"}, "replaces"),  # nobody
    ],
)
def test_a_reader_is_replaced_only_with_a_reason_and_once_withdrawn(more, field):
    study = factories.open_study(readers=("ada", "ben"))
    withdraw(assignment=factories.assignment_of(study, "ada"), reason="ill", actor="office")
    with pytest.raises(InvalidInput) as error:
        invite(study=study, username="cleo", actor="office", **more)
    assert error.value.field == field
    assert study.assignments.count() == 2


def test_a_reader_is_replaced_once_and_the_log_says_why():
    study = factories.open_study(readers=("ada", "ben"))
    withdraw(assignment=factories.assignment_of(study, "ada"), reason="ill", actor="office")
    more = {"replaces": "R01", "reason": "ada fell ill"}
    with pytest.raises(InvalidInput, match="reads the study already"):
        invite(study=study, username="ben", actor="office", **more)
    invite(study=study, username="cleo", actor="office", **more)
    with pytest.raises(InvalidInput, match="replaced already"):
        invite(study=study, username="dan", actor="office", **more)
    said = [(one["what"], one["reason"]) for one in deviations(study)]
    assert said == [("Reader R01 was withdrawn", "ill"), ("Reader R01 was replaced by reader R03", "ada fell ill")]
    assert verify(study).problems == []


def test_results_and_report_tell_of_deviations(client):
    study = open_study_of(readers=2)
    answer_all(study)
    client.force_login(factories.user("researcher", role="researcher"))
    withdraw(assignment=study.assignments.get(code="R02"), reason="moved <away>", actor="office")
    study = unblinded(study)
    wanted = "Reader R02 was withdrawn"
    assert analysis_of(study).to_json()["flow"]["deviations"][0]["reason"] == "moved <away>"
    for text in (client.get(f"/studies/{study.slug}/results/").text, report_html(study, analysis_of(study).to_json())):
        assert wanted in text
        assert "moved &lt;away&gt;" in text


def test_where_nothing_was_done_against_the_plan_the_results_say_so(client):
    study = open_study_of(readers=1)
    answer_all(study)
    client.force_login(factories.user("researcher", role="researcher"))
    assert "No set was reopened" in client.get(f"/studies/{unblinded(study).slug}/results/").text
