"""What the audit's own server serves: the application on the copied rows, with a leak where one is to be planted.

gunicorn loads it, with a new, empty file as database.
"""

import os
from itertools import groupby
from pathlib import Path
from typing import Any
from wsgiref.types import WSGIApplication

from django.core.wsgi import get_wsgi_application

ROWS = os.environ["BLINDSPOT_AUDIT_ROWS"]
PLANT = os.environ["BLINDSPOT_AUDIT_PLANT"]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
clean = get_wsgi_application()


def _fill() -> None:
    from django.apps import apps
    from django.conf import settings
    from django.core import serializers
    from django.core.management import call_command
    from django.db import connections, transaction

    # Tables are created as the models are now: a new file needs no history of changes.
    settings.MIGRATION_MODULES = {app.label: None for app in apps.get_app_configs()}
    call_command("migrate", run_syncdb=True, verbosity=0)
    rows: list[Any] = [row.object for row in serializers.deserialize("json", Path(ROWS).read_text(encoding="utf-8"))]
    with transaction.atomic():
        for model, group in groupby(rows, key=lambda row: row._meta.model):
            model.objects.bulk_create(list(group), batch_size=500)
    connections.close_all()  # a worker is forked after this and opens its own


_fill()
application: WSGIApplication = clean
if PLANT:
    from study.blinding.plants import Planted

    application = Planted(clean, PLANT)
