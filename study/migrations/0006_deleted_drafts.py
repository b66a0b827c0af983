"""Drafts can be deleted: the row stays for the log."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("study", "0005_teams")]

    operations = [
        migrations.AddField(
            model_name="study",
            name="deleted_at",
            field=models.DateTimeField(blank=True, editable=False, help_text="Of a draft.", null=True),
        ),
    ]
