"""Try what Blindspot promises to survive, and print one table: what was tried, how often, lost, wrong (``make trust``).

    python scripts/trust.py [--quick] [--only WORD ...] [--lanes 2] [--write] [--list]

Every part is a run of pytest. A part that was not there, was skipped or tried nothing is written down as not tried,
and makes the whole fail as a wrong answer does. JSON on stdout, the table on stderr; ``--write`` puts the table into
docs/trust.md.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "trust.md"
BEGIN, END = "<!-- the table begins -->", "<!-- the table ends -->"
SERVICES = ("bash", "scripts/services.sh", "run")
TOLD = ("tried", "times", "lost", "wrong")


@dataclass(frozen=True)
class Part:
    """A run of pytest. Tests that do not tell what they tried are one row, ``tried``: so many tests, or ``times``."""

    name: str
    tried: str
    arguments: tuple[str, ...]
    times: int = 0
    on_postgresql: bool = False
    environment: dict[str, str] = field(default_factory=dict)


@dataclass
class Row:
    tried: str
    times: int
    lost: int
    wrong: int
    outcome: str  # good, FAILED, NOT TRIED
    more: dict[str, Any] = field(default_factory=dict)


def parts(quick: bool) -> list[Part]:
    """The longest first: two run at a time."""
    requests = 500 if quick else 5000
    fuzzed = {"TRUST_REQUESTS": str(requests)}
    kills, crowd, fuzz = "tests/trust/test_kills.py", "tests/trust/test_crowd.py", "tests/web/test_every_request.py"
    return [
        Part("kills, SQLite", "", (kills, "-k", "sqlite")),
        Part("kills, PostgreSQL", "", (kills, "-k", "postgresql")),
        Part("crowd, SQLite", "", (crowd, "-k", "sqlite")),
        Part("crowd, PostgreSQL", "", (crowd, "-k", "postgresql")),
        Part("requests, SQLite", "odd requests to every address, on SQLite", (fuzz,), requests, environment=fuzzed),
        Part("requests, PostgreSQL", "odd requests to every address, on PostgreSQL", (fuzz,), requests, True, fuzzed),
        Part("disk", "", ("tests/trust/test_disk.py",)),
        Part("database", "", ("tests/trust/test_database_stops.py",)),
        Part("clock", "", ("tests/trust/test_clock.py",)),
        Part("addresses", "every address x role x state", ("tests/web/test_every_address.py",)),
        Part("audit", "the blinding audit: leaks planted, and clean studies",
             ("tests/study/blinding/test_audit.py", "-k", "planted or passes")),
        Part("guessing", "schedules guessed, and the study's secret",
             ("tests/study/blinding/test_guessing.py", "tests/study/protocol/test_secret.py")),
        Part("tampering", "rows, files and logs changed behind the program's back",
             ("tests/study/protocol/test_verification.py",)),
        Part("triggers", "answers and logs changed by SQL", ("tests/study/protocol/test_append_only.py",)),
        Part("triggers, PostgreSQL", "answers and logs changed by SQL, on PostgreSQL",
             ("tests/study/protocol/test_append_only.py",), 0, True),
        Part("tabs", "", ("tests/trust/test_two_tabs.py",)),
        Part("uploads", "damaged and hostile uploads and archives",
             ("tests/core/test_uploads.py", "tests/core/test_bombs.py", "tests/core/test_decoders.py",
              "tests/model/test_awkward_folders.py", "tests/attacks/test_awkward_pairs.py")),
        Part("logs", "", ("tests/trust/test_logs.py",)),
    ]  # fmt: skip


def run(part: Part, folder: Path, quick: bool) -> tuple[list[Row], float, str]:
    """Its rows, its minutes, and what pytest printed."""
    missing = [path for path in part.arguments if path.startswith("tests/") and not (ROOT / path).exists()]
    gone = [not_tried(part, f"{', '.join(missing)} is not there")] if missing else []
    arguments = [argument for argument in part.arguments if argument not in missing]
    if not any(argument.startswith("tests/") for argument in arguments):
        return gone, 0.0, ""
    report = folder / f"{part.name.replace(' ', '-')}.xml"
    options = ("-q", "-o", "junit_family=xunit1", f"--junitxml={report}")
    command = [sys.executable, "-m", "pytest", *options, *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"} | part.environment
    environment.pop("DATABASE_URL", None)
    if not quick:
        environment["TRUST"] = "full"
    started = time.monotonic()
    done = subprocess.run(
        [*(SERVICES if part.on_postgresql else ()), *command], cwd=ROOT, env=environment, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    minutes = (time.monotonic() - started) / 60
    rows = read(part, report) if report.exists() else []
    if not rows:
        rows = [not_tried(part, f"pytest ended with {done.returncode}")]
    return [*rows, *gone], minutes, done.stdout


def not_tried(part: Part, why: str) -> Row:
    return Row(part.tried or part.name, 0, 0, 0, "NOT TRIED", {"why": why})


def read(part: Part, report: Path) -> list[Row]:
    """The rows of pytest's report: one for each test that tells what it tried, one for all others together."""
    rows: list[Row] = []
    passed = failed = 0
    skipped: list[str] = []
    for case in ET.parse(report).getroot().iter("testcase"):
        told = {one.get("name", ""): one.get("value", "") for one in case.iter("property")}
        if (skip := case.find("skipped")) is not None:
            skipped.append(f"{case.get('name')}: {skip.get('message')}")
        elif TOLD[0] in told:
            bad = case.find("failure") is not None or case.find("error") is not None
            database = f", {case.get('name', '').partition('[')[2].rstrip(']')}" if "[" in case.get("name", "") else ""
            more = {name: value for name, value in told.items() if name not in TOLD}
            numbers = [int(told[name]) for name in TOLD[1:]]
            rows.append(Row(told["tried"] + database, *numbers, "FAILED" if bad or any(numbers[1:]) else "good", more))
        elif case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        else:
            passed += 1
    what = part.tried or part.name
    if failed or (passed and not rows):
        rows.append(Row(what, part.times or passed + failed, 0, failed, "FAILED" if failed else "good"))
    if skipped:
        rows.append(Row(what, 0, 0, 0, "NOT TRIED", {"why": "; ".join(skipped)}))
    return rows


def table(rows: list[Row]) -> str:
    lines = ["| tried | times | lost | wrong | besides | outcome |", "|---|---:|---:|---:|---|---|"]
    for row in rows:
        more = "; ".join(f"{name.replace('_', ' ')} {value}" for name, value in row.more.items()).replace("|", "/")
        lines.append(f"| {row.tried} | {row.times:,} | {row.lost} | {row.wrong} | {more} | {row.outcome} |")
    return "\n".join(lines)


def write(text: str) -> None:
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few of each, as in `make test`")
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD", help="parts with one of these in their name")
    parser.add_argument("--lanes", type=int, default=2, help="parts that run at a time (default %(default)s)")
    parser.add_argument("--write", action="store_true", help="put the table into docs/trust.md")
    parser.add_argument("--list", action="store_true", help="name the parts, and run nothing")
    return parser.parse_args()


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    options = parse()
    chosen = [part for part in parts(options.quick)
              if not options.only or any(word in part.name for word in options.only)]  # fmt: skip
    if options.list or not chosen:
        print("\n".join(part.name for part in chosen or parts(options.quick)))
        return 0 if options.list else 2
    started = time.monotonic()

    def one(part: Part) -> list[Row]:
        rows, minutes, output = run(part, folder, options.quick)
        say(f"{part.name}: {minutes:.1f} min, {', '.join(row.outcome for row in rows)}")
        if any(row.outcome == "FAILED" for row in rows):
            said = [line for line in output.splitlines() if line.startswith("E  ")]
            say("\n".join([*said[:60], output[-3000:]]))
        return rows

    with tempfile.TemporaryDirectory() as temporary, ThreadPoolExecutor(options.lanes) as lanes:
        folder = Path(temporary)
        rows = [row for found in lanes.map(one, chosen) for row in found]
    minutes = round((time.monotonic() - started) / 60, 1)
    bad = [row for row in rows if row.outcome != "good"]
    date = datetime.now(UTC).date().isoformat()
    said = f"{len(rows)} rows, {len(bad)} not good; {minutes} minutes on {os.cpu_count()} cores, {date}"
    print(json.dumps({"minutes": minutes, "passed": not bad, "rows": [asdict(row) for row in rows]}, indent=2))
    say(f"\n{table(rows)}\n\n{said}")
    if options.write:
        write(f"{table(rows)}\n\n{said}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
