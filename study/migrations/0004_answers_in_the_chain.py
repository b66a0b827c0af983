"""Every answer gets a hash that follows from the one before it in its set; the log's events name their study's last one.

Answers that are stored already are chained as they stand. Answers and the log can no longer be deleted or emptied, on
SQLite and on PostgreSQL.
"""

import django.utils.timezone
from django.db import migrations, models

from study.protocol.append_only import guard, unguard
from study.protocol.answer_chain import FIELDS, answer_hash, start


def without_guard(apps, schema_editor):
    unguard(schema_editor.connection)


def with_guard(apps, schema_editor):
    guard(schema_editor.connection)


def chain_answers(apps, schema_editor):
    reading_sets = apps.get_model("study", "ReadingSet").objects.select_related("assignment__study")
    answers = apps.get_model("study", "Response").objects
    for reading_set in reading_sets.defer("assignment__study__protocol", "assignment__study__source").iterator():
        assignment = reading_set.assignment
        head = start(
            protocol_sha256=assignment.study.protocol_sha256, reader=assignment.code, number=reading_set.number
        )
        rows = answers.filter(presentation__reading_set=reading_set).select_related("presentation")
        chained = list(rows.order_by("presentation__position", "revision"))
        for row in chained:
            values = {name: getattr(row, name) for name in FIELDS}
            shown = row.presentation
            row.hash = head = answer_hash(head, token=shown.token, position=shown.position, values=values)
        if chained:
            answers.bulk_update(chained, ["hash"], batch_size=200)
            reading_set.answers, reading_set.head = len(chained), head
            reading_set.save(update_fields=["answers", "head"])


class Migration(migrations.Migration):
    dependencies = [("study", "0003_schedule_secret")]

    operations = [
        migrations.RunPython(without_guard, with_guard),
        migrations.AddField(
            "response",
            "hash",
            models.CharField(
                blank=True,
                default="",
                editable=False,
                help_text="Of this answer and the one before it in the set.",
                max_length=64,
            ),
            preserve_default=False,
        ),
        migrations.AlterField(
            "response",
            "received_at",
            models.DateTimeField(default=django.utils.timezone.now, help_text="Server clock."),
        ),
        migrations.AddField(
            "readingset",
            "answers",
            models.PositiveIntegerField(default=0, editable=False, help_text="Stored answers, revisions included."),
        ),
        migrations.AddField(
            "readingset",
            "head",
            models.CharField(
                blank=True, default="", editable=False, help_text="Hash of the last stored answer.", max_length=64
            ),
            preserve_default=False,
        ),
        migrations.AlterField(
            "auditevent",
            "previous_hash",
            models.CharField(help_text="Of the event before it in the whole log.", max_length=64),
        ),
        migrations.AddField(
            "auditevent",
            "study_previous",
            models.CharField(
                blank=True,
                default="",
                help_text="Hash of the study's event before it, so that its part holds by itself.",
                max_length=64,
            ),
            preserve_default=False,
        ),
        migrations.RunPython(chain_answers, migrations.RunPython.noop),
        migrations.RunPython(with_guard, without_guard),
    ]
