"""A worker process for the tests: ``run_worker`` that also knows the tests' kinds of job."""

import os
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    import django

    django.setup()
    from django.core.management import call_command

    import tests.jobs.kinds  # noqa: F401

    if chunk := os.environ.get("TEST_CHUNK"):  # small ones, so that there is something to interrupt
        import attacks.services

        attacks.services.CHUNK = int(chunk)

    call_command("run_worker", *sys.argv[1:], interval=0.1)
