"""Real workers, really killed. With DATABASE_URL and REDIS_URL set, the same on PostgreSQL and RQ."""

import hashlib
import secrets
import signal
import sys

from django.conf import settings as project
from django.core.files.storage import default_storage

from core.version import code_version
from jobs import services
from jobs.models import Job, JobWorker
from tests.jobs.conftest import seen, wait_for
from tests.jobs.kinds import chunk_bytes


def chunks(**arguments) -> dict:
    return {"folder": f"test/{secrets.token_hex(4)}", "count": 4} | arguments


def undisturbed(count: int, seed: int = 0) -> str:
    digest = hashlib.sha256()
    for chunk in range(count):
        digest.update(chunk_bytes(seed, chunk))
    return digest.hexdigest()


def ended(job: Job) -> bool:
    return seen(job).state in Job.ENDED


def test_a_worker_takes_a_job_and_says_how_far_it_is_and_what_came_of_it(crew, django_user_model):
    asker = django_user_model.objects.create_user("asker")
    job = services.submit(kind="test-chunks", arguments=chunks(seconds=1.0), requested_by=asker)
    assert (job.state, job.requester, job.code_version) == ("queued", "asker", code_version())
    crew.start()
    half = wait_for(lambda: seen(job).state == "running" and 0 < job.done < 4 and job.done, what="progress")
    assert job.total == 4 and job.unit == "chunks" and job.heartbeat_at is not None and half < 4
    assert JobWorker.objects.get().name == job.worker
    wait_for(lambda: ended(job), what="the end")
    assert (job.state, job.done, job.result) == ("done", 4, {"sha256": undisturbed(4)}), crew.logs()
    assert job.worker_code_version == code_version() and "computing chunk 3" in job.log
    assert job.created_at <= job.started_at <= job.finished_at


def test_a_worker_killed_in_the_middle_of_a_chunk_is_noticed_and_the_outcome_is_the_same_bytes(crew):
    arguments = chunks(count=6, seconds=0.6)
    job = services.submit(kind="test-chunks", arguments=arguments)
    first = crew.start()
    wait_for(lambda: default_storage.exists(f"{arguments['folder']}/0001"), what="the second chunk")
    first.send_signal(signal.SIGKILL)
    first.wait()
    written_at = {name: default_storage.get_modified_time(f"{arguments['folder']}/{name}") for name in ("0000", "0001")}
    assert seen(job).state == "running"  # nobody has noticed yet
    crew.start()
    wait_for(lambda: ended(job), what="the end")
    assert (job.state, job.attempt, job.lost, job.result) == ("done", 2, 1, {"sha256": undisturbed(6)}), crew.logs()
    assert "was lost in attempt 1" in job.log
    for name, written in written_at.items():  # finished chunks were not written again
        assert default_storage.get_modified_time(f"{arguments['folder']}/{name}") == written
    assert len(default_storage.listdir(arguments["folder"])[1]) == 6
    if project.TASKS_BACKEND == "database":
        from django_tasks_db.models import DBTaskResult

        # The queue writes its own row a moment after the job's.
        wait_for(lambda: not DBTaskResult.objects.running().exists(), what="the end of every message")


def test_a_worker_that_is_told_to_stop_gives_its_job_back_within_a_chunk(crew):
    job = services.submit(kind="test-chunks", arguments=chunks(count=3, seconds=4.0))
    first = crew.start()
    wait_for(lambda: "computing chunk 0" in seen(job).log, what="the first chunk")
    first.terminate()
    assert first.wait(timeout=10) == 0
    assert (seen(job).state, job.attempt, job.lost) == ("queued", 2, 0)
    Job.objects.filter(pk=job.pk).update(arguments=job.arguments | {"seconds": 0.0})
    crew.start("--burst").wait(timeout=40)
    assert (seen(job).state, job.result) == ("done", {"sha256": undisturbed(3)}), crew.logs()


def test_a_running_job_is_cancelled_within_a_chunk_and_can_be_tried_again(crew):
    job = services.submit(kind="test-chunks", arguments=chunks(count=3, seconds=6.0))
    crew.start()
    wait_for(lambda: "computing chunk 0" in seen(job).log, what="the first chunk")
    services.cancel(job=job)
    wait_for(lambda: ended(job), seconds=5, what="the cancelling")
    assert job.state == "cancelled" and job.done == 0
    Job.objects.filter(pk=job.pk).update(arguments=job.arguments | {"seconds": 0.0})
    services.retry(job=seen(job))
    wait_for(lambda: ended(job), what="the end")
    assert (job.state, job.result) == ("done", {"sha256": undisturbed(3)})


def test_the_parts_of_a_job_are_dealt_to_the_workers_and_then_summed_up(crew):
    job = services.submit(kind="test-chunks", arguments=chunks(count=9, seconds=0.5), parts=3)
    assert job.state == "waiting"
    victim = crew.start()
    crew.start()
    held = wait_for(lambda: len({p.worker for p in job.parts.filter(state="running")}) == 2, what="two at work")
    assert held
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    wait_for(lambda: ended(job), what="the end")
    assert (job.state, job.result) == ("done", {"sha256": undisturbed(9)}), crew.logs()
    assert sorted(part.result["chunks"] for part in job.parts.all()) == [3, 3, 3]
    assert sum(part.lost for part in job.parts.all()) == 1


def test_a_message_that_the_queue_lost_is_sent_again(crew):
    job = services.submit(kind="test-chunks", arguments=chunks())
    if project.TASKS_BACKEND == "rq":
        import django_rq

        django_rq.get_connection().flushdb()
    else:
        from django_tasks_db.models import DBTaskResult

        DBTaskResult.objects.all().delete()
    crew.start()
    wait_for(lambda: ended(job), what="the end")
    assert (job.state, job.attempt, job.lost) == ("done", 1, 0)


def test_the_heart_beats_while_the_work_computes_and_says_nothing(crew):
    job = services.submit(kind="test-stubborn", arguments={"seconds": 2.0})
    crew.start()
    beats = set()
    wait_for(lambda: beats.add(seen(job).heartbeat_at) or ended(job), what="the end")
    assert job.state == "done" and job.lost == 0
    assert len(beats) >= 4


def test_a_worker_beside_a_server_ends_when_the_server_does(crew):
    """``make serve`` starts one so: no orphan keeps the database open."""
    script = "import subprocess, sys, time; print(subprocess.Popen(sys.argv[1:]).pid, flush=True); time.sleep(60)"
    parent = crew.start("-c", script, sys.executable, "manage.py", "run_worker", "--with-parent", command=())
    worker = wait_for(lambda: JobWorker.objects.first(), what="the worker")
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_for(lambda: not JobWorker.objects.filter(pk=worker.pk).exists(), what="the worker's end")
