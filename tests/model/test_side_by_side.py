"""Classifiers beside each other: numbers with intervals, settings that differ marked, the same as CSV."""

import csv
import io

import lxml.html
import pytest

from core.models import User
from core.spreadsheet import BYTE_ORDER_MARK
from model.models import Classifier
from tests import factories
from tests.model.judged import judged_classifier

pytestmark = pytest.mark.django_db
PAGE, TABLE = "/classifiers/side-by-side/", "/classifiers/side-by-side.csv"


@pytest.fixture
def two(client) -> list[Classifier]:
    client.force_login(factories.user("rita", User.Role.RESEARCHER))
    first = judged_classifier()
    second = Classifier.objects.get(pk=first.pk)
    second.pk, second.name, second.seed, second.settings = None, "second", 7, {"preset": "quick", "epochs": 3}
    second.test_probabilities = {patch: 1 - p for patch, p in first.test_probabilities.items()}
    second.save()
    return [first, second]


def rows_of(text: str) -> dict[str, lxml.html.HtmlElement]:
    page = lxml.html.fromstring(text)
    return {row.xpath("string(th/text())").strip(): row for row in page.xpath("//table[@class='side-by-side']//tr")}


def asked(two: list[Classifier]) -> str:
    return "&".join(f"classifier={one.pk}" for one in two)


def test_numbers_stand_with_intervals_and_what_was_chosen_differently_is_marked(client, two):
    rows = rows_of(client.get(f"{PAGE}?{asked(two)}").text)
    accuracy, auc = rows["Accuracy"].text_content(), rows["AUC"].text_content()
    assert accuracy.count("95 % interval") == auc.count("95 % interval") == 2
    assert "differs" not in accuracy
    for title, differs in (("Seed", True), ("Preset", True), ("Network", False), ("Data set", False)):
        assert ("differs" in rows[title].text_content()) == differs, title
    only = rows_of(client.get(f"{PAGE}?{asked(two)}&only=differences").text)
    assert "Network" not in only and {"Seed", "Accuracy"} <= set(only)


def test_the_table_as_a_file_has_the_numbers_themselves(client, two):
    sent = client.get(f"{TABLE}?{asked(two)}")
    assert sent["Content-Type"].startswith("text/csv") and "attachment" in sent["Content-Disposition"]
    assert sent.text.startswith(BYTE_ORDER_MARK + "section,")
    rows = [
        row for row in csv.DictReader(io.StringIO(sent.text.removeprefix(BYTE_ORDER_MARK))) if row["quantity"] == "AUC"
    ]
    assert [row["of"] for row in rows] == [str(one.pk) for one in two]
    first, second = (float(row["value"]) for row in rows)
    assert first == pytest.approx(1 - second)
    assert all(float(row["low"]) < float(row["value"]) < float(row["high"]) for row in rows)


@pytest.mark.parametrize("query", ["", "classifier=", "classifier=x", "classifier=99999999999999999",
                                   "classifier=" + "9" * 400, "classifier=²", "classifier=-1"])  # fmt: skip
def test_what_is_not_there_is_left_out(client, two, query):
    page = client.get(f"{PAGE}?{query}")
    assert page.status_code == 200 and "Tick two classifiers" in page.text
    assert client.get(f"{TABLE}?{query}").status_code == 200


def test_one_that_was_never_judged_says_so_and_no_more_than_six_stand_side_by_side(client, two):
    Classifier.objects.filter(pk=two[1].pk).update(test_probabilities={})
    assert "none judged" in client.get(f"{PAGE}?{asked(two)}").text
    more = []
    for number in range(6):
        one = Classifier.objects.get(pk=two[0].pk)
        one.pk, one.name = None, f"more {number}"
        one.save()
        more.append(one)
    text = client.get(f"{PAGE}?{asked(two + more)}").text
    assert "Only the first 6" in text and "more 3" in text and "more 5" not in text


def test_the_list_leads_there(client, two):
    page = lxml.html.fromstring(client.get("/classifiers/").text)
    assert page.xpath("//form[@id='compare']/@action") == [PAGE]
    ticks = page.xpath("//input[@name='classifier' and @form='compare']/@value")
    assert sorted(ticks) == sorted(str(one.pk) for one in two)
