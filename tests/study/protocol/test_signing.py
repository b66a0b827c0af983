"""Heads of the log that leave the installation: signed with its own key, or mailed to its admins."""

import io
import json
import stat

import pytest
from django.core import mail
from django.core.management import CommandError, call_command

from core.errors import InvalidInput
from study.protocol import audit_log, signing
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def study(settings, tmp_path):
    settings.HOME = tmp_path
    return factories.open_study()


def test_a_signed_head_is_found_in_the_log_later(study, tmp_path):
    out = io.StringIO()
    call_command("verify", study.slug, "--sign", "--json", stdout=out, stderr=io.StringIO())
    signed = json.loads(out.getvalue())["signed"]
    assert signed["head"] == audit_log.head(study)
    assert stat.S_IMODE((tmp_path / "signing_key.pem").stat().st_mode) == 0o600
    (tmp_path / "head.json").write_text(out.getvalue())
    audit_log.record(study=study, actor="office", action="noted")
    call_command("verify", study.slug, "--signature", str(tmp_path / "head.json"), stdout=io.StringIO())
    assert signing.signed_head(study)["public_key"] == signed["public_key"]  # the key is made once


@pytest.mark.parametrize("key", ["head", "events", "at", "signature"])
def test_a_signed_head_that_was_changed_is_refused(study, key):
    signed = signing.signed_head(study)
    signed[key] = signed[key] + 1 if key == "events" else signed[key][::-1]
    with pytest.raises(InvalidInput, match=r"did not sign|no signed head"):
        signing.head_of_signed(json.dumps(signed), study)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"signature": 3}', '{"signature": "", "study": "small"}'])
def test_what_is_no_signed_head_is_refused(study, text):
    with pytest.raises(InvalidInput, match="signed head"):
        signing.head_of_signed(text, study)


def test_another_installations_key_and_another_study_are_refused(study, settings, tmp_path):
    signed = signing.signed_head(study)
    with pytest.raises(InvalidInput, match="of study 'small'"):
        signing.head_of_signed(json.dumps(signed), factories.draft_study(slug="other"))
    settings.HOME = tmp_path / "other"
    settings.HOME.mkdir()
    with pytest.raises(InvalidInput, match="did not sign"):
        signing.head_of_signed(json.dumps(signed), study)


def test_the_head_is_mailed_to_the_admins(study, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    with pytest.raises(CommandError, match="EMAIL_URL"):
        call_command("verify", study.slug, "--mail", stdout=io.StringIO())
    settings.EMAIL_CONFIGURED = True
    with pytest.raises(CommandError, match="address"):
        call_command("verify", study.slug, "--mail", stdout=io.StringIO())
    factories.user("chief", role="admin", email="chief@example.org")
    factories.user("other", role="researcher", email="other@example.org")
    call_command("verify", study.slug, "--mail", stdout=io.StringIO())
    assert [message.to for message in mail.outbox] == [["chief@example.org"]]
    assert audit_log.short(audit_log.head(study)) in mail.outbox[0].body
