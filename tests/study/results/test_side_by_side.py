"""Studies beside each other: what was fixed differently is marked, and nothing is shown before its unblinding."""

import csv
import io
import re

import lxml.html
import pytest
from django.contrib.auth.models import Group
from django.core.cache import cache

from core.models import User
from core.side_by_side import compared
from core.spreadsheet import BYTE_ORDER_MARK
from study.models import Study
from study.protocol.frozen import SETTINGS
from study.results.analysis import analysis_of
from study.results.exports.tables import interval, points
from study.results.side_by_side import FIXED, lines
from tests import factories, ladders
from tests.study.answered import answer_all, open_study_of, unblinded

pytestmark = pytest.mark.django_db
PAGE, TABLE = "/compare-studies/", "/compare-studies.csv"
ESTIMATED = ("TPF, original", "TPF, perturbed", "TPF, change in points", "Planned verdict", "d′, change",
             "d′, original", "Specificity, original")  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_kept():
    cache.clear()


@pytest.fixture
def rita(client, own_files):
    client.force_login(factories.user("rita", User.Role.RESEARCHER))
    return client


def rows_of(client, *slugs: str, more: str = "") -> dict[str, str]:
    query = "&".join(f"study={slug}" for slug in slugs) + more
    page = lxml.html.fromstring(client.get(f"{PAGE}?{query}").text)
    return {
        row.xpath("string(th/text())").strip(): " ".join(row.text_content().split())
        for row in page.xpath("//table[@class='side-by-side']//tr")
    }


def test_two_unblinded_studies_show_their_estimates_with_intervals_and_no_p(rita):
    for name, right in (("First", (0.9, 0.6)), ("Second", (0.8, 0.8))):
        study = open_study_of(name=name, readers=2, positives=8, negatives=6)
        answer_all(study, right=right, seed=len(name))
        unblinded(study)
    rows = rows_of(rita, "first", "second")
    for slug in ("first", "second"):
        primary = analysis_of(Study.objects.get(slug=slug)).to_json()["primary"]
        assert f"{points(primary['delta'])} ({interval(primary['ci'])})" in rows["TPF, change in points"]
    assert rows["TPF, original"].count("mean over readers, 95 % interval") == 2
    assert all(title in rows for title in ESTIMATED)
    assert "<strong>d′</strong>: " in rita.get(f"{PAGE}?study=first").text, "words are explained at their place"
    sent = rita.get(f"{TABLE}?study=first&study=second").text.removeprefix(BYTE_ORDER_MARK)
    table = list(csv.DictReader(io.StringIO(sent)))
    numbers = {(row["of"], row["quantity"]): row for row in table}
    change = numbers["first", "TPF, change in points"]
    assert float(change["low"]) < float(change["value"]) < float(change["high"])
    estimates = [row for row in table if row["section"] == "Estimates"]
    assert estimates and not any(re.search(r"\bp\b", row["quantity"] + row["text"]) for row in estimates)


@pytest.mark.parametrize("state", ["draft", "open", "closed"])
def test_a_blinded_study_shows_nothing_that_unblinding_guards(rita, state, monkeypatch):
    """Neither by its words nor by its numbers: they do not change when every answer does."""
    from study.protocol.life import close_study

    done = open_study_of(name="Done", readers=1)
    answer_all(done)
    unblinded(done)
    if state == "draft":
        factories.draft_study(slug="blind", name="Blind")
    else:
        blind = open_study_of(name="Blind", readers=2, negatives=4)
        answer_all(blind, right=(1.0, 0.0))
        if state == "closed":
            close_study(study=blind, actor="test")

    def refuse(*_args, **_more):
        raise AssertionError("the answers of a blinded study were looked at")

    from study.results import side_by_side

    for name in ("tidy_table", "levels"):
        monkeypatch.setattr(side_by_side, name, refuse)
    rows = rows_of(rita, "blind")
    assert f"none yet: the study is {state}" in rows["Results"]
    assert not set(ESTIMATED) & set(rows)
    assert "none yet" not in rows_of(rita, "blind")["Readers"]
    text = rita.get(f"{TABLE}?study=blind").text
    assert "TPF, original" not in text and "answered" not in text
    assert str(Study.objects.get(slug="blind").seed) not in [row.split(",")[5] for row in text.splitlines()]


def test_a_study_that_nobody_answered_says_why_it_has_no_results(rita):
    study = open_study_of(name="Silent", readers=1)
    from study.protocol.life import close_study, unblind_study

    close_study(study=study, actor="test")
    unblind_study(study=Study.objects.get(pk=study.pk), actor="test")
    assert "nothing to analyse" in rows_of(rita, "silent")["Results"]


def test_pairs_and_ladders_show_their_own_estimates(rita):
    pair = open_study_of(name="Pairs", readers=2, task="pair")
    answer_all(pair)
    unblinded(pair)
    draft = ladders.draft()
    rows = rows_of(rita, "pairs", draft.slug)
    assert rows["Altered image named"].count("95 % interval") == 1
    assert "Altered image named, d′" in rows
    assert "Next level" in rows and "differs" in rows["Levels"] and "differs" not in rows["Task"]


OTHER = {
    "task": "pair", "pair_display": "alternating", "exposure_ms": 300, "ladder": "fixed", "trials": 30,
    "identical": 4, "criterion": "Another one.", "questions": ["confidence"], "copies": 3, "arm_order": "twin-split",
    "min_gap": 4, "washout_hours": 48, "margin": 0.07, "margin_rationale": "Because.", "alpha": 0.05,
    "floor_tpf": 0.8, "floor_d_prime": 1.5, "stopping_rule": "At dusk.", "scale": 3, "size_mm": 40,
    "microns_per_pixel": 0.5,
    "surroundings": "light", "practice_count": 9, "break_every": 17, "tell_altered": True, "contact": "me",
    "consent_text": "Yes.",
}  # fmt: skip
UNCHOSEN = {"protocol_version", "study", "name", "seed", "source", "code_version"}
"""What tells two studies apart anyway; of the source, the classifier and the attacks have lines of their own."""
OF_LADDERS = {"trials", "identical", "ladders"}


@pytest.mark.parametrize("key", sorted(SETTINGS.keys() - UNCHOSEN - OF_LADDERS))
def test_every_frozen_setting_that_differs_is_marked(own_files, key):
    kind = {"task": "pair"} if key in ("exposure_ms", "ladder", "pair_display") else {}
    studies = [factories.draft_study(slug=slug, cases=1, guides=0, **kind) for slug in ("one", "two")]
    setattr(studies[1], SETTINGS[key], OTHER[SETTINGS[key]])
    sections = compared([lines(study) for study in studies], settings=FIXED)
    assert [row.title for section in sections for row in section.rows if row.differs], key


def test_alike_studies_have_no_mark_and_estimates_are_never_marked(own_files):
    studies = [factories.draft_study(slug=slug, cases=1, guides=0) for slug in ("one", "two")]
    sections = compared([lines(study) for study in studies], settings=FIXED)
    assert not [row.title for section in sections for row in section.rows if row.differs]


@pytest.mark.parametrize("key", ["trials", "identical", "ladders"])
def test_settings_of_a_ladder_are_marked_too(own_files, key):
    studies = [ladders.draft(slug=slug) for slug in ("one", "two")]
    changed = {"perturbed": studies[1].ladders["perturbed"]} if key == "ladders" else OTHER[key]
    setattr(studies[1], key, changed)
    sections = compared([lines(study) for study in studies], settings=FIXED)
    assert [row.title for section in sections for row in section.rows if row.differs], key


def test_a_study_of_another_team_cannot_be_put_beside_ones_own(rita):
    factories.draft_study(slug="ours", name="Ours")
    theirs = factories.draft_study(slug="theirs", name="Theirs hidden")
    Study.objects.filter(pk=theirs.pk).update(team=Group.objects.create(name="Others"))
    for address in (f"{PAGE}?study=ours&study=theirs", f"{TABLE}?study=ours&study=theirs", PAGE):
        text = rita.get(address).text
        assert "Theirs hidden" not in text and "theirs" not in text
    assert "Ours" in rita.get(PAGE).text, "offered"


def test_readers_and_strangers_see_nothing_and_odd_addresses_do_no_harm(client, rita):
    for query in ("study=", "study=no-such", "study=" + "x" * 3000, "study=a&only=nonsense"):
        assert rita.get(f"{PAGE}?{query}").status_code == 200 and rita.get(f"{TABLE}?{query}").status_code == 200
    client.force_login(factories.user("rob"))
    assert client.get(PAGE).status_code == client.get(TABLE).status_code == 403
    client.logout()
    assert client.get(PAGE).status_code == client.get(TABLE).status_code == 302
