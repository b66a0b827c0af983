"""The secret from which a study's schedules are drawn besides its seed. Studies that are frozen already have none."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("study", "0003_what_readers_are_told")]

    operations = [
        migrations.CreateModel(
            name="ScheduleSecret",
            fields=[
                (
                    "study",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="study.study",
                    ),
                ),
                (
                    "value",
                    models.CharField(
                        editable=False, help_text="128 random bits as hexadecimal digits.", max_length=32
                    ),
                ),
            ],
            options={"abstract": False},
        ),
    ]
