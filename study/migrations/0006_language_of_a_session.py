from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("study", "0006_deleted_drafts"),
    ]

    operations = [
        migrations.AddField(
            model_name="readingsession",
            name="language",
            field=models.CharField(
                blank=True, help_text="Of the pages, as Django names it: en-gb, de ...", max_length=10
            ),
        ),
    ]
