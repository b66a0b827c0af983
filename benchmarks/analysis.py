"""What the analysis and the exports cost. One JSON document on stdout.

``python benchmarks/analysis.py`` (``make bench-analysis``) measures

analysis   processor seconds of ``analyse --csv`` on a file of 400 rows, 5 readers, 20 patches, 2 sets
exports    seconds, size and peak memory of every table of a study of 50 readers x 2,000 presentations, and of one
           with half the readers: memory that does not grow with the study was streamed

Everything lies in a folder of its own that is removed; the database is SQLite.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIMIT_S = 2.0
TABLES = ("presentations.csv", "responses.csv", "readers.csv", "stimuli.csv", "audit_log.csv")


def analysis(folder: Path) -> dict:
    from study.statistics.analysis import analyse
    from study.statistics.table import read_csv
    from tests.study.readings import simulate

    table = simulate(readers=5, patches=20)
    table["rt_ms"] = [900.0 + row for row in range(len(table))]
    path = folder / "study.csv"
    table.to_csv(path, index=False)
    seconds = []
    for _ in range(4):  # the first one also loads libraries
        started = time.process_time()
        analyse(read_csv(path), margin=0.1)
        seconds.append(time.process_time() - started)
    return {
        "rows": len(table),
        "first_s": round(seconds[0], 3),
        "best_s": round(min(seconds), 3),
        "limit_s": LIMIT_S,
        "ratio_limit": round(seconds[0] / LIMIT_S, 3),
    }


def answered_study(readers: int, positives: int) -> object:
    """Closed and unblinded, ``readers`` x ``positives`` x 2 arms x 2 sets, every presentation answered."""
    from tests.study.answered import answer_all, open_study_of, unblinded

    study = open_study_of(readers=readers, positives=positives, name=f"Bench {readers}")
    answer_all(study)
    return unblinded(study)


def peak_mb(reset: bool = False) -> float:
    """The process's peak resident memory since it was last reset (Linux)."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def export(study: object, folder: Path) -> dict:
    from study.results.exports.registry import Source, find

    found = {}
    for name in TABLES:
        before = peak_mb(reset=True)
        started, size = time.perf_counter(), 0
        with (folder / name).open("wb") as file:
            for chunk in find(study, name).write(Source(study)):
                size += file.write(chunk.encode() if isinstance(chunk, str) else chunk)
        found[name] = {
            "seconds": round(time.perf_counter() - started, 2),
            "megabytes": round(size / 1e6, 1),
            "more_memory_mb": round(peak_mb() - before, 1),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readers", type=int, default=50)
    parser.add_argument("--positives", type=int, default=500, help="x 2 arms x 2 sets = presentations per reader")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="blindspot-bench-") as name:
        folder = Path(name)
        os.environ["BLINDSPOT_HOME"] = name
        os.environ.pop("DATABASE_URL", None)
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
        os.environ.setdefault("LOG_LEVEL", "ERROR")
        sys.path.insert(0, str(ROOT))
        import django

        django.setup()
        from django.core.management import call_command

        report = {"benchmark": "analysis", "cores": os.cpu_count(), "python": platform.python_version()}
        report["analysis"] = analysis(folder)
        call_command("migrate", verbosity=0)
        report["exports"] = []
        for readers in (options.readers // 2, options.readers):
            print(f"{readers} readers x {4 * options.positives} presentations ...", file=sys.stderr)
            study = answered_study(readers, options.positives)
            report["exports"].append(
                {"readers": readers, "presentations": readers * 4 * options.positives, "tables": export(study, folder)}
            )
        print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
