"""gunicorn's worker with threads, taking no more than its share of the connections."""

import time
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

SECONDS_PER_CONNECTION = 1e-4
LONGEST = 3e-3


class FairWorker(ThreadWorker):
    """Who holds more connections waits a little longer before taking another one.

    Browsers keep their connection, so that whoever takes it serves that reader from then on. All processes are woken
    for a new connection and the quickest one takes it: of 32 readers who came at once, 30 were seen on one of two
    processes, while the other one idled (docs/decisions/0006).
    """

    def accept(self, listener: Any) -> None:
        time.sleep(min(self.nr_conns * SECONDS_PER_CONNECTION, LONGEST))
        super().accept(listener)
