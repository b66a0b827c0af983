"""A draft is edited and deleted; what is fixed cannot be; and what a step asks before it is taken."""

import pytest
from django.core.files.storage import default_storage

from core.models import User
from jobs.models import Job
from jobs.running import run_attempt
from study.models import Assignment, AuditEvent, Invitation, Study
from study.protocol import audit_log
from study.protocol.building import StudySettings, build_study
from study.protocol.life import change_team
from study.protocol.readers import invite
from study.protocol.verification import verify
from tests import factories
from tests.pool import attacked_pool
from tests.study.conduct.test_pages import BUILDER, SURE

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ada(client, own_files):
    """An admin's browser."""
    client.force_login(factories.user("ada", User.Role.ADMIN))
    return client


def built(**fields) -> Study:
    settings = StudySettings(positives=4, negatives=2, arm_order="paper", min_gap=2, washout_hours=0, practice=2)
    attack = attacked_pool()
    return build_study(
        name="First", attack=attack, seed=9, actor="test", settings=settings, freeze=False, readers=[], **fields
    )


def drawn(study: Study) -> list[str]:
    return list(study.cases.values_list("patch_id", flat=True))


def test_a_draft_is_built_again_and_keeps_its_address_its_readers_and_their_links(ada):
    study = built()
    invite(study=study, username="ben", actor="test")
    cases, files = drawn(study), [one.image.name for case in study.cases.all() for one in case.stimuli.all()]
    form = ada.get(f"/studies/{study.slug}/edit/").context["form"]
    assert (form["name"].value(), form["positives"].value(), form["seed"].value()) == ("First", 4, 9)
    kept = BUILDER | {"attack": form["attack"].value(), "seed": 9, "name": "Second", "copies": 3}
    answer = ada.post(f"/studies/{study.slug}/edit/", kept)
    job = Job.objects.get()
    assert answer.url == f"/jobs/{job.pk}/" and run_attempt(job.pk, 1) == "done", Job.objects.get().error
    again = Study.objects.get()
    assert (again.pk, again.slug, again.name, again.copies) == (study.pk, "first", "Second", 3)
    assert drawn(again) == cases, "the same seed and numbers draw the same cases"
    assert not any(default_storage.exists(file) for file in files), "the images of before are gone"
    assert all(default_storage.exists(one.image.name) for case in again.cases.all() for one in case.stimuli.all())
    assert again.assignments.get().reader.username == "ben" and Invitation.objects.get().used_at is None
    assert list(again.events.values_list("action", flat=True))[-1] == "rebuilt"


def test_a_draft_that_is_built_again_with_another_seed_gives_its_readers_seeds_of_that(ada):
    study = built(slug="first")
    invite(study=study, username="ben", actor="test")
    before = Assignment.objects.get().seed
    attack = study.source["attack"]["name"]
    build_study(
        name="First", attack=type(attacked_pool(name="other")).objects.get(name=attack), seed=10, actor="test",
        settings=StudySettings(positives=4, negatives=2, arm_order="paper", min_gap=2), freeze=False, draft=study,
    )  # fmt: skip
    reader = Assignment.objects.get()
    from study.design.draws import derived_seed

    assert reader.seed == derived_seed(10, 1) != before


def test_what_is_frozen_is_neither_edited_nor_deleted(ada):
    factories.open_study()
    for page in ("edit", "delete"):
        assert ada.get(f"/studies/small/{page}/").url == "/studies/small/"
        assert ada.post(f"/studies/small/{page}/", BUILDER).url == "/studies/small/"
    assert not Job.objects.exists() and Study.objects.get().state == "open"
    text = ada.get("/studies/small/").content.decode()
    assert "/studies/small/edit/" not in text and "/studies/small/delete/" not in text


def test_a_deleted_draft_is_gone_and_its_log_holds(ada):
    study = factories.draft_study()
    invite(study=study, username="ben", actor="test")
    files = [one.image.name for case in study.cases.all() for one in case.stimuli.all()]
    assert "invitations of 1 reader" in ada.get("/studies/small/delete/").content.decode()
    assert ada.post("/studies/small/delete/").url == "/studies/"
    assert not Study.objects.exists() and not Assignment.objects.exists() and not Invitation.objects.exists()
    assert not any(default_storage.exists(file) for file in files)
    assert ada.get("/studies/small/").status_code == 404
    last = AuditEvent.objects.order_by("pk").last()
    assert last is not None and (last.action, last.actor, last.detail["slug"]) == ("deleted", "ada", "small")
    assert audit_log.first_broken_event() is None
    assert factories.draft_study().slug == "small", "the name is free again"
    deleted = Study._base_manager.get(deleted_at__isnull=False)
    assert verify(deleted).problems == []


def test_freezing_shows_what_it_will_fix_and_leads_on_to_opening(ada):
    factories.draft_study()
    page = ada.get("/studies/small/freeze/").content.decode()
    assert "cannot be undone" in page and "Minimum gap" in page and "Tumour when there are five tumour cells" in page
    assert (
        "This is not your password" in (wrong := ada.post("/studies/small/freeze/", {"password": "x"}).content.decode())
        or "not your password" in wrong
    )
    job = Job.objects.get(pk=int(ada.post("/studies/small/freeze/", SURE).url.split("/")[2]))
    assert f"/jobs/{job.pk}/" in ada.get("/studies/small/").content.decode(), "the page names the job at work"
    assert run_attempt(job.pk, 1) == "done", Job.objects.get().error
    assert 'href="/studies/small/"' in ada.get(f"/jobs/{job.pk}/").content.decode()
    page = ada.get("/studies/small/").content.decode()
    assert "Readers cannot begin yet" in page and "Open to readers" in page
    assert ada.get("/studies/small/freeze/").url == "/studies/small/"


def test_closing_names_who_is_unfinished_and_wants_to_be_told_all_the_same(ada):
    study = factories.open_study(readers=("ann", "ben"))
    study.assignments.filter(code="R02").update(withdrawn_at=study.created_at)
    page = ada.get("/studies/small/close/").content.decode()
    assert page.count('scope="row">R01') == 2 and "R02" not in page
    answer = ada.post("/studies/small/close/")
    assert answer.status_code == 400 and "R01 has 0 of 8 in set 1" in answer.content.decode()
    assert Study.objects.get().state == "open"
    ada.post("/studies/small/close/", {"unfinished": "on"})
    assert Study.objects.get().state == "closed"


def test_readers_who_were_withdrawn_do_not_count_as_expected(ada):
    study = factories.open_study(readers=("ann", "ben"))
    study.assignments.filter(code="R02").update(withdrawn_at=study.created_at)
    page = " ".join(ada.get("/studies/small/").content.decode().split())
    assert "0 of 16 presentations answered by 1 reader; 1 more was withdrawn" in page


def test_a_study_goes_to_another_team_with_its_jobs(ada, client):
    from django.contrib.auth.models import Group

    study = factories.draft_study()
    Job.objects.create(kind="freeze_study", title="x", code_version="t", arguments={"study": "small"})
    grey, blue = (Group.objects.create(name=name) for name in ("grey", "blue"))
    rex = factories.user("rex", User.Role.RESEARCHER)
    rex.groups.add(blue)
    ada.post("/studies/small/team/", {"team": grey.pk})
    study.refresh_from_db()
    assert study.team == grey and Job.objects.get().team == grey
    client.force_login(rex)
    assert client.get("/studies/small/").status_code == 404
    change_team(study=study, team=blue, actor="ada")
    assert client.get("/studies/small/").status_code == 200
    assert [event.detail["team"] for event in study.events.filter(action="team_changed")] == ["grey", "blue"]
