"""User names become small letters in Unicode's compatibility form: "Ann" and "ann" are one person."""

import unicodedata

import django.contrib.auth.validators
from django.db import migrations

import core.models


def plain_name(name):
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).lower())


def make_plain(apps, schema_editor):
    """The user who was there first keeps the plain name; of those that become equal to it, each gets a number."""
    rows = list(apps.get_model("core", "User").objects.order_by("pk").values_list("pk", "username"))
    plain_names = {plain_name(name) for _, name in rows}
    names, taken = {}, set()
    for pk, name in rows:
        plain = wanted = plain_name(name)[:150]
        number = 1
        while wanted in taken or (number > 1 and wanted in plain_names):
            number += 1
            wanted = f"{plain[:140]}-{number}"
        taken.add(wanted)
        if wanted != name:
            names[pk] = wanted
        if number > 1:
            print(f"  User {name!r} is called {wanted!r} from now on: {plain!r} is somebody else.")
    # Twice, so that nobody gets a name that another has not given up yet; by plain SQL, which compares names as they are.
    with schema_editor.connection.cursor() as cursor:
        for pk in names:
            cursor.execute("UPDATE core_user SET username = %s WHERE id = %s", [f"being renamed {pk}", pk])
        for pk, wanted in names.items():
            cursor.execute("UPDATE core_user SET username = %s WHERE id = %s", [wanted, pk])


class Migration(migrations.Migration):
    dependencies = [("core", "0001_initial")]

    operations = [
        migrations.RunPython(make_plain, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="user",
            name="username",
            field=core.models.UserNameField(
                error_messages={"unique": "There is a user of this name already."},
                help_text="Letters, digits and @ . + - _ only. Capitals make no difference.",
                max_length=150,
                unique=True,
                validators=[django.contrib.auth.validators.UnicodeUsernameValidator()],
                verbose_name="user name",
            ),
        ),
    ]
