"""Tokens that were kept in clear become hashes and work on; their old table goes."""

from django.db import migrations
from django.utils import timezone
from knox.crypto import hash_token
from knox.settings import CONSTANTS, knox_settings

OLD = "authtoken_token"


def hash_tokens(apps, schema_editor):
    connection = schema_editor.connection
    if OLD not in connection.introspection.table_names():
        return
    made, ends = timezone.now(), timezone.now() + knox_settings.TOKEN_TTL
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT key, user_id FROM {OLD}")
        rows = cursor.fetchall()
    tokens = apps.get_model("knox", "AuthToken")
    for key, user_id in rows:
        digest, start = hash_token(key), key[: CONSTANTS.TOKEN_KEY_LENGTH]
        # The historical manager is a plain one: it takes the row as it is.
        tokens(digest=digest, token_key=start, user_id=user_id, created=made, expiry=ends).save()
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {OLD}")


class Migration(migrations.Migration):
    dependencies = [("core", "0002_plain_user_names"), ("knox", "0009_extend_authtoken_field")]

    operations = [migrations.RunPython(hash_tokens, migrations.RunPython.noop)]
