"""Studies and readers named in any alphabet."""

import pytest
from django.test import Client

from core.errors import InvalidInput
from core.models import User
from study.protocol.life import free_slug
from study.protocol.readers import invite
from tests import factories

pytestmark = pytest.mark.django_db


def test_studies_in_other_alphabets_are_told_apart():
    names = ["乳腺研究", "Исследование", "研究 2024", "肺 2024", "2024"]
    for name in names:
        factories.draft_study(slug=free_slug(name), name=name)
    assert free_slug("another") == "another"
    for name in names:
        with pytest.raises(InvalidInput, match="already"):
            free_slug(name)
    with pytest.raises(InvalidInput, match="leaves no letters"):
        free_slug("?!")


@pytest.mark.parametrize("name", ["\ufdfa", "\ufdfa" * 100, "\u2100"])
def test_a_name_that_grows_or_holds_spaces_in_its_stored_form_is_refused(name):
    study = factories.open_study()
    with pytest.raises(InvalidInput, match=r"^username: "):
        invite(study=study, username=name, actor="test")
    client = Client()
    client.force_login(factories.user("boss", User.Role.ADMIN), backend="django.contrib.auth.backends.ModelBackend")
    assert client.post(f"/studies/{study.slug}/readers/", {"username": name, "days": 14}).status_code == 400
    assert study.assignments.count() == 1
