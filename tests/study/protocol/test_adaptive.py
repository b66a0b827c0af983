"""Adaptive sets: every level follows from the frozen prior and the first answers, and verifying replays it."""

import json

import pytest
from django.db import connection

from core.errors import InvalidInput
from study.design.adaptive import Rule
from study.models import Presentation, Response, Slot, Stimulus, Study
from study.protocol.append_only import guard, unguard
from study.protocol.schedule_checks import recompute, schedule_problems
from study.protocol.secret import stored
from study.protocol.verification import verify
from study.reading.answers import NotServed, SentAnswer, finish_set, record_answer
from study.reading.progress import Stage, progress_of, servable_stimulus
from tests import factories, ladders

pytestmark = pytest.mark.django_db


def right_answer(presentation: Presentation) -> str:
    return "first" if presentation.stimulus.arm != "original" else "second"


def answer(assignment, key: str, choose=right_answer, **more):
    current = progress_of(assignment).current
    sent = SentAnswer(choose(current))
    return record_answer(assignment=assignment, token=current.token, key=f"answer-{key}", sent=sent, **more)


def read(study: Study, choose=right_answer, count: int = 10_000) -> None:
    """Answer until the end of the set, or ``count`` pairs."""
    assignment = factories.assignment_of(study)
    for number in range(count):
        if progress_of(assignment).stage != Stage.READING:
            return
        answer(assignment, f"{number:06d}", choose)


def wrong_answer(presentation: Presentation) -> str:
    return "second" if right_answer(presentation) == "first" else "first"


def levels_of(study: Study, ladder: str = "perturbed") -> list[float]:
    rows = Presentation.objects.filter(reading_set__assignment__study=study).order_by("position")
    return [
        stimulus.l2 for row in rows for stimulus in (row.stimulus, row.second) if stimulus.arm.startswith(f"{ladder}:")
    ]


def test_one_presentation_exists_at_a_time_and_the_next_follows_the_answer():
    study = ladders.opened()
    assignment = factories.assignment_of(study)
    assert Slot.objects.count() == 23  # ten of each ladder, three identical pairs
    assert Presentation.objects.count() == 1
    progress = progress_of(assignment)
    assert (progress.count, progress.answered, progress.next) == (23, 0, None)
    saved = answer(assignment, "000001")
    assert Presentation.objects.count() == 2
    assert saved.progress.current == Presentation.objects.get(position=2)
    assert saved.progress.next is None
    assert servable_stimulus(assignment.reader, saved.progress.current.token)


def test_right_answers_lead_down_and_wrong_ones_up():
    easy, hard = ladders.opened(), ladders.opened(slug="other", readers=("other",))
    read(easy)
    assignment = factories.assignment_of(hard, "other")
    for number in range(23):
        answer(assignment, f"{number:06d}", wrong_answer)
    for ladder in ("perturbed", "noise"):
        assert levels_of(easy, ladder)[-1] < levels_of(easy, ladder)[0] < levels_of(hard, ladder)[-1]
        assert len(levels_of(easy, ladder)) == 10


def test_every_ladder_meets_every_case_as_often_and_sides_are_even():
    study = ladders.opened(identical=4, trials=12)
    slots = Slot.objects.filter(reading_set__assignment__study=study)
    for ladder, each in (("perturbed", 3), ("noise", 3), ("", 1)):
        assert sorted(slots.filter(ladder=ladder).values_list("case__number", flat=True)) == sorted([1, 2, 3, 4] * each)
    assert slots.filter(altered_first=True).count() == 14


def test_a_changed_answer_leaves_what_was_chosen():
    study = ladders.opened()
    assignment = factories.assignment_of(study)
    first = progress_of(assignment).current
    answer(assignment, "000001")
    after = Presentation.objects.get(position=2)
    record_answer(
        assignment=assignment, token=first.token, key="answer-again", sent=SentAnswer(wrong_answer(first)), replaces=1
    )
    assert list(Presentation.objects.filter(position=2)) == [after]
    read(study)
    assert not verify(study).problems


def test_an_answer_sent_twice_makes_one_presentation():
    study = ladders.opened()
    assignment = factories.assignment_of(study)
    token = progress_of(assignment).current.token
    for _ in range(2):
        record_answer(assignment=assignment, token=token, key="same-key-0", sent=SentAnswer("first"))
    assert (Presentation.objects.count(), Response.objects.count()) == (2, 1)


def test_the_second_set_goes_on_from_the_first():
    study = ladders.opened(copies=2, trials=10)
    read(study)
    assignment = factories.assignment_of(study)
    assert progress_of(assignment).stage == Stage.SET_DONE
    opening = Presentation.objects.get(reading_set__number=2)
    with pytest.raises(NotServed):
        record_answer(assignment=assignment, token=opening.token, key="too-early", sent=SentAnswer("first"))
    assert servable_stimulus(assignment.reader, opening.token) is None
    finish_set(assignment=assignment, number=1)
    assert progress_of(assignment).current == opening
    read(study)
    assert not verify(study).problems
    assert Presentation.objects.count() == 46


def test_verifying_replays_every_choice_and_names_a_changed_one():
    study = ladders.opened()
    read(study, count=12)
    assert not verify(study).problems
    row = Presentation.objects.filter(position__lte=12).exclude(stimulus__arm="original", second__arm="original").last()
    side = "second" if row.stimulus.arm == "original" else "stimulus"
    was = getattr(row, side)
    other = Stimulus.objects.filter(case=was.case, arm__startswith=was.arm[:-2]).exclude(pk=was.pk).first()
    Presentation.objects.filter(pk=row.pk).update(**{side: other})
    found = [str(problem) for problem in verify(study).problems]
    assert any(f"position {row.position}: {other.arm} of case {was.case.number} was shown" in said for said in found)
    assert any(was.arm in said for said in found)


def test_levels_that_do_not_follow_from_the_stored_answers_are_named():
    """Somebody changed an answer in the database: the levels after it are those of the true one."""
    study = ladders.opened(noise=False, identical=0)
    read(study, count=8)
    unguard(connection)
    row = Response.objects.get(presentation__position=2)
    other = "second" if row.answer == "first" else "first"
    with connection.cursor() as cursor:
        cursor.execute("UPDATE study_response SET answer = %s WHERE id = %s", [other, row.pk])
    guard(connection)
    assert any("was shown, but the rule" in problem for problem in schedule_problems(study))


def test_verifying_names_a_place_that_was_moved_and_a_presentation_too_many():
    study = ladders.opened()
    read(study, count=3)
    slot = Slot.objects.get(position=10)
    Slot.objects.filter(pk=slot.pk).update(altered_first=not slot.altered_first)
    extra = Presentation.objects.get(position=4)
    Presentation.objects.create(reading_set=extra.reading_set, position=5, stimulus=extra.stimulus, second=extra.second)
    found = schedule_problems(study)
    assert any("position 10: the place is not the one" in problem for problem in found)
    assert any("position 5: there is a presentation" in problem for problem in found)
    Presentation.objects.filter(position__gte=4).delete()
    assert any("position 4: its presentation is missing" in problem for problem in schedule_problems(study))


def test_the_protocol_holds_rule_prior_and_stop_and_the_schedule_is_drawn_again_from_it():
    study = ladders.opened(readers=("reader", "other"))
    for name in ("perturbed", "noise"):
        held = study.protocol["ladders"][name]
        assert {"rule", "stop", "prior", "sizes", "norm", "attack"} <= set(held)
    protocol = json.loads(json.dumps(study.protocol))
    assert recompute(protocol, stored(study)) == protocol["schedules"]
    assert recompute(protocol, "00" * 16) != protocol["schedules"]


def test_changed_rows_of_the_ladder_are_found():
    study = ladders.opened()
    held = study.ladders
    held["perturbed"]["prior"]["highest"] *= 2
    Study.objects.filter(pk=study.pk).update(ladders=held, trials=11)
    found = [str(problem) for problem in verify(study).problems]
    assert any(", ladders: it is" in problem for problem in found)
    assert any(", trials: it is 11" in problem for problem in found)


def test_the_work_for_an_answer_is_the_same_for_both_outcomes(monkeypatch):
    """Every rule is asked as often after a right answer as after a wrong one, and after an identical pair."""
    asked: list[str] = []
    for method in ("tell", "choose", "expected_entropy"):
        true = getattr(Rule, method)
        counted = lambda self, *args, true=true, method=method: asked.append(method) or true(self, *args)  # noqa: E731
        monkeypatch.setattr(Rule, method, counted)
    work = {}
    for name, choose in (("right", right_answer), ("wrong", wrong_answer)):
        assignment = factories.assignment_of(ladders.opened(slug=name, readers=(name,)), name)
        work[name] = []
        for number in range(22):
            asked.clear()
            answer(assignment, f"{number:06d}", choose)
            work[name].append(len(asked))
    assert work["right"] == work["wrong"]
    assert {after - before for before, after in zip(work["right"], work["right"][1:])} == {1}  # one more to be told


def test_a_fixed_ladder_shows_every_level_once_and_identical_pairs():
    study = ladders.opened(ladder_=Study.Ladder.FIXED, identical=2)
    assert Presentation.objects.count() == 4 * 12 + 2
    both = Presentation.objects.filter(stimulus__arm="original", second__arm="original")
    assert both.count() == 2
    assert not verify(study).problems
    read(study)
    assert not verify(study).problems
    row = Presentation.objects.exclude(stimulus__arm="original").first()
    other = Stimulus.objects.filter(case=row.stimulus.case).exclude(arm__in=["original", row.stimulus.arm]).first()
    Presentation.objects.filter(pk=row.pk).update(stimulus=other)
    assert any("1 of 50 presentations are not those" in problem for problem in schedule_problems(study))


def test_no_gap_is_promised_that_cannot_be_kept():
    with pytest.raises(InvalidInput, match="largest feasible gap is 3"):
        ladders.opened(min_gap=12)
