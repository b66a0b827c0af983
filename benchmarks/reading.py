"""How long a reader waits: one step is an answer, the next place, and the next image (224 x 224, about 150 kB).

``python benchmarks/reading.py`` measures, on gunicorn as ``make serve`` starts it over the loopback,

- 100 readers at human pace, who answer every 4 seconds on average (2 to 6), for one minute: ``human_p95_ms`` and
  ``human_lost``;
- the same beside four tabs of the planning page, each always waiting for a plan: ``beside_plans_p95_ms``, and how long
  that page takes to answer, ``plan_p95_ms``;
- 1, 8 and 32 readers at once who never pause: ``p95_ms`` of the one, ``steps_per_s`` of the most, ``lost`` of all;

with SQLite, and then with PostgreSQL through ``scripts/services.sh``, with durable commits. With ``DATABASE_URL`` set
it measures that database alone. Everything lies in a folder of its own that is removed. One JSON document on stdout, a
table on stderr. A quick look: ``--databases sqlite --readers 1 --steps 20 --human 10 --seconds 10``.

``lost`` counts answers that the server acknowledged and that are not in the database exactly once. The readers are
simulated on the same cores: ``cpu_ms_per_step`` says how much of them they take (``client``), and how much the server's
processes do (``server``; the database's own processes are not in it).
"""

import argparse
import json
import os
import random
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SERVICES = ROOT / "scripts" / "services.sh"
DATABASES = ("sqlite", "postgresql")
CASES = 20
PER_SET = 2 * CASES  # presentations
STEPS = {1: 200, 8: 80, 32: 40}  # of each reader who never pauses
PEER = {
    "name": "Label Studio 1.23, on two such cores",
    "p50_ms": 441,
    "steps_per_s": {"1": 2.3, "8": 3.3},
    "parts_ms": {"next": 142, "image": 33, "submit": 266},
}
GOALS = {
    "human_p95_ms": 150,
    "human_lost": 0,
    "beside_plans_p95_ms": 150,
    "plan_p95_ms": 1000,
    "p95_ms": 40,
    "steps_per_s": 10 * 2.3,
    "lost": 0,
}


@dataclass
class Reading:
    """What simulated readers do, and what came of it: ms per step, and the keys of acknowledged answers.

    A reader ends after ``steps`` answers, at ``seconds`` after the start, or at the end of the study.
    """

    slug: str
    steps: int
    seconds: float = float("inf")
    pace_s: float = 0.0
    times: list[float] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    def read(self, browser: Any, rng: random.Random) -> None:
        base = f"/reading/study/{self.slug}/"
        end = time.monotonic() + self.seconds
        time.sleep(rng.uniform(0, self.pace_s))
        state = self._state(browser.exchange("state", base + "state/"))
        for _ in range(self.steps):
            if state["stage"] == "set_done":
                browser.form(base + "finish/", set=state["set"])
                state = self._state(browser.exchange("state", base + "state/"))
            if state["stage"] != "reading" or time.monotonic() >= end:
                return
            key = secrets.token_hex(16)
            answer = {"token": state["current"]["first"], "key": key, "replaces": 0, "answer": "tumour",
                      "confidence": 4, "rt_ms": 1234.5, "focus_lost_ms": 0,
                      "viewing": {"scale": 2, "device_pixel_ratio": 1}}  # fmt: skip
            started = time.perf_counter()
            state = self._state(browser.document("answer", base + "answers/", answer))
            ahead = state["next"] or state["current"]
            if ahead and browser.exchange("image", f"/reading/image/{ahead['first']}").status != 200:
                raise RuntimeError("an image was not served")
            self.times.append(1000 * (time.perf_counter() - started))
            self.keys.append(key)
            time.sleep(self.pace_s * rng.uniform(0.5, 1.5))

    @staticmethod
    def _state(exchange: Any) -> dict:
        if exchange.status != 200:
            raise RuntimeError(f"{exchange.address}: {exchange.status} {exchange.body[:200]!r}")
        return json.loads(exchange.body)["state"]


def open_study(readers: int, steps: int) -> tuple[str, list[Any]]:
    """An opened study of real size with ``steps`` presentations or more per reader; its slug and a cookie jar each."""
    import httpx
    from django.test import Client

    from study.models import Assignment
    from tests import factories

    slug = f"bench-{readers}-{secrets.token_hex(3)}"
    names = tuple(f"{slug}-{number}" for number in range(readers))
    factories.open_study(
        cases=CASES, copies=-(-steps // PER_SET), size=224, slug=slug, min_gap=5, questions=["confidence"],
        readers=names,
    )  # fmt: skip
    jars = []
    for assignment in Assignment.objects.filter(study__slug=slug).select_related("reader"):
        client = Client()
        client.force_login(assignment.reader, backend="django.contrib.auth.backends.ModelBackend")
        jar = httpx.Cookies()
        jar.set("sessionid", client.cookies["sessionid"].value, domain="127.0.0.1")
        jars.append(jar)
    return slug, jars


def cpu_seconds(pid: int) -> float:
    """What a process and its children have used so far; 0 where there is no /proc."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    if not children.exists():
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(cpu_seconds(int(child)) for child in children.read_text().split())


def scenario(address: str, server: int, readers: int, steps: int, **how: float) -> dict:
    """``readers`` at once, each in a thread with a browser of its own; ``how`` is more of ``Reading``."""
    from study.blinding.browser import Browser
    from study.models import Response

    slug, jars = open_study(readers, steps)
    reading = Reading(slug, steps, **how)
    browsers = [Browser(address, jar) for jar in jars]
    for browser in browsers:
        browser.get(f"/reading/study/{slug}/viewing/")  # which gives the token for forms
        browser.form(f"/reading/study/{slug}/viewing/")
    client, served, started = time.process_time(), cpu_seconds(server), time.perf_counter()
    with ThreadPoolExecutor(readers) as threads:
        list(threads.map(reading.read, browsers, map(random.Random, range(readers))))
    seconds = time.perf_counter() - started
    client, served = time.process_time() - client, cpu_seconds(server) - served
    for browser in browsers:
        browser.close()
    stored = Counter(Response.objects.filter(presentation__reading_set__assignment__study__slug=slug)
                     .values_list("key", flat=True))  # fmt: skip
    n = len(reading.times)
    percentiles = statistics.quantiles(reading.times, n=100)
    return {
        "readers": readers,
        "steps": n,
        "steps_per_s": round(n / seconds, 1),
        "p50_ms": round(percentiles[49], 1),
        "p95_ms": round(percentiles[94], 1),
        "max_ms": round(max(reading.times), 1),
        "lost": sum(stored[key] != 1 for key in reading.keys) + sum(stored.values()) - len(reading.keys),
        "cpu_ms_per_step": {"client": round(1000 * client / n, 2), "server": round(1000 * served / n, 2)},
    }


def measure(options: argparse.Namespace) -> dict:
    """All scenarios on the database of the environment."""
    with tempfile.TemporaryDirectory(prefix="blindspot-bench-") as folder:
        os.environ["BLINDSPOT_HOME"] = folder
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
        os.environ.setdefault("LOG_LEVEL", "ERROR")
        import django
        from django.conf import settings

        settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # nobody signs in by password
        django.setup()
        from django.core.management import call_command
        from django.db import connection

        from benchmarks.lib.plan_tabs import plan_tabs
        from study.blinding.servers import gunicorn

        call_command("migrate", verbosity=0)
        result: dict[str, Any] = {"database": connection.vendor}
        threads = ["--workers", str(options.workers)] if options.workers else []
        threads += ["--threads", str(options.threads)] if options.threads else []
        with gunicorn(Path(folder) / "gunicorn.log", *threads) as (address, process):
            if options.human:
                say(f"{connection.vendor}: {options.human} readers at human pace ...")
                most = int(1.5 * options.seconds / options.pace) + 1
                how = {"seconds": options.seconds, "pace_s": options.pace}
                human = scenario(address, process.pid, options.human, most, **how)
                result |= {"human_p95_ms": human["p95_ms"], "human_lost": human["lost"], "human": human}
                if options.plans:
                    say(f"{connection.vendor}: the same beside {options.plans} tabs of /plan/ ...")
                    with plan_tabs(address, options.plans) as tabs:
                        beside = scenario(address, process.pid, options.human, most, **how)
                    result["beside_plans_p95_ms"] = beside["p95_ms"]
                    result["plan_p95_ms"] = round(statistics.quantiles(tabs.times, n=100)[94], 1)
                    result["beside_plans"] = beside | {"tabs": options.plans, "plans": tabs.plans}
                    result["human_lost"] += beside["lost"]
            rows = []
            for readers in options.readers:
                say(f"{connection.vendor}: {readers} reader(s) without a pause ...")
                rows.append(scenario(address, process.pid, readers, options.steps or STEPS.get(readers, 40)))
        if alone := [row for row in rows if row["readers"] == 1]:
            result["p95_ms"] = alone[0]["p95_ms"]
        if rows:
            result["steps_per_s"] = max(rows, key=lambda row: row["readers"])["steps_per_s"]
        result |= {"lost": sum(row["lost"] for row in rows), "without_pause": rows}
        result["goals_met"] = {
            key: result[key] >= goal if key == "steps_per_s" else result[key] <= goal
            for key, goal in GOALS.items()
            if key in result
        }
        connection.close()
        return result


def on_postgresql() -> dict | None:
    """The same, in a process of its own, with a PostgreSQL that the services script starts and removes."""
    command = ["bash", str(SERVICES), "run", sys.executable, str(Path(__file__).resolve()), *sys.argv[1:], "--here"]
    durable = os.environ | {"FSYNC": "on"}
    done = subprocess.run(command, cwd=ROOT, env=durable, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        say("PostgreSQL was not measured: scripts/services.sh failed.")
        return None
    return json.loads(done.stdout)


def say(text: str) -> None:
    print(text, file=sys.stderr)


def table(results: list[dict]) -> str:
    lines = ["database    readers     steps/s  p50 ms  p95 ms  lost  CPU ms per step: server, client"]
    for result in results:
        rows = [("human pace", result["human"])] if "human" in result else []
        rows += [("+ plans", result["beside_plans"])] if "beside_plans" in result else []
        for pace, row in [*rows, *(("", row) for row in result["without_pause"])]:
            cpu = row["cpu_ms_per_step"]
            who = f"{row['readers']} {pace}"
            lines.append(
                f"{result['database']:<11} {who:<14} {row['steps_per_s']:>4} {row['p50_ms']:>7} {row['p95_ms']:>7}"
                f" {row['lost']:>5}  {cpu['server']}, {cpu['client']}"
            )
    lines.append(f"{PEER['name']}: {PEER['p50_ms']} ms, {PEER['steps_per_s']['1']} steps/s for one reader")
    return "\n".join(lines)


def shares(results: list[dict]) -> str:
    """How far the simulated readers themselves slow down what is measured."""
    cpu = [row["cpu_ms_per_step"] for result in results for row in result["without_pause"]]
    if not cpu or not all(row["server"] for row in cpu):
        return "not measured: there is no /proc"
    share = max(row["client"] / (row["client"] + row["server"]) for row in cpu)
    return (
        f"The simulated readers took up to {share:.0%} of the processor time of a step, on the cores that the server "
        "needs; with several readers who never pause, real browsers on other machines would wait less."
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--databases", nargs="+", default=list(DATABASES), choices=DATABASES)
    parser.add_argument("--human", type=int, default=100, help="readers at human pace; 0: none (default %(default)s)")
    parser.add_argument("--plans", type=int, default=4, help="tabs of /plan/ beside them; 0: not tried (default 4)")
    parser.add_argument("--pace", type=float, default=4.0, help="mean seconds between their answers (default 4)")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long they read (default 60)")
    parser.add_argument(
        "--readers", type=int, nargs="*", default=list(STEPS), help="numbers of readers who never pause (1 8 32)"
    )
    parser.add_argument("--steps", type=int, default=0, help="steps of each of these (default 200, 80, 40)")
    parser.add_argument("--workers", type=int, default=0, help="gunicorn's processes (default: deploy/gunicorn.py)")
    parser.add_argument("--threads", type=int, default=0, help="threads of each (default: deploy/gunicorn.py)")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)  # one database, no report round it
    return parser.parse_args()


def main() -> None:
    options = parse()
    sys.path.insert(0, str(ROOT))
    if options.here:
        print(json.dumps(measure(options)))
        return
    alone = "DATABASE_URL" in os.environ
    results = [measure(options)] if alone or "sqlite" in options.databases else []
    if not alone and "postgresql" in options.databases and SERVICES.exists():
        results += [result for result in [on_postgresql()] if result]
    report = {
        "benchmark": "reading",
        "step": "answer + next place + next image (224 x 224, about 150 kB)",
        "server": "gunicorn with deploy/gunicorn.py, loopback",
        "human": f"{options.human} readers, an answer every {options.pace:g} s on average, {options.seconds:g} s",
        "cores": os.cpu_count(),
        "client": shares(results),
        "results": results,
        "peer": PEER,
        "goals": GOALS,
    }
    print(json.dumps(report, indent=2))
    say(table(results))


if __name__ == "__main__":
    main()
