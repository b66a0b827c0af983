"""The harness itself: the ledger sees what is lost, doubled or invented, and nothing passes that did not run."""

import pytest

from scripts import trust
from tests.trust.ledger import Ledger, Sent

pytestmark = pytest.mark.trust
SENT = Sent("token", "tumour", 4, 12.5)
STORED = ("key", "token", 1, "tumour", 4, 12.5)


@pytest.fixture
def ledger() -> Ledger:
    made = Ledger()
    made.send("key", SENT)
    made.acknowledge("key", 1)
    return made


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([STORED], None),
        ([], "lost"),
        ([STORED, STORED], "doubled"),
        ([STORED, ("other", *STORED[1:])], "invented"),
        ([("key", "token", 1, "no_tumour", 4, 12.5)], "invented"),
        ([("key", "token", 2, "tumour", 4, 12.5)], "invented"),
    ],
)
def test_the_ledger_tells_what_became_of_an_answer(ledger, rows, told):
    verdict = ledger.compare(rows, [])
    assert verdict.good == (told is None)
    assert told is None or getattr(verdict, told)


def test_an_answer_without_acknowledgement_may_be_there_or_not(ledger):
    ledger.send("second", SENT._replace(token="next"))
    assert ledger.compare([STORED], []).good
    assert ledger.compare([STORED, ("second", "next", 1, *SENT[1:])], []).good


def test_a_finished_set_that_is_open_again_is_lost(ledger):
    ledger.finished.add(("small", "reader", 1))
    assert ledger.compare([STORED], []).lost
    assert ledger.compare([STORED], [("small", "reader", 1)]).good


def test_two_revisions_for_one_key_are_wrong(ledger):
    ledger.acknowledge("key", 2)
    assert ledger.compare([STORED], []).wrong


TOLD = "".join(
    f'<property name="{name}" value="{value}"/>' for name, value in zip(trust.TOLD, ("kills", 7, 0, 0))
).join(("<properties>", "</properties>"))
CASES = {
    "good": '<testcase name="a"/>',
    "told": f'<testcase name="a[sqlite]">{TOLD}</testcase>',
    "told_and_failed": f'<testcase name="a">{TOLD}<failure/></testcase>',
    "failed": '<testcase name="a"/><testcase name="b"><failure/></testcase>',
    "skipped": '<testcase name="a"><skipped message="not here"/></testcase>',
    "nothing": "",
}


@pytest.mark.parametrize(
    ("case", "outcomes"),
    [
        ("good", [("good", 1)]),
        ("told", [("good", 7)]),
        ("told_and_failed", [("FAILED", 7)]),
        ("failed", [("FAILED", 2)]),
        ("skipped", [("NOT TRIED", 0)]),
        ("nothing", []),
    ],
)
def test_a_report_becomes_rows(tmp_path, case, outcomes):
    report = tmp_path / "report.xml"
    report.write_text(f"<testsuites><testsuite>{CASES[case]}</testsuite></testsuites>")
    rows = trust.read(trust.Part("part", "something", ()), report)
    assert [(row.outcome, row.times) for row in rows] == outcomes


def test_a_part_that_is_not_there_or_tries_nothing_is_not_tried(tmp_path):
    gone = trust.Part("gone", "what is gone", ("tests/trust/test_gone.py",))
    none = trust.Part("none", "what no test does", ("tests/trust/test_table.py", "-k", "no_such_test"))
    for part in (gone, none):
        [row] = trust.run(part, tmp_path, quick=True)[0]
        assert (row.outcome, row.times, row.tried) == ("NOT TRIED", 0, part.tried)
    assert "| what is gone | 0 | 0 | 0 | why" in trust.table([trust.run(gone, tmp_path, quick=True)[0][0]])
