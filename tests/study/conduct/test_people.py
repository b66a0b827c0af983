"""Who has seen arms cannot read: at the assignment, after a change of role, and at the images."""

from datetime import timedelta

import pytest
from django.utils import timezone

from core.errors import InvalidInput
from core.models import User
from study.blinds import has_seen_arms
from study.models import Presentation, Study
from study.protocol.building import StudySettings, build_study
from study.protocol.life import assign_reader
from tests.pool import attacked_pool

pytestmark = pytest.mark.django_db

SMALL = StudySettings(positives=4, negatives=0, copies=1, min_gap=2, washout_hours=0, practice=0, questions=())


def person(name: str, role: str = User.Role.READER) -> User:
    return User.objects.create_user(name, password="x", role=role)


def open_study(*readers: User) -> Study:
    return build_study(name="Seen", attack=attacked_pool(), seed=1, actor="test", settings=SMALL, readers=readers)


@pytest.mark.parametrize("role", [User.Role.RESEARCHER, User.Role.ADMIN])
def test_researchers_and_admins_are_not_assigned(role):
    with pytest.raises(InvalidInput, match="not a reader"):
        assign_reader(study=open_study(), reader=person("ora", role), actor="test")


def test_who_was_a_researcher_after_the_images_were_made_is_not_assigned():
    ora = person("ora", User.Role.RESEARCHER)
    study = open_study()
    ora = User.objects.get(pk=ora.pk)
    ora.role = User.Role.READER
    ora.save(update_fields=["role"])
    with pytest.raises(InvalidInput, match="may have seen"):
        assign_reader(study=study, reader=User.objects.get(pk=ora.pk), actor="test")


def test_who_was_one_before_them_is_assigned():
    ora = person("ora")
    ora.arms_seen_until = timezone.now() - timedelta(days=1)
    ora.save()
    assert assign_reader(study=open_study(), reader=ora, actor="test").code == "R01"


def test_who_left_between_a_studys_attacks_may_have_seen_the_first():
    first, second = attacked_pool(), attacked_pool(name="later", seed=1)
    now = timezone.now()
    for attack, made in ((first, now - timedelta(days=9)), (second, now - timedelta(days=1))):
        type(attack).objects.filter(pk=attack.pk).update(created_at=made)
    study = build_study(name="Seen", attack=second, seed=1, actor="test", settings=SMALL)
    study.source["further_attacks"] = [{"name": first.name}]
    ora = person("ora")
    for days, seen in ((10, False), (5, True), (0.5, True)):
        ora.arms_seen_until = now - timedelta(days=days)
        assert has_seen_arms(ora, study) is seen, days
    study.source["further_attacks"] = [{"name": "gone"}]  # nobody can say since when
    ora.arms_seen_until = now - timedelta(days=1000)
    assert has_seen_arms(ora, study)


def test_a_reader_who_was_a_researcher_meanwhile_finds_the_study_shut(client):
    ann = person("ann")
    study = open_study(ann)
    token = Presentation.objects.get(reading_set__assignment__study=study, position=1).token
    client.force_login(ann)
    address = f"/reading/study/{study.slug}/"
    client.post(f"{address}consent/", {"agree": "yes"})
    assert client.get(address).status_code == 200
    assert client.get(f"/reading/image/{token}").status_code == 200
    for role in (User.Role.RESEARCHER, User.Role.READER):  # in, and out again
        ann = User.objects.get(pk=ann.pk)
        ann.role = role
        ann.save()
        assert client.get(address).status_code == 404
        assert client.get(f"/reading/image/{token}").status_code == 404
