"""Attacks beside each other: model, budget, success with its interval, norms, time; what was chosen differently."""

import csv
import io

import lxml.html
import pytest

from attacks.selectors import summarise
from core.models import User
from core.proportions import share_over_units
from core.spreadsheet import BYTE_ORDER_MARK
from tests import factories
from tests.pool import attacked_pool, told_battery

pytestmark = pytest.mark.django_db
PAGE, TABLE = "/attacks/side-by-side/", "/attacks/side-by-side.csv"


@pytest.fixture
def two(client, own_files):
    client.force_login(factories.user("rita", User.Role.RESEARCHER))
    first, second = attacked_pool(name="first"), attacked_pool(name="second", positives=6)
    second.perturbations.filter(patch__index__lt=5).update(flipped=False)
    for attack, budget, spent in ((first, 4, 3.5), (second, 8, 9.0)):
        attack.budget, attack.settings = budget, {"steps": 50}
        attack.summary = summarise(attack) | {"seconds": spent, "passes": {"gradient": 1200}}
        attack.save()
    return first, second


def rows_of(client, query: str) -> dict[str, str]:
    page = lxml.html.fromstring(client.get(f"{PAGE}?{query}").text)
    return {
        row.xpath("string(th/text())").strip(): " ".join(" ".join(row.itertext()).split())
        for row in page.xpath("//table[@class='side-by-side']//tr")
    }


def test_success_budgets_norms_time_and_model_stand_side_by_side(client, two):
    first, second = two
    rows = rows_of(client, f"attack={second.pk}&attack={first.pk}")
    unit = [f"slide-{index % 5}" for index in range(14)]
    share, (low, high) = share_over_units([index >= 5 for index in range(14)], unit)
    assert f"{100 * share:.1f} % ({100 * low:.1f} to {100 * high:.1f})" in rows["Flipped"]
    assert "100.0 %" in rows["Flipped"] and "slides or patients" in rows["Flipped"]
    assert rows["Median L∞ of flipped"].count("4 (at most 4)") == 2
    assert rows["Time"] == "Time 9.0 s 643 ms per attacked patch 3.5 s 175 ms per attacked patch"
    assert rows["Passes, gradient"] == "Passes, gradient 1 200 1 200"
    assert rows["Budget"] == "Budget differs 8 4" and rows["Classifier"] == "Classifier differs second first"
    assert "differs" not in rows["Steps"] + rows["Norm"] + rows["Flipped"]


def test_one_that_is_not_finished_says_so(client, two):
    first, second = two
    second.completed_at, second.summary = None, {}
    second.save()
    text = client.get(f"{PAGE}?attack={first.pk}&attack={second.pk}").text
    assert "not finished" in text and "so far" in text


def test_the_file_and_the_list(client, two):
    first, second = two
    sent = client.get(f"{TABLE}?attack={first.pk}&attack={second.pk}").text.removeprefix(BYTE_ORDER_MARK)
    rows = list(csv.DictReader(io.StringIO(sent)))
    flipped = {row["name"]: float(row["value"]) for row in rows if row["quantity"] == "Flipped"}
    assert flipped == {"first": 1.0, "second": pytest.approx(9 / 14)}
    assert {row["differs"] for row in rows if row["quantity"] == "Budget"} == {"1"}
    page = lxml.html.fromstring(client.get("/attacks/").text)
    assert page.xpath("//form[@id='compare']/@action") == [PAGE]
    assert len(page.xpath("//input[@name='attack' and @form='compare']")) == 2
    told_battery(first)
    assert not lxml.html.fromstring(client.get(f"/classifiers/{first.classifier_id}/").text).xpath(
        "//input[@name='attack']"
    ), "no boxes where there is no button"
