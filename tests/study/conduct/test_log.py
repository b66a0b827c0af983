"""The log on a study's page says what happened in words."""

import pytest

from study.models import AuditEvent
from study.protocol import audit_log
from tests import factories

pytestmark = pytest.mark.django_db


def test_the_log_of_a_study_is_in_words_with_the_reader_the_set_and_the_reason(client):
    study = factories.open_study()
    audit_log.record(
        study=study, actor="ada", action="set_reopened", reader="R01", set=2, reason="stopped for a fire alarm"
    )
    audit_log.record(study=study, actor="ada", action="closed")
    client.force_login(factories.user("ada", "admin"))
    text = client.get(f"/studies/{study.slug}/").content.decode()
    assert "Set reopened: R01, set 2 (stopped for a fire alarm)" in text
    assert "Reading closed" in text
    for action in AuditEvent.objects.values_list("action", flat=True):
        assert f"<td>{action}</td>" not in text
