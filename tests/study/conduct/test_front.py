"""The first page: the dashboard for researchers and admins, the studies for readers, the sign-in for strangers."""

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from core.models import User
from jobs.models import Job, JobWorker
from tests import factories
from tests.pool import attacked_pool

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("role", [User.Role.RESEARCHER, User.Role.ADMIN])
def test_the_dashboard_counts_what_there_is_and_shows_jobs_workers_and_studies(client, role):
    attacked_pool()
    study = factories.open_study()
    Job.objects.create(kind="train", title="Train it", state="running", done=1, total=4, code_version="x")
    Job.objects.create(kind="train", title="Trained before", state="done", code_version="x")
    JobWorker.objects.create(name="host:1", code_version="x", started_at=timezone.now(), seen_at=Now())
    client.force_login(factories.user("ora", role))
    answer = client.get("/")
    text = answer.content.decode()
    assert answer.status_code == 200 and "no-store" in answer["Cache-Control"]
    for shown in ("1 imported", "1 trained", "1 begun", "1 built", "Train it", "1 worker running", study.name):
        assert shown in text, shown
    assert "Trained before" not in text and "No worker is running" not in text
    planned = sum(reading_set.presentations.count() for reading_set in study.assignments.get().sets.all())
    assert f"0 of {planned}" in text
    assert "perturbed" not in text  # progress is free of arms


def test_the_dashboard_says_that_jobs_wait_while_there_is_no_worker(client):
    client.force_login(factories.user("ora", User.Role.RESEARCHER))
    text = client.get("/").content.decode()
    assert (
        "No worker is running" in text
        and "Build one from a finished attack" in text
        and "No job is queued or running" in text
    )


def test_readers_go_on_to_their_studies_and_strangers_sign_in(client):
    assert client.get("/").url == "/sign-in/?next=/"
    client.force_login(factories.user("ann"))
    assert client.get("/").url == "/reading/"


def test_there_is_one_first_page(client):
    client.force_login(factories.user("ora", User.Role.ADMIN))
    assert client.get("/dashboard/").status_code == 404
