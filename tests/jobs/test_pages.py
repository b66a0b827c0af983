"""The jobs' pages."""

import pytest

from attacks.models import PairSet
from jobs.models import Job
from tests import factories
from tests.pool import attacked_pool

pytestmark = pytest.mark.django_db


def test_a_finished_job_links_to_what_it_made(client, own_files):
    attack = attacked_pool()
    classifier = attack.classifier
    pairs = PairSet.objects.create(
        name="jpeg", width=8, height=8, sha256="0" * 64, variants=[""], source={}, code_version="t"
    )
    client.force_login(factories.user("ora", "researcher"))
    for kind, arguments, result, address in (
        ("attack", {}, {"attack": attack.name}, f"/attacks/{attack.pk}/"),
        ("import_pairs", {}, {"pairs": "jpeg"}, f"/pairs/{pairs.pk}/"),
        ("success_curves", {}, {"classifier": classifier.name}, f"/classifiers/{classifier.pk}/curves/"),
        ("figure", {"of": "attack", "pk": attack.pk}, {"figure": "pairs"}, f"/figures/attack/{attack.pk}/"),
    ):
        job = Job.objects.create(
            kind=kind, title="x", code_version="x", state="done", arguments=arguments, result=result
        )
        text = client.get(f"/jobs/{job.pk}/").content.decode()
        assert f'<a role="button" href="{address}"' in text, kind
        assert client.get(address).status_code == 200, kind
