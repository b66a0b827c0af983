"""What jobs cost around the network's own work, and what a million patches would. JSON on stdout; see docs/scale.md.

    python benchmarks/scale.py [--side 224] [--chunks 2] [--chunk 64] [--steps 4] [--gpu-seconds S] [--one-process]

workers    patches x steps per second of one attack: 1 worker with every core, 1 worker with one core, and 2 workers
           with one core each, as real ``run_worker`` processes on a database and files of their own
outside    share of a worker's time outside the forward and backward passes (goal: under 10 %)
pages      latency of three pages while nothing runs, and while a worker computes on every core
million    by calculation from the measured chunk: hours, images and rows of 1,000,000 patches on 1, 8 and 64 GPUs,
           and what would hold them up, for this machine's chunk and for --gpu-seconds

With --one-process only outside, the database's costs and million: a GPU's figures, with --chunk 256.

The attack is one that never succeeds (tiny budget, full confidence), so that every patch takes every step.
"""

import argparse
import json
import os
import platform
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import Request, urlopen

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
PATCHES = 1_000_000
CHUNK = 256
BUSY_SECONDS = 12
GUNICORN = ["--config", "deploy/gunicorn.py", "--log-level", "error"]


def prepare(home: Path) -> None:
    """A Django of its own in ``home``; the caller's DATABASE_URL and REDIS_URL hold."""
    os.environ["BLINDSPOT_HOME"] = str(home)
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    os.environ["LOG_LEVEL"] = "ERROR"
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def make_classifier(side: int, patches: int):
    """A ResNet-18 with random weights that answers ``tumour`` to everything, and patches that are all tumour."""
    import numpy as np
    import torch
    from django.core.files.base import ContentFile

    from model.learning.network import build_network, weights_bytes
    from model.learning.patches import Patch
    from model.models import Classifier
    from model.services import import_dataset

    rng = np.random.default_rng(0)

    def pictures():
        for number in range(patches + 1):
            pixels = rng.integers(120, 240, (side, side, 3), dtype=np.uint8)
            yield Patch(name=f"p{number}", pixels=pixels, tumour=number > 0)

    dataset = import_dataset(name="scale", kind="synthetic", patches=pictures(), source={})
    network, _ = build_network("resnet18", init="random", seed=0, image_size=side)
    with torch.no_grad():
        network.head.weight.mul_(0.01)
        network.head.bias.copy_(torch.tensor([0.0, 20.0]))
    data, sha256 = weights_bytes(network)
    ids = list(dataset.patches.order_by("index").values_list("pk", flat=True))
    classifier = Classifier(
        name="scale",
        dataset=dataset,
        initialisation="random",
        weights_sha256=sha256,
        seed=0,
        split={"train": ids[:1], "test": ids[1:], "grouped": False},
        code_version="benchmark",
    )
    classifier.weights.save("scale.pt", ContentFile(data))
    return classifier


def say(stage: str) -> None:
    print(f"scale: {stage}", file=sys.stderr, flush=True)


def recipe(steps: int, chunk: int) -> dict:
    endless = {"norm": "linf", "budget": 1.0, "confidence": 0.999999, "seed": 0, "positives_only": True}
    return endless | {"steps": steps, "chunk": chunk}


def run_by_workers(*, workers: int, threads: int, steps: int, patches: int, chunk: int) -> dict:
    """One attack, dealt to so many worker processes; timed from the first claim to the end of the last part."""
    from jobs.models import Job
    from jobs.services import submit

    name = f"{workers}-{threads}-{secrets.token_hex(2)}"
    job = submit(kind="attack", arguments={"classifier": "scale", "name": name} | recipe(steps, chunk), parts=workers)
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, "manage.py", "run_worker", "--interval", "0.1"]
    running = [subprocess.Popen(command, cwd=ROOT, env=environment) for _ in range(workers)]
    try:
        while Job.objects.get(pk=job.pk).is_active:
            time.sleep(0.2)
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()
    job.refresh_from_db()
    if job.state != "done":
        raise SystemExit(f"job {job.pk}: {job.error}")
    timed = list(job.parts.all()) or [job]
    seconds = (max(one.finished_at for one in timed) - min(one.started_at for one in timed)).total_seconds()
    return {
        "workers": workers,
        "threads_each": threads,
        "seconds": round(seconds, 2),
        "patches_per_s": round(patches / seconds, 2),
        "patch_steps_per_s": round(patches * steps / seconds, 1),
    }


def outside_of_passes(*, classifier, steps: int, patches: int, chunk: int) -> dict:
    """Time of each stage of an attack in this process: the passes, reading, storing, the rest."""
    from attacks import services
    from attacks.engine.passes import Passes

    services.network_of(classifier)  # loading is paid once per job, and not what is asked here
    if gpu():  # nor are the first calls of its libraries
        services.run_attack(classifier=classifier, name=f"first-{secrets.token_hex(2)}", **recipe(steps, chunk))
    spent = dict.fromkeys(("passes", "reading", "storing"), 0.0)

    def timed(owner, name: str, stage: str) -> None:
        original = getattr(owner, name)

        def wrapped(*args, **kwargs):
            started = clock()
            try:
                return original(*args, **kwargs)
            finally:
                spent[stage] += clock() - started

        setattr(owner, name, wrapped)

    for name in ("logits", "ascend"):
        timed(Passes, name, "passes")
    timed(services, "read", "reading")
    timed(services, "store_chunk", "storing")
    started = clock()
    attack = services.run_attack(classifier=classifier, name=f"stages-{secrets.token_hex(2)}", **recipe(steps, chunk))
    total = clock() - started
    chunks = -(-patches // attack.settings["chunk"])
    return {
        "seconds": round(total, 2),
        **{f"share_{stage}": round(value / total, 4) for stage, value in spent.items()},
        "share_outside_passes": round(1 - spent["passes"] / total, 4),
        "storing_seconds_per_patch": spent["storing"] / patches,
        "seconds_per_patch": total / patches,
        "chunks": chunks,
        "goal_share_outside_passes": 0.10,
    }


def gpu() -> str:
    """The GPU's name; empty where there is none."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else ""


def clock() -> float:
    """The clock, once a GPU has finished what it was given."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def percentiles(times: list[float]) -> dict:
    cuts = statistics.quantiles(times, n=20, method="inclusive")
    return {"p50_ms": round(1000 * statistics.median(times), 1), "p95_ms": round(1000 * cuts[18], 1), "n": len(times)}


def pages(*, steps: int, chunk: int) -> dict:
    """Latency over the loopback on gunicorn as ``make serve`` starts it, idle and beside a worker on every core."""
    from django.contrib.sessions.backends.db import SessionStore

    from attacks.models import Attack
    from core.models import User
    from jobs.services import cancel, submit

    user = User.objects.create_user("bench", role=User.Role.RESEARCHER)
    session = SessionStore()
    session.update({"_auth_user_id": str(user.pk), "_auth_user_backend": "django.contrib.auth.backends.ModelBackend",
                    "_auth_user_hash": user.get_session_auth_hash()})  # fmt: skip
    session.create()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", *GUNICORN, "--bind", f"127.0.0.1:{port}"],
        cwd=ROOT,
    )
    addresses = {"healthz": "/healthz", "jobs": "/jobs/", "data_set": "/datasets/1/"}

    def ask(path: str) -> float:
        request = Request(f"http://127.0.0.1:{port}{path}", headers={"Cookie": f"sessionid={session.session_key}"})
        started = time.perf_counter()
        with urlopen(request, timeout=60) as answer:
            answer.read()
        return time.perf_counter() - started

    def measure(seconds: float) -> dict:
        times: dict[str, list[float]] = {name: [] for name in addresses}
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for name, path in addresses.items():
                times[name].append(ask(path))
        return {name: percentiles(found) for name, found in times.items()}

    worker = None
    try:
        for _ in range(300):
            try:
                for _ in range(8):  # both processes have loaded their pages
                    for path in addresses.values():
                        ask(path)
                break
            except OSError:
                time.sleep(0.2)
        found = {"idle": measure(BUSY_SECONDS)}
        job = submit(kind="attack", arguments={"classifier": "scale", "name": "busy"} | recipe(steps * 1000, chunk))
        worker = subprocess.Popen(
            ["nice", "-n", "5", sys.executable, "manage.py", "run_worker", "--interval", "0.1"], cwd=ROOT
        )
        while not Attack.objects.filter(name="busy").exists():  # its row is there: the passes begin
            time.sleep(0.2)
            job.refresh_from_db()
            if not job.is_active:
                raise SystemExit(f"job {job.pk}: {job.error}")
        time.sleep(5)
        found["beside_a_worker"] = measure(BUSY_SECONDS)
        cancel(job=job)
        return found
    finally:
        for process in (worker, server):
            if process is not None:
                process.terminate()
                process.wait()


def database_costs() -> dict:
    """Seconds per row of a stored chunk, bytes per row, and seconds of one heartbeat, on this database."""
    from django.db import connection, transaction
    from django.db.models.functions import Now

    from attacks.models import Attack, Perturbation
    from jobs.models import Job

    attack = Attack.objects.filter(completed_at__isnull=False).first()
    rows = list(Perturbation.objects.filter(attack=attack)[:CHUNK])
    copy = Attack.objects.create(name="rows", classifier=attack.classifier, norm="linf", seed=0, code_version="b")
    for row in rows:
        row.pk, row.attack = None, copy
    started = time.perf_counter()
    with transaction.atomic():
        Perturbation.objects.bulk_create(rows)
    insert = (time.perf_counter() - started) / len(rows)
    job = Job.objects.create(kind="attack", title="beat", code_version="b", state="running")
    started = time.perf_counter()
    for _ in range(50):
        Job.objects.filter(pk=job.pk).update(heartbeat_at=Now(), done=1, log="x" * 2000)
    beat = (time.perf_counter() - started) / 50
    job.delete()
    return {"vendor": connection.vendor, "insert_seconds_per_row": insert, "heartbeat_seconds": beat}


def million(*, chunk_seconds: float, image_bytes: int, costs: dict, gpu_seconds: list[float]) -> dict:
    """What 1,000,000 patches cost, and what each GPU count asks of the database and of the image store."""
    chunks = -(-PATCHES // CHUNK)
    table = []
    for seconds, source in [(chunk_seconds, "this machine, measured"), *((one, "given") for one in gpu_seconds)]:
        for gpus in (1, 8, 64):
            rows_per_s = gpus * CHUNK / seconds
            table.append(
                {
                    "chunk_seconds": round(seconds, 3),
                    "source": source,
                    "gpus": gpus,
                    "hours": round(chunks * seconds / gpus / 3600, 2),
                    "image_megabytes_per_s": round(rows_per_s * image_bytes / 1e6, 1),
                    "rows_per_s": round(rows_per_s, 1),
                    "share_of_one_database_writer": round(
                        rows_per_s * costs["insert_seconds_per_row"] + gpus / 2 * costs["heartbeat_seconds"], 4
                    ),
                }
            )
    return {
        "patches": PATCHES,
        "chunks": chunks,
        "image_gigabytes": round(PATCHES * image_bytes / 1e9, 1),
        "image_bytes": image_bytes,
        "table": table,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--chunks", type=int, default=2)
    parser.add_argument("--chunk", type=int, default=64, help="patches per chunk here (256 in earnest)")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument(
        "--gpu-seconds", type=float, action="append", help="a GPU's seconds per chunk of 256; repeatable"
    )
    parser.add_argument("--one-process", action="store_true", help="no worker processes, no pages")
    options = parser.parse_args()
    patches = options.chunks * options.chunk
    with tempfile.TemporaryDirectory(prefix="blindspot-scale-", ignore_cleanup_errors=True) as folder:
        prepare(Path(folder))
        from core.images import encode_png

        classifier = make_classifier(options.side, patches)
        import numpy as np

        image_bytes = len(encode_png(np.zeros((options.side, options.side, 3), dtype=np.uint8)))
        cores = os.cpu_count() or 1
        common = {"steps": options.steps, "patches": patches, "chunk": options.chunk}
        say("stages of an attack")
        stages = outside_of_passes(classifier=classifier, **common)
        runs = []
        for workers, threads in () if options.one_process else ((1, cores), (1, 1), (2, 1)):
            say(f"{workers} worker(s), {threads} thread(s) each")
            runs.append(run_by_workers(workers=workers, threads=threads, **common))
        say("pages")
        served = {} if options.one_process else pages(steps=options.steps, chunk=options.chunk)
        costs = database_costs()
        print(
            json.dumps(
                {
                    "machine": {
                        "processor": platform.processor() or platform.machine(),
                        "cores": cores,
                        "gpu": gpu(),
                    },
                    "settings": vars(options),
                    "workers": runs,
                    "outside": stages,
                    "pages": served,
                    "database": costs,
                    "million": million(
                        chunk_seconds=stages["seconds_per_patch"] * CHUNK,
                        image_bytes=image_bytes,
                        costs=costs,
                        gpu_seconds=options.gpu_seconds or [],
                    ),
                },
                indent=2,
            )
        )


if __name__ == "__main__":
    main()
