"""The reading benchmark on few readers: what it counts, not how fast they are served."""

import json
import os
import subprocess
import sys

import pytest

from tests.own_server import ROOT


@pytest.mark.slow
def test_the_benchmark_counts_every_answer_and_reports_its_goals():
    options = ["--databases", "sqlite", "--readers", "1", "2", "--steps", "4"]
    options += ["--human", "4", "--pace", "0.4", "--seconds", "2"]
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    done = subprocess.run(
        [sys.executable, "benchmarks/reading.py", *options], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    [sqlite] = report["results"]
    assert sqlite["database"] == "sqlite"
    assert [(row["readers"], row["steps"], row["lost"]) for row in sqlite["without_pause"]] == [(1, 4, 0), (2, 8, 0)]
    assert sqlite["human"]["readers"] == 4 and sqlite["human"]["steps"] >= 4
    assert sqlite["lost"] == sqlite["human_lost"] == 0
    assert set(sqlite["goals_met"]) == set(report["goals"])
    assert sqlite["human_p95_ms"] > 0 and sqlite["p95_ms"] > 0 and sqlite["steps_per_s"] > 0
    assert (report["peer"]["p50_ms"], report["peer"]["steps_per_s"]["1"]) == (441, 2.3)
