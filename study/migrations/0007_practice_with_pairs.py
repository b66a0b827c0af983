from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("study", "0006_language_of_a_session"),
    ]

    operations = [
        migrations.AlterField(
            model_name="guideimage",
            name="kind",
            field=models.CharField(
                choices=[("example", "example"), ("practice", "practice"), ("altered", "altered")], max_length=10
            ),
        ),
    ]
