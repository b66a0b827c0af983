"""How long a reader waits: one step is an answer, the next place, and the next image.

``python benchmarks/reading.py`` measures 1, 8 and 32 readers at once, who never pause, on gunicorn as ``make serve``
starts it over the loopback, with SQLite and then with PostgreSQL (through ``scripts/services.sh``, with durable
commits). With ``DATABASE_URL`` set it measures that database alone. Everything lies in a folder of its own that is
removed. One JSON document on stdout.

``lost`` counts answers that the server acknowledged and that are not in the database exactly once. The readers are
simulated on the same cores: ``cpu_ms_per_step`` says how much of them they take (``client``), and how much the server's
processes do (``server``; the database's own processes are not in it).
"""

import argparse
import asyncio
import json
import os
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parent.parent
SERVICES = ROOT / "scripts" / "services.sh"
CASES = 20
STEPS = {1: 200, 8: 80, 32: 40}  # per reader; a set has 40 presentations
PEER = {
    "name": "Label Studio 1.23, on two such cores",
    "p50_ms": 441,
    "steps_per_s": {"1": 2.3, "8": 3.3},
    "parts_ms": {"next": 142, "image": 33, "submit": 266},
}
WORKERS, THREADS = 2, 2  # as `make serve` has them
GOALS = {"p95_ms": {"1": 40, "32": 150}, "steps_per_s": 20 * 3.3, "lost": 0}


class Client:
    """One reader on one connection that is kept alive; just enough HTTP for a benchmark."""

    def __init__(self, port: int, cookie: str, token: str):
        self.port, self.cookie, self.token = port, cookie, token

    async def connect(self) -> None:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20)

    async def request(self, path: str, body: bytes | None = None, type_: str = "application/json") -> bytes:
        head = f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {self.cookie}\r\n"
        if body is not None:
            head += f"X-CSRFToken: {self.token}\r\nContent-Type: {type_}\r\nContent-Length: {len(body)}\r\n"
        self.writer.write(head.encode() + b"\r\n" + (body or b""))
        header = await self.reader.readuntil(b"\r\n\r\n")
        status = int(header[9:12])
        length = int(header.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        content = await self.reader.readexactly(length)
        if status not in (200, 302):
            raise RuntimeError(f"{path}: {status} {content[:200]!r}")
        return content


async def read(client: Client, slug: str, steps: int, times: list[float], stored: list[str]) -> None:
    """Answer ``steps`` presentations; appends ms per step and the acknowledged keys."""
    base = f"/reading/study/{slug}/"
    await client.connect()
    state = json.loads(await client.request(base + "state/"))["state"]
    for _ in range(steps):
        if state["stage"] == "set_done":
            await client.request(base + "finish/", f"set={state['set']}".encode(), "application/x-www-form-urlencoded")
            state = json.loads(await client.request(base + "state/"))["state"]
        key = secrets.token_hex(16)
        answer = {"token": state["current"]["first"], "key": key, "replaces": 0, "answer": "tumour", "confidence": 4,
                  "rt_ms": 1234.5, "focus_lost_ms": 0, "viewing": {"scale": 2, "device_pixel_ratio": 1}}  # fmt: skip
        started = time.perf_counter()
        state = json.loads(await client.request(base + "answers/", json.dumps(answer).encode()))["state"]
        ahead = state["next"] or state["current"]
        if ahead:
            await client.request(f"/reading/image/{ahead['first']}")
        times.append(1000 * (time.perf_counter() - started))
        stored.append(key)
    client.writer.close()


def seat(readers: int) -> tuple[str, list[tuple[str, str]]]:
    """An opened study of real size for so many readers, each signed in; the slug and their cookies and tokens."""
    from django.test import Client as Browser

    from study.models import Assignment
    from tests import factories

    slug = f"bench-{readers}-{secrets.token_hex(3)}"
    names = tuple(f"{slug}-{number}" for number in range(readers))
    copies = -(-STEPS[readers] // (2 * CASES))
    factories.open_study(
        cases=CASES, copies=copies, size=224, slug=slug, min_gap=5, questions=["confidence"], readers=names
    )
    signed_in = []
    for assignment in Assignment.objects.filter(study__slug=slug).select_related("reader"):
        browser = Browser()
        browser.force_login(assignment.reader, backend="django.contrib.auth.backends.ModelBackend")
        browser.post(f"/reading/study/{slug}/viewing/", headers={"Host": "127.0.0.1"})
        token = secrets.token_hex(16)
        signed_in.append((f"sessionid={browser.cookies['sessionid'].value}; csrftoken={token}", token))
    return slug, signed_in


def cpu_seconds(pid: int) -> float:
    """What a process and its children have used so far; 0 where there is no /proc."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    if not children.exists():
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(cpu_seconds(int(child)) for child in children.read_text().split())


def scenario(port: int, server: int, readers: int) -> dict:
    """So many readers at once, without a pause between their steps."""
    from study.models import Response

    slug, signed_in = seat(readers)
    times: list[float] = []
    stored: list[str] = []

    async def together() -> float:
        clients = [Client(port, cookie, token) for cookie, token in signed_in]
        started = time.perf_counter()
        await asyncio.gather(*(read(client, slug, STEPS[readers], times, stored) for client in clients))
        return time.perf_counter() - started

    client, served = time.process_time(), cpu_seconds(server)
    seconds = asyncio.run(together())
    client, served = time.process_time() - client, cpu_seconds(server) - served
    kept = Counter(Response.objects.filter(presentation__reading_set__assignment__study__slug=slug)
                   .values_list("key", flat=True))  # fmt: skip
    lost = sum(kept[key] != 1 for key in stored) + sum(kept.values()) - len(stored)
    cut = statistics.quantiles(times, n=100)
    return {
        "readers": readers,
        "steps": len(times),
        "steps_per_s": round(len(times) / seconds, 1),
        "p50_ms": round(cut[49], 1),
        "p95_ms": round(cut[94], 1),
        "max_ms": round(max(times), 1),
        "lost": lost,
        "cpu_ms_per_step": {
            "client": round(1000 * client / len(times), 2),
            "server": round(1000 * served / len(times), 2),
        },
    }


def serve(log: Path, workers: int, threads: int) -> tuple[subprocess.Popen, int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn.py", "--workers", str(workers)]
    command += ["--threads", str(threads), "--bind", f"127.0.0.1:{port}", "--log-file", str(log)]
    process = subprocess.Popen(command, cwd=ROOT)
    for _ in range(600):
        try:
            with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5):
                return process, port
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.1)
    process.kill()
    raise RuntimeError(f"gunicorn did not start:\n{log.read_text()[-2000:]}")


def measure(readers: list[int], workers: int, threads: int) -> list[dict]:
    """All scenarios on the database of the environment."""
    with tempfile.TemporaryDirectory(prefix="blindspot-bench-") as folder:
        os.environ["BLINDSPOT_HOME"] = folder
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
        os.environ.setdefault("LOG_LEVEL", "ERROR")
        sys.path.insert(0, str(ROOT))
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connection

        call_command("migrate", verbosity=0)
        process, port = serve(Path(folder) / "gunicorn.log", workers, threads)
        try:
            results = []
            for number in readers:
                print(f"{connection.vendor}: {number} reader(s) ...", file=sys.stderr)
                results.append({"database": connection.vendor, **scenario(port, process.pid, number)})
            return results
        finally:
            process.terminate()
            process.wait(timeout=20)
            connection.close()


def on_postgresql(readers: list[int], workers: int, threads: int) -> list[dict]:
    """The same, in a process of its own, with a PostgreSQL that the services script starts and removes."""
    command = ["bash", str(SERVICES), "run", sys.executable, str(Path(__file__).resolve()), "--here", "--readers"]
    command += [*map(str, readers), "--workers", str(workers), "--threads", str(threads)]
    durable = os.environ | {"FSYNC": "on"}
    done = subprocess.run(command, cwd=ROOT, env=durable, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        print("PostgreSQL was not measured: scripts/services.sh failed.", file=sys.stderr)
        return []
    return json.loads(done.stdout)["results"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readers", type=int, nargs="+", default=list(STEPS), choices=list(STEPS))
    parser.add_argument("--here", action="store_true", help="only the database of DATABASE_URL, or SQLite without one")
    parser.add_argument("--workers", type=int, default=WORKERS, help="gunicorn's processes (default %(default)s)")
    parser.add_argument("--threads", type=int, default=THREADS, help="threads of each (default %(default)s)")
    options = parser.parse_args()
    alone = options.here or "DATABASE_URL" in os.environ
    results = measure(options.readers, options.workers, options.threads)
    if not alone and SERVICES.exists():
        results += on_postgresql(options.readers, options.workers, options.threads)
    report = {
        "benchmark": "reading",
        "step": "answer + next place + next image (224 x 224, about 150 kB); readers without pauses",
        "server": f"gunicorn, {options.workers} workers x {options.threads} threads, loopback",
        "cores": os.cpu_count(),
        "results": results,
        "peer": PEER,
        "goals": GOALS,
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
