"""A job's states, without a worker process: attempts are run here."""

from datetime import timedelta

import pytest
from django.core.files.storage import default_storage
from django.db.models.functions import Now

import tests.jobs.kinds  # noqa: F401
from core.errors import InvalidInput
from jobs import services
from jobs.models import Job
from jobs.registry import job as register
from jobs.running import run_attempt

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_files")]


def run(job: Job) -> Job:
    run_attempt(job.pk, job.attempt)
    job.refresh_from_db()
    return job


def make_heartbeat_stale(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(heartbeat_at=Now() - timedelta(hours=1))


def test_bad_input_fails_with_its_message_and_no_traceback():
    job = run(services.submit(kind="test-bad-input", arguments={"message": "labels.csv, row 3: no."}))
    assert (job.state, job.error) == ("failed", "labels.csv, row 3: no.")
    assert "Traceback" not in job.log


def test_an_unexpected_error_fails_with_its_traceback_in_the_log():
    job = run(services.submit(kind="test-broken", arguments={}))
    assert job.state == "failed" and job.error.startswith("ZeroDivisionError")
    assert "Traceback" in job.log


def test_a_message_out_of_date_changes_nothing():
    job = services.submit(kind="test-chunks", arguments={"folder": "test/a", "count": 2})
    assert run_attempt(job.pk, job.attempt + 1) == "out of date"
    assert run(job).state == "done"
    assert run_attempt(job.pk, job.attempt) == "out of date"


def test_an_attempt_given_up_for_dead_stops_and_writes_nothing(settings):
    settings.JOBS_HEARTBEAT_SECONDS = 0.05

    @register("test-zombie", title="Zombie")
    def zombie(context, **arguments):
        import time

        Job.objects.filter(pk=context.job.pk).update(attempt=context.job.attempt + 1, state="queued", worker="")
        for _ in range(200):
            time.sleep(0.05)
            context.progress(1, 2)
        return {"undead": True}

    job = services.submit(kind="test-zombie", arguments={})
    assert run_attempt(job.pk, 1) == "lost"
    job.refresh_from_db()
    assert (job.state, job.attempt, job.result, job.done) == ("queued", 2, None, 0)


def test_a_job_whose_workers_vanish_again_and_again_fails_and_says_so():
    job = services.submit(kind="test-chunks", arguments={"folder": "test/b", "count": 2})
    for lost in range(1, services.MAX_LOST + 1):
        Job.objects.filter(pk=job.pk).update(state="running", worker=f"host:{lost}")
        make_heartbeat_stale(job)
        assert [taken.pk for taken in services.reap()] == [job.pk]
        job.refresh_from_db()
        assert job.lost == lost
    assert job.state == "failed" and "lost 3 times, the last was host:3" in job.error
    assert run(services.retry(job=job)).state == "done"


def test_a_job_with_a_fresh_heartbeat_is_left_alone():
    job = services.submit(kind="test-chunks", arguments={"folder": "test/c", "count": 2})
    Job.objects.filter(pk=job.pk).update(state="running", heartbeat_at=Now())
    assert services.reap() == []


def test_a_cancelled_job_whose_worker_vanished_is_cancelled_and_not_run_again():
    job = services.submit(kind="test-chunks", arguments={"folder": "test/d", "count": 2})
    Job.objects.filter(pk=job.pk).update(state="cancelling")
    make_heartbeat_stale(job)
    services.reap()
    job.refresh_from_db()
    assert (job.state, job.attempt) == ("cancelled", 1)


def test_a_queued_job_is_cancelled_at_once_and_never_runs():
    job = services.cancel(job=services.submit(kind="test-chunks", arguments={"folder": "test/e", "count": 2}))
    assert job.state == "cancelled" and run_attempt(job.pk, job.attempt) == "out of date"
    assert not default_storage.exists("test/e/0000")


def test_only_what_failed_or_was_cancelled_is_tried_again():
    job = services.submit(kind="test-chunks", arguments={"folder": "test/f", "count": 2})
    with pytest.raises(InvalidInput, match="queued"):
        services.retry(job=job)
    run(job)
    with pytest.raises(InvalidInput, match="done"):
        services.retry(job=job)


def test_a_failed_part_fails_the_whole_and_stops_its_siblings():
    whole = services.submit(kind="test-chunks", arguments={"folder": "test/g", "count": 4}, parts=2)
    first, second = whole.parts.order_by("part")
    Job.objects.filter(pk=first.pk).update(arguments={"folder": "test/g", "count": "four"})
    run(first)
    whole.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, second.state, whole.state) == ("failed", "cancelled", "failed")
    assert f"Job {first.pk}" in whole.error
    Job.objects.filter(pk=first.pk).update(arguments={"folder": "test/g", "count": 4})
    whole = services.retry(job=whole)
    for part in whole.parts.order_by("part"):
        assert run(part).state == "done"
    whole.refresh_from_db()
    assert whole.state == "queued" and run(whole).state == "done"


def test_cancelling_the_whole_cancels_its_parts():
    whole = services.submit(kind="test-chunks", arguments={"folder": "test/h", "count": 4}, parts=2)
    services.cancel(job=whole)
    assert {part.state for part in whole.parts.all()} == {"cancelled"}
    whole.refresh_from_db()
    assert whole.state == "cancelled"


def test_unknown_kinds_and_parts_that_cannot_be_are_refused():
    with pytest.raises(InvalidInput, match="no kind of job 'nonsense'"):
        services.submit(kind="nonsense", arguments={})
    with pytest.raises(InvalidInput, match="cannot be divided"):
        services.submit(kind="test-broken", arguments={}, parts=2)
    assert not Job.objects.exists()
