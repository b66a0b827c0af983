"""Work on queued jobs until told to stop; as many of these, on as many machines, as are wanted.

SIGTERM or Ctrl-C: the running job is put back within a chunk, and the worker ends.
"""

import logging

from django.core.management.base import BaseCommand

from jobs.workers import work


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser):
        parser.add_argument("--burst", action="store_true", help="end when nothing is queued")
        parser.add_argument("--with-parent", action="store_true", help="end when the parent process does")
        parser.add_argument("--interval", type=float, default=1.0, help="seconds between looks at an empty queue")

    def handle(self, *, burst, with_parent, interval, verbosity, **options):
        level = {0: logging.ERROR, 1: logging.WARNING}.get(verbosity, logging.INFO)
        logging.getLogger("django_tasks_db").setLevel(level)
        work(burst=burst, with_parent=with_parent, interval=interval)
