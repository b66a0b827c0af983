"""Long work: a registry of kinds, one row per job, a heartbeat, and workers of two engines.

    registry.py      what can be done: ``@job("attack", ...)`` above a function of a context and its arguments
    services.py      submit, cancel, retry, reap
    queue.py         the task queue, and what has to be repaired around it
    running.py       one attempt: claim, heartbeat, progress, cancel, finish
    workers.py       the processes: django-tasks-db's or RQ's own worker, with a watchdog thread beside it
    requests.py      what every request for work shares: a free name, a page with a form
    stored_files.py  whether the file store holds what the database names

Work can be repeated safely: the result of a chunk is written once, by key. An attempt therefore begins where the one
before it was cut off, and ends in the same bytes.
"""
