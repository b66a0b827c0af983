from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("study", "0008_ladders")]

    operations = [
        migrations.AddField(
            model_name="invitation",
            name="language",
            field=models.CharField(
                blank=True, default="", help_text="Of the mail, and of the reader's first pages.", max_length=10
            ),
            preserve_default=False,
        ),
    ]
