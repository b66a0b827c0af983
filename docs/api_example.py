"""From an attack to the readers' answers as CSV. Set BLINDSPOT (the address), TOKEN (from /token/), PASSWORD."""

import json
import os
import time
import urllib.request
from pathlib import Path


def call(path, body=None):
    headers = {"Authorization": f"Token {os.environ['TOKEN']}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{os.environ['BLINDSPOT']}/api/v1/{path}", data, headers)
    with urllib.request.urlopen(request) as answer:
        return answer.read() if "exports" in path else json.load(answer)


def request_job(path, body):
    job = call(path, body)
    while job["state"] in ("waiting", "queued", "running"):
        time.sleep(1)
        job = call(f"jobs/{job['id']}/")
    assert job["state"] == "done", job["error"]
    return job["result"]


size = {"positives": int(os.environ.get("CASES", 20)), "copies": 2, "washout_hours": 0}
sure = {"password": os.environ["PASSWORD"]}  # asked for again where a step cannot be undone
budget = float(os.environ.get("BUDGET", 8))
attack = request_job("attacks/", {"name": "scripted", "classifier": "demo", "norm": "linf", "budget": budget})["attack"]
study = request_job("studies/", {"name": "Scripted", "attack": attack} | size)["study"]
for reader in ("ann", "ben"):
    print(call(f"studies/{study}/readers/", {"username": reader})["link"])
request_job(f"studies/{study}/freeze/", sure)
call(f"studies/{study}/open/", {})
input("Send the links. Press Enter when the readers have finished.\n")
call(f"studies/{study}/close/", {})
call(f"studies/{study}/unblind/", {"confirm": study} | sure)
Path("presentations.csv").write_bytes(call(f"studies/{study}/exports/presentations.csv"))
