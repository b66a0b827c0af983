"""Jobs that survive: a registry of kinds, a row that holds the truth, a heartbeat, and workers of two engines.

    registry.py   what can be done: ``@job("attack", ...)`` above a function of a context and its arguments
    services.py   submit, cancel, retry, reap
    running.py    one attempt: claim, heartbeat, progress, cancel, finish
    workers.py    the processes: django-tasks-db's or RQ's own worker, with a minder beside it

Work is idempotent by construction: what a chunk makes is written once, by key, so that an attempt begins where the
one before it was cut off, and ends in the same bytes.
"""
