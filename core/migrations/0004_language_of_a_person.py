from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("core", "0003_hashed_tokens")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="language",
            field=models.CharField(
                blank=True,
                default="",
                help_text="Of readers’ pages: en-gb, de ... Empty: their browser’s.",
                max_length=10,
            ),
            preserve_default=False,
        ),
    ]
