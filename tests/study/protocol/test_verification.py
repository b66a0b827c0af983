"""The owner of a database changes what they like, with raw SQL and without the triggers: verifying finds it."""

import json
from collections.abc import Callable

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection

from study.models import AuditEvent, Presentation, ReadingSet, Response, Stimulus, Study
from study.protocol import answer_chain, audit_log, frozen
from study.protocol import life as services
from study.protocol.append_only import guard, unguard
from study.protocol.readers import withdraw
from study.protocol.verification import NotVerified, demand_verified, verify
from study.reading import answers as reading
from study.reading.answers import SentAnswer
from tests import factories

pytestmark = pytest.mark.django_db
FLIP = "CASE answer WHEN 'tumour' THEN 'no_tumour' ELSE 'tumour' END"


def read(study: Study, username: str, number: int, upto: int | None = None, *, finish: bool = True) -> None:
    """Answer a set through the reading services, and change the last answer once."""
    assignment = factories.assignment_of(study, username)
    shown = Presentation.objects.filter(reading_set__assignment=assignment, reading_set__number=number)
    for row in shown.order_by("position")[:upto]:
        sent = SentAnswer(answer="tumour" if row.position % 3 else "no_tumour", rt_ms=900, viewing={"scale": 2.0})
        reading.record_answer(assignment=assignment, token=row.token, key=f"key of {row.token}", sent=sent)
    again = SentAnswer(answer="no_tumour", note="")
    reading.record_answer(assignment=assignment, token=row.token, key="another-key", sent=again, replaces=1)
    if finish:
        reading.finish_set(assignment=assignment, number=number)


@pytest.fixture
def study() -> Study:
    """One reader came to the end, a second one into the first set, a third one was withdrawn; unblinded."""
    made = factories.open_study(readers=("ada", "ben", "cleo"), copies=2, margin=0.1, guides=1)
    for number in (1, 2):
        read(made, "ada", number)
    said = {"noticed": "no", "share": 10, "difference": "", "repeats": "no", "comment": ""}
    reading.save_questionnaire(assignment=factories.assignment_of(made, "ada"), **said)
    read(made, "ben", 1, upto=5, finish=False)
    withdraw(assignment=factories.assignment_of(made, "cleo"), reason="moved away", actor="office")
    made = services.unblind_study(study=services.close_study(study=made, actor="office"), actor="Dr Office")
    audit_log.record(study=made, actor="office", action="protocol_taken_out")
    return Study.objects.get(pk=made.pk)


def sql(statement: str, *values: object) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.rowcount


def each(*statements: str) -> Callable[[Study], None]:
    """A manipulation in SQL alone; every statement must have changed something."""

    def change(study: Study) -> None:
        for statement in statements:
            assert sql(statement), statement

    return change


def columns_of_responses() -> str:
    return ", ".join(f'"{field.column}"' for field in Response._meta.concrete_fields if field.column != "id")


def add_revisions(study: Study) -> None:
    columns = columns_of_responses()
    changed = {'"revision"': "revision + 7", '"key"': "key || 'x'", '"answer"': FLIP}
    values = ", ".join(changed.get(column, column) for column in columns.split(", "))
    assert sql(f"INSERT INTO study_response ({columns}) SELECT {values} FROM study_response")


def _answer_nobody_gave() -> tuple[ReadingSet, Response]:
    """For the first image of the second reader that has none; not stored."""
    shown = Presentation.objects.filter(reading_set__assignment__code="R02", responses=None)
    empty = shown.order_by("reading_set__number", "position").first()
    fields = {"revision": 1, "key": "made up", "answer": "tumour", "code_version": "test"}
    return empty.reading_set, Response(presentation=empty, **fields)


def insert_an_answer(study: Study) -> None:
    _answer_nobody_gave()[1].save()


def insert_an_answer_with_its_hashes(study: Study) -> None:
    reading_set, response = _answer_nobody_gave()
    answer_chain.append(reading_set, response.presentation, response)


def replace_a_png_and_its_hash(study: Study) -> None:
    stimulus = Stimulus.objects.filter(case__study=study, arm="perturbed").first()
    with default_storage.open(stimulus.image.name) as file:
        data = bytearray(file.read())
    data[-60] ^= 1
    name = default_storage.save("stimuli/other.png", ContentFile(bytes(data)))
    digest = factories.hashlib.sha256(bytes(data)).hexdigest()
    assert sql("UPDATE study_stimulus SET sha256 = %s, image = %s WHERE id = %s", digest, name, stimulus.pk)


def replace_a_png_alone(study: Study) -> None:
    with default_storage.open(Stimulus.objects.first().image.name, "r+b") as file:
        file.seek(-60, 2)
        file.write(b"\x00\x01\x02")


def change_the_protocol(study: Study, change: Callable[[dict], None], *, with_its_hash: bool) -> None:
    change(study.protocol)
    digest = audit_log.sha256_of(study.protocol) if with_its_hash else study.protocol_sha256
    text = json.dumps(study.protocol)
    assert sql("UPDATE study_study SET protocol = %s, protocol_sha256 = %s WHERE id = %s", text, digest, study.pk)


def another_commitment(study: Study) -> None:
    def change(document: dict) -> None:
        document["schedule_secret_sha256"] = "0" * 64

    change_the_protocol(study, change, with_its_hash=True)


def another_margin_everywhere(study: Study) -> None:
    sql("UPDATE study_study SET margin = 0.3")
    change_the_protocol(study, lambda document: document.update(margin=0.3), with_its_hash=True)


def another_text_in_the_protocol(study: Study) -> None:
    change_the_protocol(study, lambda document: document.update(primary_estimand="another"), with_its_hash=False)


def swap_two_presentations(study: Study) -> None:
    one, other = Presentation.objects.filter(reading_set__assignment__code="R01").order_by("pk")[:2]
    for pk, position in ((one.pk, 1000), (other.pk, one.position), (one.pk, other.position)):
        sql("UPDATE study_presentation SET position = %s WHERE id = %s", position, pk)


def swap_two_stimuli(study: Study) -> None:
    shown = Presentation.objects.filter(reading_set__assignment__code="R01", reading_set__number=1)
    one, other = shown.order_by("pk")[:2]
    for pk, stimulus in ((one.pk, other.stimulus_id), (other.pk, one.stimulus_id)):
        sql("UPDATE study_presentation SET stimulus_id = %s WHERE id = %s", stimulus, pk)


def swap_two_readers(study: Study) -> None:
    for old, new in (("R01", "X"), ("R02", "R01"), ("X", "R02")):
        sql("UPDATE study_assignment SET code = %s WHERE code = %s", new, old)


def swap_two_answers(study: Study) -> None:
    one, other = Response.objects.filter(revision=1).order_by("pk")[:2]
    for pk, shown in ((one.pk, other.presentation_id), (other.pk, one.presentation_id)):
        sql("UPDATE study_response SET revision = 9, presentation_id = %s WHERE id = %s", shown, pk)
    sql("UPDATE study_response SET revision = 1 WHERE revision = 9")


def rewrite_the_chain(study: Study) -> None:
    """Another name for who unblinded, in the log and in the row, and every hash computed again."""
    sql("UPDATE study_auditevent SET actor = 'Somebody Else' WHERE actor = 'Dr Office'")
    sql("UPDATE study_study SET unblinded_by = 'Somebody Else'")
    previous = audit_log.GENESIS
    for event in AuditEvent.objects.order_by("pk"):  # the database has one study
        event.previous_hash = event.study_previous = previous
        digest = audit_log.sha256_of(json.loads(audit_log.hashed_text(event)))
        statement = "UPDATE study_auditevent SET previous_hash = %s, study_previous = %s, hash = %s WHERE id = %s"
        sql(statement, previous, previous, digest, event.pk)
        previous = digest


FIRST = "(SELECT id FROM study_response ORDER BY id LIMIT {})"
LAST = "(SELECT id FROM study_response ORDER BY id DESC LIMIT {})"
LAST_EVENTS = "(SELECT id FROM study_auditevent ORDER BY id DESC LIMIT {})"

# What is done, and what verifying must say of it.
MANIPULATIONS: dict[str, tuple[Callable[[Study], None], str]] = {
    "flip ten answers": (each(f"UPDATE study_response SET answer = {FLIP} WHERE id IN {FIRST.format(10)}"),
                         "position 1, revision 1): it has not the hash"),
    "delete five answers": (each(f"DELETE FROM study_response WHERE id IN {FIRST.format(5)}"), "were counted"),
    "delete the last answers": (each(f"DELETE FROM study_response WHERE id IN {LAST.format(5)}"),
                                "R02, set 1), answers: 1 answers are stored, but 6 were counted"),
    "add revisions": (add_revisions, "revision 8): it has not the hash"),
    "insert an answer for an unanswered presentation": (insert_an_answer, "R02, set 1, position 6"),
    "insert an answer with its hashes": (insert_an_answer_with_its_hashes,
                                         "answers: it is 7, but event"),
    "change an answer's time": (each("UPDATE study_response SET rt_ms = 5 WHERE rt_ms = 900"), "it has not the hash"),
    "change when an answer was received": (
        each("UPDATE study_response SET received_at = '2026-01-01 00:00:00+00:00'"), "it has not the hash"),
    "change a note": (each("UPDATE study_response SET note = 'unsure' WHERE revision = 2"), "it has not the hash"),
    "swap two answers": (swap_two_answers, "it has not the hash"),
    "flip truths": (each("UPDATE study_case SET truth = NOT truth"), "truth: it is false, but the frozen protocol"),
    "swap all arm names": (
        each(*(f"UPDATE study_stimulus SET arm = '{new}' WHERE arm = '{old}'"
               for old, new in (("original", "x"), ("perturbed", "original"), ("x", "perturbed")))),
        "presentations are not those that the seed and the secret give"),
    "change the margin": (each("UPDATE study_study SET margin = 0.2"),
                          "margin: it is 0.2, but the frozen protocol says 0.1"),
    "change the margin and the protocol with its hash": (another_margin_everywhere, "of the log (frozen) says"),
    "change the protocol": (another_text_in_the_protocol, "protocol_sha256: it is"),
    "change model_label": (each("UPDATE study_stimulus SET model_label = NOT model_label"), "model_label: it is"),
    "change model_prob": (each("UPDATE study_stimulus SET model_prob = 0.5"), "model_prob: it is 0.5"),
    "change the state": (each("UPDATE study_study SET state = 'closed'"),
                         'state: it is "closed", but the log says "unblinded"'),
    "hide a study": (each("UPDATE study_study SET deleted_at = frozen_at"), "deleted_at: it hides the study"),
    "change when it was closed": (each("UPDATE study_study SET closed_at = frozen_at"), "closed_at: it is"),
    "change who unblinded": (each("UPDATE study_study SET unblinded_by = 'Nobody'"), "unblinded_by"),
    "replace a PNG and its hash": (replace_a_png_and_its_hash, "sha256: it is"),
    "replace a PNG": (replace_a_png_alone, "has changed since it was stored"),
    "drop the last log events": (each(f"DELETE FROM study_auditevent WHERE id IN {LAST_EVENTS.format(2)}"),
                                 'state: it is "unblinded", but the log says "closed"'),
    "change an event": (each("UPDATE study_auditevent SET actor = 'nobody' WHERE action = 'open'"),
                        "its hash does not follow"),
    "change a reader's code": (each("UPDATE study_assignment SET code = 'R09' WHERE code = 'R01'"),
                               "the log knows no reader R09"),
    "swap two readers": (swap_two_readers, "it has not the hash"),
    "say that a reader was simulated": (each("UPDATE study_assignment SET simulated = NOT simulated"), "simulated"),
    "take a withdrawal back": (
        each("UPDATE study_assignment SET withdrawn_at = NULL WHERE withdrawn_at IS NOT NULL"), "withdrawn_at"),
    "change the questionnaire": (
        each("UPDATE study_assignment SET questionnaire = '{}' WHERE questionnaire IS NOT NULL"), "questionnaire"),
    "reorder presentations": (swap_two_presentations, "the first at position 1"),
    "show other stimuli": (swap_two_stimuli, "2 of 8 presentations are not those"),
    "change the secret's commitment": (another_commitment, "not the one that the protocol commits to"),
    "change the secret": (each(f"UPDATE study_schedulesecret SET value = '{'ab' * 16}'"), "secret of the schedules"),
    "exclude a case": (each("UPDATE study_case SET excluded = NOT excluded WHERE number = 2"),
                       "(case 2), excluded: it is true"),
    "take the end of a set away": (
        each("UPDATE study_readingset SET completed_at = NULL WHERE completed_at IS NOT NULL"), "completed_at"),
    "shorten a wash-out": (
        each("UPDATE study_readingset SET completed_at = '2026-01-01 00:00:00+00:00' WHERE completed_at IS NOT NULL"),
        "completed_at: it is"),
    "change a practice image": (each("UPDATE study_guideimage SET truth = NOT truth"), "study_guideimage"),
}  # fmt: skip


def test_a_study_that_nobody_touched_is_verified_in_every_state(study):
    verification = verify(study, anchors=[audit_log.head(study), audit_log.short(audit_log.head(study))])
    assert verification.problems == []
    assert len(verification.found) == 7
    assert verify(factories.draft_study(slug="draft")).problems == []
    assert verify(factories.open_study(slug="open", readers=())).problems == []


@pytest.mark.parametrize("name", MANIPULATIONS)
def test_a_manipulation_is_found_and_named(study, name):
    change, said = MANIPULATIONS[name]
    connection.check_constraints()
    unguard(connection)
    change(study)
    connection.check_constraints()
    guard(connection)
    problems = [str(problem) for problem in verify(study).problems]
    assert any(said in problem for problem in problems), problems
    with pytest.raises(NotVerified, match="Verification found"):
        demand_verified(study)


def test_the_last_event_that_left_no_trace_and_a_rewritten_log_are_found_by_an_anchor(study):
    """Nothing in the database tells any more: that is what heads are shown, printed, mailed and signed for."""
    anchor = audit_log.short(audit_log.head(study))
    connection.check_constraints()
    for manipulate in (each(f"DELETE FROM study_auditevent WHERE id IN {LAST_EVENTS.format(1)}"), rewrite_the_chain):
        unguard(connection)
        manipulate(study)
        guard(connection)
        assert verify(study).problems == []
        assert [problem.where for problem in verify(study, anchors=[anchor]).problems] == [f"anchor {anchor}"]


def test_a_missing_trigger_is_named(study):
    connection.check_constraints()
    unguard(connection)
    assert any("no longer refuses changes" in str(problem) for problem in verify(study).problems)


def test_a_few_digits_are_no_anchor(study):
    assert verify(study, anchors=[audit_log.head(study)[:15]]).problems
    assert verify(study, anchors=[""]).problems
    assert not verify(study, anchors=[audit_log.head(study)[:16].upper()]).problems


def test_every_column_of_a_study_is_fixed_by_the_protocol_or_known_to_be_something_else():
    """A new setting that is not compared could be changed after freezing."""
    apart = {"id", "state", "protocol", "protocol_sha256", "created_at", "created_by", "unblinded_by", "team"}
    apart.add("deleted_at")  # of a draft: compared with the log
    stamps = {"frozen_at", "opened_at", "closed_at", "unblinded_at"}  # compared with the log
    columns = {field.name for field in Study._meta.concrete_fields}
    assert columns - apart - stamps == set(frozen.SETTINGS.values())
