"""Plans are computed by another process, of low priority: no reader waits for them.

Each web process starts one when a plan is first asked for. A request waits for ``WAIT_S`` and no longer, and only one
at a time; the others are told at once that it is being computed, and ask again. A plan that was computed is kept.
Not a job: asking for a plan would have to write a row, and a GET writes nothing.
"""

import atexit
import logging
import os
import time
from collections import OrderedDict
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from threading import Lock, Thread
from typing import Any

from threadpoolctl import threadpool_limits

from study.conduct.planning_figures import bias_curve, expected_intervals, power_curves
from study.design.paper_design import paper_design
from study.design.planning import Assumptions, plan
from study.design.quick_power import quick_power
from study.design.sight_planning import BiasAssumptions, LadderAssumptions, plan_bias, plan_ladder

log = logging.getLogger(__name__)
Assumed = Assumptions | LadderAssumptions | BiasAssumptions
"""What can be planned with: labelling, a ladder of levels, pairs that ask for a bias."""

WAIT_S = 0.2
KEPT = 64
WAITING = 8
"""Plans to be computed at once; who asks for more is told to ask again."""


@dataclass(frozen=True)
class Planned:
    """A plan with its figures, by name."""

    plan: dict[str, Any]
    figures: dict[str, bytes]


def compute(assumptions: Assumed) -> Planned:
    """In the other process."""
    if isinstance(assumptions, LadderAssumptions):
        found = plan_ladder(assumptions)
        return Planned(found, {"widths": expected_intervals(found)})
    if isinstance(assumptions, BiasAssumptions):
        found = plan_bias(assumptions)
        return Planned(found, {"bias": bias_curve(found)})
    found = plan(assumptions)
    return Planned(found, {part: power_curves(found[part], assumptions.patches) for part in ("one_reading", "crossed")})


def _begin() -> None:
    """Of low priority, on one thread, and gone when the web process is, however that ended.

    The matrices of a plan are small: more threads would wait for each other, and take the cores that readers need.
    """
    os.nice(5)
    threadpool_limits(1)
    Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)


class Planner:
    """What was computed, what is being computed, and the process that does."""

    def __init__(self) -> None:
        self._lock, self._one_waits = Lock(), Lock()
        self._futures: OrderedDict[Any, Future[Any]] = OrderedDict()
        self._processes: ProcessPoolExecutor | None = None
        self._owner = 0

    def ask(self, function: Any, *arguments: Any) -> Any:
        """The result, or None while it is not there yet; an error of ``function`` is raised."""
        future = self._future(function, arguments)
        if future is not None and not future.done() and self._one_waits.acquire(blocking=False):
            try:
                wait([future], timeout=WAIT_S)
            finally:
                self._one_waits.release()
        if future is None or not future.done():
            return None
        try:
            return future.result()
        except BrokenProcessPool:  # it was killed: the next request starts another
            log.error("the process that computes plans was killed")
            return None

    def _future(self, function: Any, arguments: tuple[Any, ...]) -> Future[Any] | None:
        with self._lock:
            if self._owner != os.getpid():  # this one has been forked since: its own process, its own futures
                self._processes, self._owner = None, os.getpid()
                self._futures.clear()
            key = (function, arguments)
            future = self._futures.get(key)
            if future is not None and not (future.done() and isinstance(future.exception(), BrokenProcessPool)):
                self._futures.move_to_end(key)
                return future
            if sum(not one.done() for one in self._futures.values()) >= WAITING:
                return None
            future = self._futures[key] = self._submit(function, arguments)
            while len(self._futures) > KEPT:
                self._futures.popitem(last=False)
            return future

    def _submit(self, function: Any, arguments: tuple[Any, ...]) -> Future[Any]:
        if self._processes is None:
            self._processes = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_begin)
            atexit.register(self._processes.shutdown, wait=False, cancel_futures=True)
        try:
            return self._processes.submit(function, *arguments)
        except BrokenProcessPool:  # it was killed
            self._processes = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_begin)
            return self._processes.submit(function, *arguments)


_planner = Planner()


def planned(assumptions: Assumed) -> Planned | None:
    """The plan, or None while it is being computed.

    Raises:
        InvalidInput: nothing can be planned with these.
    """
    assumptions.check()
    return _planner.ask(compute, assumptions)


def quick(assumptions: Assumptions) -> dict[str, Any] | None:
    """The power beside the builder, or None while it is being computed."""
    return _planner.ask(quick_power, assumptions)


def paper() -> dict[str, Any] | None:
    """The paper's own design, or None while it is being computed."""
    return _planner.ask(paper_design)
