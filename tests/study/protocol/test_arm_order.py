"""How a study is built where little is asked for: order of arms, gap, negatives, groups; and what is said about it."""

import io
import json
from collections import Counter

import pytest
from django.core.management import call_command

from core.errors import InvalidInput
from core.models import User
from jobs.models import Job
from jobs.running import run_attempt
from model.models import Patch
from study.blinds import get_study
from study.models import Case, Presentation, Study
from study.protocol.building import StudySettings, build_study
from study.protocol.life import assign_reader
from study.reading.preview import Preview
from tests import factories
from tests.pool import attacked_pool

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_is_judged(monkeypatch):
    """The pool's classifier has no weights; what it says of controls is not asked here."""
    monkeypatch.setattr("study.protocol.controls.Controls.answer", lambda controls, pixels: None)


def built(*, readers=("ann", "ben"), pool=None, **settings) -> Study:
    attack = attacked_pool(**(pool or {}))
    people = [User.objects.create_user(name, role=User.Role.READER) for name in readers]
    chosen = StudySettings(**{"positives": 6, "practice": 1, "examples": 1} | settings)
    return build_study(name="Small", attack=attack, seed=5, actor="test", settings=chosen, readers=people)


def shown(study: Study) -> dict[tuple[str, int], list[tuple[str, str]]]:
    """Patch and arm in order, by reader and set."""
    found: dict = {}
    rows = Presentation.objects.filter(reading_set__assignment__study=study).order_by(
        "reading_set__assignment__code", "reading_set__number", "position"
    )
    columns = ("reading_set__assignment__code", "reading_set__number", "stimulus__case__patch_id", "stimulus__arm")
    for code, number, patch, arm in rows.values_list(*columns):
        found.setdefault((code, number), []).append((patch, arm))
    return found


def test_by_default_each_set_shows_each_patch_once_and_the_next_set_its_twin():
    study = built()
    assert (study.arm_order, study.cases.filter(truth=False).count()) == ("twin-split", 6)
    sets = shown(study)
    truth = dict(study.cases.values_list("patch_id", "truth"))
    for code in ("R01", "R02"):
        first, second = dict(sets[code, 1]), dict(sets[code, 2])
        assert len(sets[code, 1]) == len(first) == 12 and first.keys() == second.keys()
        assert all({first[patch], second[patch]} == {"original", "perturbed"} for patch in first)
        for kind in (True, False):  # half of the positives and half of the negatives are met original first
            assert Counter(arm for patch, arm in first.items() if truth[patch] == kind) == {
                "original": 3,
                "perturbed": 3,
            }
    assert [patch for patch, _ in sets["R01", 1]] != [patch for patch, _ in sets["R02", 1]]


def test_readers_next_to_each_other_meet_every_patch_in_opposite_arms_also_those_who_join_later():
    study = built(readers=("ann", "ben", "cem"))
    assign_reader(study=get_study("small"), reader=factories.user("dee"), actor="test")
    sets = shown(study)
    for one, other in (("R01", "R02"), ("R03", "R04")):
        for number in (1, 2):
            mine, theirs = dict(sets[one, number]), dict(sets[other, number])
            assert all(mine[patch] != theirs[patch] for patch in mine)
    recorded = study.protocol["schedules"]
    assert [entry["turn"] for entry in recorded] == [0, 1, 0]
    assert recorded[0]["round_seed"] == recorded[1]["round_seed"] != recorded[2]["round_seed"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [({"copies": 1}, "1 set is no multiple of the 2 arms"), ({"noise": True}, "2 sets are no multiple of the 3 arms")],
)
def test_where_the_number_of_sets_forbids_it_the_papers_order_is_taken_and_the_study_says_so(client, asked, words):
    study = built(**asked)
    assert study.arm_order == "paper"
    [note] = [note for note in study.source["notes"] if "paper’s order" in note]
    assert words in note and "arms of a patch" in note
    client.force_login(factories.user("rita", "researcher"))
    assert words in client.get("/studies/small/").text
    assert note in client.get("/api/v1/studies/small/").json()["notes"]


def test_three_arms_go_through_three_sets():
    study = built(noise=True, copies=3)
    assert study.arm_order == "twin-split"
    sets = shown(study)
    for patch in study.cases.values_list("patch_id", flat=True):
        assert {dict(sets["R01", number])[patch] for number in (1, 2, 3)} == {"original", "perturbed", "noise"}


def test_twins_in_different_sets_are_refused_where_the_number_of_sets_does_not_fit():
    with pytest.raises(InvalidInput, match=r"3 sets are no multiple of 2: .* Ask for 2 sets") as caught:
        built(arm_order="twin-split", copies=3)
    assert caught.value.field == "copies"
    assert not Study.objects.exists()


def test_a_pair_comparison_keeps_its_order():
    study = built(task="pair", min_gap=3)
    assert study.arm_order == "paper"
    assert all(
        len(order) == 12 and {arm for _, arm in order} == {"original", "perturbed"} for order in shown(study).values()
    )


@pytest.mark.parametrize(
    ("asked", "gap"),
    [
        ({"positives": 6, "arm_order": "paper"}, 12),
        ({"positives": 3, "negatives": 2, "arm_order": "paper"}, 5),
        ({"positives": 4, "negatives": 1, "washout_hours": 0}, 5),
        ({"positives": 4, "negatives": 1, "washout_hours": 24}, 12),  # never comes into play
        ({"positives": 6, "arm_order": "paper", "min_gap": 4}, 4),
    ],
)
def test_the_gap_is_the_one_asked_for_or_twelve_or_the_largest_feasible_and_is_kept_as_a_number(asked, gap):
    study = built(**asked)
    assert (study.min_gap, study.source["settings"]["min_gap"], study.protocol["min_gap"]) == (gap, gap, gap)


def test_negatives_come_from_the_slides_of_the_positives_and_are_as_many():
    study = built(positives=5, pool={"positives": 10, "negatives": 30})
    groups = {
        truth: Counter(study.cases.filter(truth=truth).values_list("group", flat=True)) for truth in (True, False)
    }
    assert groups[True] == groups[False] == dict.fromkeys([f"slide-{n}" for n in range(5)], 1)
    assert study.source["settings"]["stratify"] == "group"
    assert study.source["groups"]["negatives"] == {"patches": 5, "groups": 5, "known": 5}


def test_fewer_negatives_than_positives_and_none_are_said():
    study = built(positives=8, pool={"positives": 10, "negatives": 3})
    assert study.cases.filter(truth=False).count() == 3
    assert any("the pool has 3: 3 will be shown" in note for note in study.source["notes"])
    assert study.floor_d_prime == 1.0


def test_a_study_of_positives_only_says_what_it_cannot_tell_and_has_no_floor_on_d_prime():
    study = built(negatives=0)
    assert not study.cases.filter(truth=False).exists()
    assert any("always answers “tumour”" in note for note in study.source["notes"])
    assert (study.floor_tpf, study.floor_d_prime) == (0.7, None)


def test_too_few_slides_are_warned_of_by_page_command_and_api(client):
    attacked_pool()
    out, err = io.StringIO(), io.StringIO()
    call_command("build_study", attack="pool", name="Small", positives=6, practice=0, json=True, stdout=out, stderr=err)
    report = json.loads(out.getvalue())
    warning = "6 positives come from 5 slides or patients only. With fewer than 10"
    assert report["groups"] == {"positives": 5, "negatives": 5}
    assert report["drawn"] == "6 positives from 5 slides or patients, 6 negatives from 5 slides or patients"
    assert any(note.startswith(warning) for note in report["notes"]) and warning in err.getvalue()
    client.force_login(factories.user("rita", "researcher"))
    page = client.get("/studies/small/").text
    assert warning in page and report["drawn"] in page
    assert any(note.startswith(warning) for note in client.get("/api/v1/studies/small/").json()["notes"])


def test_where_no_slide_is_known_cases_are_drawn_at_random_and_drawing_over_slides_is_refused():
    attack = attacked_pool()
    Patch.objects.update(group="")
    chosen = StudySettings(positives=6, practice=0, examples=0)
    study = build_study(name="Free", attack=attack, seed=5, actor="test", settings=chosen)
    assert study.source["settings"]["stratify"] == "random" and study.source["groups"]["positives"]["known"] == 0
    assert not any("slide" in note for note in study.source["notes"])
    with pytest.raises(InvalidInput, match="no patch of the pool has a slide or patient"):
        settings = StudySettings(positives=6, stratify="group")
        build_study(name="Bound", attack=attack, seed=5, actor="test", settings=settings)


def test_catch_images_are_further_patches_where_twins_lie_in_different_sets():
    study = built(positives=4, negatives=4, catch=2)
    catches = Case.objects.filter(study=study, stimuli__arm="catch")
    assert catches.count() == 2 and study.cases.count() == 10
    assert all(case.stimuli.count() == 1 for case in catches)
    assert {case.truth for case in catches} == {True, False}
    for order in shown(study).values():
        assert len(order) == len({patch for patch, _ in order}) == 10
        assert sum(arm == "catch" for _, arm in order) == 2
    guides = set(study.guide_images.values_list("patch_id", flat=True))
    assert not guides & set(study.cases.values_list("patch_id", flat=True))


def test_catch_images_in_the_papers_order_are_of_the_studys_own_cases():
    study = built(positives=4, negatives=4, catch=2, arm_order="paper")
    assert study.cases.count() == 8 and study.cases.filter(stimuli__arm="catch").count() == 2


def test_the_protocol_names_what_the_analysis_will_do():
    study = built(margin_rationale="Smaller than the spread of readers.", floor_d_prime=1.5)
    protocol = study.protocol
    assert (protocol["arm_order"], protocol["floor_tpf"], protocol["floor_d_prime"]) == ("twin-split", 0.7, 1.5)
    assert protocol["margin_rationale"] == "Smaller than the spread of readers."
    assert protocol["stopping_rule"].startswith("Reading ends when")
    assert all(protocol[name] for name in ("primary_interval", "unit_of_inference", "sensitivity_set", "multiplicity"))


def test_the_preview_shows_each_patch_once_in_a_set(client):
    study = built()
    shown_first = Preview(client.session, study).presentations
    assert len(shown_first) == 12 == len({one.stimulus.case_id for one in shown_first})
    assert Counter(one.stimulus.arm for one in shown_first) == {"original": 6, "perturbed": 6}


@pytest.mark.django_db(transaction=True)
def test_a_seed_that_is_not_given_is_drawn_at_random_and_kept_with_the_job(client):
    attack = attacked_pool()
    client.force_login(factories.user("ada", "admin"))
    for name in ("One", "Two"):
        assert client.post("/new-study/", {"name": name, "attack": attack.pk, "positives": 4}).status_code == 302
    seeds = [job.arguments["seed"] for job in Job.objects.order_by("pk")]
    assert len(set(seeds)) == 2 and all(isinstance(seed, int) for seed in seeds)
    assert run_attempt(Job.objects.order_by("pk")[0].pk, 1) == "done", Job.objects.order_by("pk")[0].error
    assert Study.objects.get().seed == seeds[0]


def test_the_papers_design_is_one_click_away(client):
    attack = attacked_pool()
    client.force_login(factories.user("ada", "admin"))
    page = client.get(f"/new-study/?attack={attack.pk}")
    assert f'href="?attack={attack.pk}&amp;design=paper"' in page.text
    form = client.get(f"/new-study/?attack={attack.pk}&design=paper").context["form"]
    values = {name: form[name].value() for name in ("arm_order", "negatives", "copies", "positives", "attack")}
    assert values == {"arm_order": "paper", "negatives": 0, "copies": 2, "positives": 20, "attack": str(attack.pk)}


def test_a_study_page_counts_the_images_of_a_set(client):
    built()
    client.force_login(factories.user("rita", "researcher"))
    text = client.get("/studies/small/").text
    assert "2, with 12 presentations each per reader" in text and "twins in different sets" in text
