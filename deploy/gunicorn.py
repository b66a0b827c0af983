"""How gunicorn serves the pages: ``gunicorn --config deploy/gunicorn.py --bind ADDRESS``, in the checkout."""

import gc

wsgi_app = "config.wsgi"
worker_class = "deploy.whole_requests.WholeRequests"  # a half-sent request holds no thread
workers = 2  # one per core
threads = 4  # so that a page that computes for seconds does not stop the readers of its process
preload_app = True  # the application is loaded once, and its memory shared


def when_ready(server: object) -> None:
    """Before the processes part: what was loaded is not looked through for garbage again, and so stays shared."""
    gc.collect()
    gc.freeze()
