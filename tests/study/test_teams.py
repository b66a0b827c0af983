"""Who is not in a study's team sees nothing of it: no page, no answer of the API, no export, no job, no preview."""

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from core.errors import InvalidInput
from core.models import User
from jobs.models import Job
from study.models import Study
from study.protocol import requests
from tests import factories
from tests.pool import attacked_pool

pytestmark = pytest.mark.django_db
PAGES = (
    "/studies/small/", "/studies/small/verification/",
    "/studies/small/protocol/", "/studies/small/protocol.json", "/studies/small/protocol.md",
    "/studies/small/results/", "/studies/small/results/figure/forest.svg", "/studies/small/results/presentations.csv",
    "/api/v1/studies/small/", "/api/v1/studies/small/protocol/", "/api/v1/studies/small/protocol/text/",
    "/api/v1/studies/small/analysis/", "/api/v1/studies/small/exports/presentations.csv",
    "/api/v1/studies/small/readers/", "/api/v1/studies/small/readers/R01/",
)  # fmt: skip
LISTS = ("/", "/studies/", "/jobs/", "/api/v1/studies/", "/api/v1/jobs/")


def person(name: str, role: str, *teams: Group) -> Client:
    made = factories.user(name, role)
    made.groups.set(teams)
    client = Client()
    client.force_login(made, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def north():
    return Group.objects.create(name="North")


@pytest.fixture
def job(north):
    factories.open_study(name="Hidden away")
    Study.objects.update(team=north)
    arguments = {"study": "small", "actor": "test"}
    return Job.objects.create(
        kind="freeze_study", title="Hidden away", arguments=arguments, team=north, state="running", code_version="t"
    )


def test_a_stranger_to_the_team_gets_404_everywhere(north, job):
    south = Group.objects.create(name="South")
    for stranger in (person("ora", "researcher", south), person("otto", "researcher")):
        for address in (*PAGES, f"/jobs/{job.pk}/", f"/jobs/{job.pk}/state", f"/api/v1/jobs/{job.pk}/"):
            assert stranger.get(address).status_code == 404, address
        assert stranger.post("/studies/small/protocol.json").status_code == 404
        for address in (f"/jobs/{job.pk}/cancel", f"/jobs/{job.pk}/retry", f"/api/v1/jobs/{job.pk}/cancel/"):
            assert stranger.post(address).status_code == 404, address
        assert stranger.get("/preview/study/small/").status_code == 403
        for address in LISTS:
            shown = stranger.get(address).text
            assert "Hidden away" not in shown and "small" not in shown, address


def test_the_team_and_admins_see_it_all(north, job):
    for friend in (person("nora", "researcher", north), person("boss", "admin")):
        assert friend.get("/studies/small/").status_code == 200
        assert friend.get("/api/v1/studies/small/").json()["team"] == "North"
        assert friend.get(f"/jobs/{job.pk}/").status_code == 200
        for address in LISTS:
            assert "Hidden away" in friend.get(address).text, address


def test_without_teams_every_researcher_sees_every_study():
    factories.open_study(name="In the open")
    assert "In the open" in person("ora", "researcher").get("/studies/").text


def test_a_study_belongs_to_the_team_of_who_built_it(north):
    attacked_pool()
    boss = factories.user("boss", "admin")
    assert requests._own_team(boss) is None and requests._own_team(None) is None
    boss.groups.add(north)
    client = Client()
    client.force_login(boss, backend="django.contrib.auth.backends.ModelBackend")
    body = {"name": "Ours", "attack": "pool", "positives": 4, "min_gap": 2, "practice": 0, "questions": []}
    made = client.post("/api/v1/studies/", body, content_type="application/json")
    assert made.status_code == 202, made.text
    assert Job.objects.get().team == north and Job.objects.get().arguments["team"] == "North"
    boss.groups.add(Group.objects.create(name="South"))
    refused = client.post("/api/v1/studies/", body | {"name": "Whose"}, content_type="application/json")
    assert refused.status_code == 400 and "North, South" in refused.json()["team"][0]
    with pytest.raises(InvalidInput):
        requests._own_team(boss)


def test_the_built_study_has_the_jobs_team(north):
    from core.requests import check
    from study.protocol.building import build_study
    from study.protocol.requests import StudyRequest, for_builder

    attacked_pool()
    asked = {"name": "Ours", "attack": "pool", "positives": 4, "min_gap": 2, "practice": 0, "team": "North"}
    study = build_study(actor="test", freeze=False, **for_builder(check(StudyRequest, asked)))
    assert study.team == north and not User.objects.exists()
