"""A job is cancelled and retried by who asked for it and by admins; it tells researchers of no reader."""

import pytest
from django.test import Client

from jobs.models import Job
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def people():
    clients = {}
    for name, role in (("owner", "researcher"), ("other", "researcher"), ("boss", "admin")):
        clients[name] = Client()
        clients[name].force_login(factories.user(name, role), backend="django.contrib.auth.backends.ModelBackend")
    return clients


def job_of(owner=None, **fields) -> Job:
    return Job.objects.create(
        **{"kind": "train", "title": "Train", "code_version": "t", "requested_by": owner} | fields
    )


@pytest.mark.parametrize("address", ["/jobs/{}/cancel", "/api/v1/jobs/{}/cancel/"])
def test_a_job_is_cancelled_by_its_owner_or_an_admin(people, address):
    owner = factories.User.objects.get(username="owner")
    for name, status in (("other", "queued"), ("owner", "cancelled"), ("boss", "cancelled")):
        job = job_of(owner)
        answer = people[name].post(address.format(job.pk))
        job.refresh_from_db()
        assert job.state == status and (answer.status_code == 403) == (name == "other"), name
    by_command = job_of()
    people["owner"].post(address.format(by_command.pk))
    by_command.refresh_from_db()
    assert by_command.state == "queued"


@pytest.mark.parametrize("address", ["/jobs/{}/retry", "/api/v1/jobs/{}/retry/"])
def test_a_job_is_retried_by_its_owner_or_an_admin(people, address):
    owner = factories.User.objects.get(username="owner")
    for name, status in (("other", "failed"), ("owner", "queued"), ("boss", "queued")):
        job = job_of(owner, state="failed")
        people[name].post(address.format(job.pk))
        job.refresh_from_db()
        assert job.state == status, name


def test_who_may_not_cancel_is_not_offered_it(people):
    job = job_of(factories.User.objects.get(username="owner"))
    assert [f"/jobs/{job.pk}/cancel" in people[name].get(f"/jobs/{job.pk}/").text for name in people] == [
        True, False, True,
    ]  # fmt: skip


def test_only_admins_see_which_readers_a_study_is_built_for(people):
    job = job_of(kind="build_study", arguments={"name": "New", "readers": ["ann-of-ward-7"]})
    for name in people:
        for address in (f"/jobs/{job.pk}/", f"/api/v1/jobs/{job.pk}/", "/api/v1/jobs/"):
            assert ("ann-of-ward-7" in people[name].get(address).text) == (name == "boss"), (name, address)
