"""A study from drawing to unblinding: what is fixed, what is refused, what is logged."""

import hashlib
from collections import Counter

import pytest
from django.core.files.storage import default_storage
from django.db import connection

from attacks.models import Attack, Perturbation
from core.errors import InvalidInput
from core.images import read_pixels
from core.models import User
from core.records import AppendOnlyError
from study import blinds as selectors
from study.design.draws import derived_seed
from study.models import AuditEvent, Presentation, Response, Stimulus, Study
from study.protocol import audit_log
from study.protocol.append_only import unguard
from study.protocol.building import StudySettings, build_study
from study.protocol.life import assign_reader, close_study, freeze_study, open_study, unblind_study
from study.results.tidy import stimulus_rows
from tests.pool import attacked_pool

pytestmark = pytest.mark.django_db

PAPER = {"positives": 6, "negatives": 0, "copies": 2, "arm_order": "paper"}
SMALL = StudySettings(**PAPER, min_gap=3, washout_hours=0)


def reader(name: str = "ann") -> User:
    return User.objects.create_user(name, password="x", role=User.Role.READER)


def built(**kwargs) -> Study:
    settings = kwargs.pop("settings", SMALL)
    readers = kwargs.pop("readers", None) or [reader()]
    kwargs = {"name": "Small", "seed": 5, "actor": "test", **kwargs}
    attack = kwargs.pop("attack", None) or attacked_pool()
    return build_study(attack=attack, settings=settings, readers=readers, **kwargs)


def orders(study: Study) -> list[tuple]:
    return list(
        Presentation.objects.filter(reading_set__assignment__study=study)
        .order_by("reading_set__assignment__code", "reading_set__number", "position")
        .values_list("reading_set__number", "position", "stimulus__case__patch_id", "stimulus__arm")
    )


def test_every_stimulus_is_presented_once_per_set_to_every_reader():
    study = built(readers=[reader("ann"), reader("ben")])
    assert study.state == Study.State.OPEN
    for assignment in study.assignments.all():
        for reading_set in assignment.sets.all():
            shown = list(reading_set.presentations.values_list("stimulus", flat=True))
            assert len(shown) == len(set(shown)) == 12
            assert list(reading_set.presentations.values_list("position", flat=True)) == list(range(1, 13))


def test_two_stimuli_of_a_patch_keep_the_minimum_gap():
    study = built()
    last: dict = {}
    for number, position, patch, _arm in orders(study):
        if (number, patch) in last:
            assert position - last[number, patch] >= SMALL.min_gap
        last[number, patch] = position


def test_the_gap_holds_from_set_to_set_only_where_no_wash_out_parts_them():
    wide = PAPER | {"task": "pair", "min_gap": 7}  # six pairs cannot keep seven apart
    with pytest.raises(InvalidInput, match="largest feasible gap is 6"):
        built(settings=StudySettings(**wide, washout_hours=0))
    parted = built(
        settings=StudySettings(**wide, washout_hours=24), readers=[reader("ben")], attack=Attack.objects.get()
    )
    first, second = ([row[2] for row in orders(parted) if row[0] == number] for number in (1, 2))
    assert sorted(first) == sorted(second) and first != second


def test_half_of_the_altered_images_of_pairs_stand_on_the_left_by_seed():
    study = built(settings=StudySettings(**PAPER, min_gap=3, washout_hours=0, task="pair"))
    for number in (1, 2):
        assert sum(row[3] == "perturbed" for row in orders(study) if row[0] == number) == 3


def test_the_same_seed_draws_the_same_cases_and_orders():
    first = built(name="One")
    second = build_study(
        name="Two", attack=attacked_pool(name="again"), seed=5, actor="test", settings=SMALL, readers=[reader("eve")]
    )
    third = build_study(
        name="Three", attack=attacked_pool(name="third"), seed=6, actor="test", settings=SMALL, readers=[reader("kim")]
    )
    assert orders(first) == orders(second)
    assert orders(first) != orders(third)


def test_stimuli_of_both_arms_have_one_length_and_their_recorded_hash():
    study = built()
    stimuli = Stimulus.objects.filter(case__study=study)
    bodies = [stimulus.image.open().read() for stimulus in stimuli]
    assert {stimulus.arm for stimulus in stimuli} == {"original", "perturbed"}
    assert len({len(body) for body in bodies}) == 1
    assert [hashlib.sha256(body).hexdigest() for body in bodies] == [stimulus.sha256 for stimulus in stimuli]


def test_practice_and_examples_come_from_outside_the_study():
    study = built()
    inside = set(study.cases.values_list("patch_id", flat=True))
    guides = list(study.guide_images.all())
    assert len(guides) == 8
    assert not inside & {guide.patch_id for guide in guides}
    assert len({guide.patch_id for guide in guides}) == len(guides)


def test_frozen_protocol_holds_every_schedule_under_its_hash():
    study = built()
    assert study.protocol_sha256 == audit_log.sha256_of(study.protocol)
    [schedule] = study.protocol["schedules"]
    assert [len(one["order"]) for one in schedule["sets"]] == [12, 12]
    study.protocol["min_gap"] = 0
    assert study.protocol_sha256 != audit_log.sha256_of(study.protocol)


def test_tokens_are_random_and_unique():
    first, second = built(name="One"), None
    second = build_study(
        name="Two", attack=attacked_pool(name="again"), seed=5, actor="test", settings=SMALL, readers=[reader("eve")]
    )
    tokens = [
        set(Presentation.objects.filter(reading_set__assignment__study=study).values_list("token", flat=True))
        for study in (first, second)
    ]
    assert not tokens[0] & tokens[1]
    assert {len(token) for token in tokens[0]} == {22}


def test_pair_comparison_shows_each_altered_image_beside_its_original():
    study = built(settings=StudySettings(**PAPER, min_gap=3, washout_hours=0, task="pair"))
    presentations = Presentation.objects.filter(reading_set__assignment__study=study)
    assert presentations.count() == 12
    for presentation in presentations:
        assert presentation.stimulus.case_id == presentation.second.case_id
        assert {presentation.stimulus.arm, presentation.second.arm} == {"original", "perturbed"}
    for number in (1, 2):
        assert presentations.filter(reading_set__number=number, stimulus__arm="perturbed").count() == 3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"positives": 13}, "12"),
        ({"negatives": 9}, "8"),
        ({"min_gap": 7}, "6"),
        ({"copies": 0}, "copies"),
        ({"questions": ("mood",)}, "mood"),
        ({"margin": 1.5}, "margin"),
        ({"washout_hours": -1}, "washout_hours"),
    ],
)
def test_what_cannot_be_built_is_refused_by_name_and_leaves_nothing(changes, words):
    attack = attacked_pool()
    before = set(default_storage.listdir("")[0])
    settings = StudySettings(**PAPER | {"min_gap": 3, "washout_hours": 0} | changes)
    with pytest.raises(InvalidInput, match=words):
        build_study(name="Bad", attack=attack, seed=0, actor="test", settings=settings, readers=[reader()])
    assert not Study.objects.exists()
    assert not AuditEvent.objects.exists()
    folders = set(default_storage.listdir("")[0]) - before
    assert not any(
        default_storage.listdir(f"{top}/{sub}")[1] for top in folders for sub in default_storage.listdir(top)[0]
    )


def test_a_taken_name_is_refused():
    built()
    with pytest.raises(InvalidInput, match="already"):
        build_study(name="Small", attack=Perturbation.objects.first().attack, seed=0, actor="test", settings=SMALL)


def test_only_readers_are_assigned_and_only_once():
    study = built()
    with pytest.raises(InvalidInput, match="already"):
        assign_reader(study=study, reader=User.objects.get(username="ann"), actor="test")
    researcher = User.objects.create_user("res", role=User.Role.RESEARCHER)
    with pytest.raises(InvalidInput, match="not a reader"):
        assign_reader(study=study, reader=researcher, actor="test")


def test_a_reader_who_joins_an_open_study_gets_a_logged_schedule_and_leaves_the_protocol_alone():
    study = built()
    frozen = study.protocol_sha256
    late = assign_reader(study=study, reader=reader("late"), actor="test")
    assert late.code == "R02"
    assert Presentation.objects.filter(reading_set__assignment=late).count() == 24
    event = AuditEvent.objects.filter(action="reader_assigned").last()
    assert len(event.detail["schedule_sha256"]) == 64
    study.refresh_from_db()
    assert study.protocol_sha256 == frozen


def test_readers_of_one_study_and_of_others_have_different_seeds():
    assert len({derived_seed(study, reader) for study in range(20) for reader in range(50)}) == 1000


def test_arms_open_at_unblinding_alone():
    study = built()
    for step in (None, close_study):
        if step:
            study = step(study=study, actor="test")
        for read in (
            selectors.unblinded_presentations,
            selectors.unblinded_stimuli,
            selectors.unblinded_responses,
        ):
            with pytest.raises(selectors.StillBlinded, match="closed"):
                read(study)
    study = unblind_study(study=study, actor="Dr Grey")
    assert study.unblinded_by == "Dr Grey"
    assert selectors.unblinded_presentations(study).count() == 24
    stimuli = [(row["arm"], row["truth"], row["model_label"]) for row in stimulus_rows(study)]
    assert Counter(stimuli) == {("original", 1, 1): 6, ("perturbed", 1, 0): 6}


def test_a_life_cannot_be_lived_backwards():
    study = built()
    with pytest.raises(InvalidInput, match="open"):
        freeze_study(study=study, actor="test")
    with pytest.raises(InvalidInput, match="open"):
        unblind_study(study=study, actor="test")
    study = close_study(study=study, actor="test")
    with pytest.raises(InvalidInput, match="closed"):
        open_study(study=study, actor="test")
    with pytest.raises(InvalidInput, match="closed"):
        assign_reader(study=study, reader=reader("late"), actor="test")


def test_the_log_is_a_chain_and_shows_where_it_was_changed():
    study = close_study(study=built(), actor="test")
    assert [event.action for event in study.events.all()] == ["built", "reader_assigned", "frozen", "open", "closed"]
    assert audit_log.first_broken_event() is None
    event = study.events.get(action="frozen")
    with pytest.raises(AppendOnlyError):
        event.save()
    # Somebody who owns the database takes its guard away, and changes what they like.
    connection.check_constraints()
    unguard(connection)
    super(type(AuditEvent.objects.all()), AuditEvent.objects.filter(pk=event.pk)).update(actor="somebody else")
    assert audit_log.first_broken_event() == event


def test_answers_cannot_be_changed_or_deleted():
    presentation = Presentation.objects.filter(reading_set__assignment__study=built()).first()
    response = Response.objects.create(
        presentation=presentation, revision=1, key="k", answer="tumour", code_version="t"
    )
    response.answer = "no_tumour"
    for attempt in (
        response.save,
        response.delete,
        Response.objects.all().delete,
        lambda: Response.objects.update(answer="no_tumour"),
    ):
        with pytest.raises(AppendOnlyError):
            attempt()
    assert Response.objects.get().answer == "tumour"


def test_unequal_sizes_are_refused_at_freezing():
    study = built(freeze=False)
    stimulus = Stimulus.objects.filter(case__study=study).first()
    default_storage.delete(stimulus.image.name)
    with default_storage.open(stimulus.image.name, "wb") as file:
        file.write(b"short")
    Stimulus.objects.filter(pk=stimulus.pk).update(sha256=hashlib.sha256(b"short").hexdigest())
    with pytest.raises(InvalidInput, match="lengths"):
        freeze_study(study=study, actor="test")
    study.refresh_from_db()
    assert study.state == Study.State.DRAFT
    assert not Presentation.objects.exists()


def test_a_pair_comparison_gets_pairs_to_practise_with_whose_change_is_plain_to_see():
    settings = StudySettings(**PAPER, task="pair", min_gap=3, washout_hours=0, practice=2, examples=1)
    study = built(settings=settings)
    kinds = list(study.guide_images.order_by("kind", "number").values_list("kind", "number"))
    assert kinds == [("altered", 1), ("altered", 2), ("example", 1), ("practice", 1), ("practice", 2)]
    for number in (1, 2):
        practice, altered = (study.guide_images.get(kind=kind, number=number) for kind in ("practice", "altered"))
        assert practice.patch_id == altered.patch_id
        pixels = [read_pixels(guide.image.name, sha256=guide.sha256).astype(int) for guide in (practice, altered)]
        assert abs(pixels[0] - pixels[1]).max() >= 40
    assert study.practice_count == 2
