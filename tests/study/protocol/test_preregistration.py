"""The frozen protocol as one file for a registry: everything that is fixed, nothing that tells an arm or an order."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from study.models import Stimulus, Study
from study.protocol.life import close_study, unblind_study
from tests import factories
from tests.conftest import SECRET

pytestmark = pytest.mark.django_db


def exported(*options: str) -> str:
    out = io.StringIO()
    call_command("export_protocol", "small", *options, stdout=out)
    return out.getvalue()


@pytest.fixture
def study() -> Study:
    return factories.open_study(
        cases=4, copies=2, arm_order="twin-split", margin=0.1, margin_rationale="As in our pilot.", floor_tpf=0.7,
        stopping_rule="When both have read.", consent_text="You agree.", seed=4_711_000_123, readers=("ann", "ben"),
    )  # fmt: skip


def test_command_page_and_api_give_the_same_text_and_the_same_document(study, client):
    client.force_login(factories.user("rita", "researcher"))
    text, document = exported(), json.loads(exported("--json"))
    assert client.get("/studies/small/protocol.md").text == text.rstrip("\n") + "\n"
    assert client.get("/api/v1/studies/small/protocol/text/").text == text.rstrip("\n") + "\n"
    assert client.get("/studies/small/protocol.json").json() == document
    assert client.get("/api/v1/studies/small/protocol/").json() == document
    assert "/studies/small/protocol.md" in client.get("/studies/small/protocol/").text


def test_it_names_what_is_fixed_and_the_hashes_that_prove_it(study):
    text = exported()
    for words in (
        "**Why this margin:** As in our pilot.",
        "**Stopping rule:** When both have read.",
        "**Order of arms:** twin-split",
        "**No verdict below:** TPF 0.7 of originals",
        *("**Multiplicity:** ", "**Interval:** ", "**Unit of inference:** ", "**Sensitivity:** "),
        "**Consent:** You agree.",
        f"`{study.protocol_sha256}`",
        "**Cases:** 4 positives",
    ):
        assert words in text, words
    assert json.loads(exported("--json"))["protocol_sha256"] == study.protocol_sha256
    assert [row["reader"] for row in json.loads(exported("--json"))["schedules"]] == ["R01", "R02"]


def test_it_holds_no_case_no_order_and_no_seed_from_which_an_order_could_be_drawn(study):
    both = exported() + exported("--json")
    assert not [one for one in Stimulus.objects.values_list("sha256", flat=True) if one in both]
    assert not [case.patch_id for case in study.cases.all() if case.patch_id in both]
    seeds = [str(study.seed)]
    for entry in study.protocol["schedules"]:
        seeds += [str(entry["seed"]), str(entry["round_seed"])]
    assert not [seed for seed in seeds if seed in both]


def test_nor_do_the_pages_of_the_protocol_before_unblinding(study, client):
    client.force_login(factories.user("rita", "researcher"))
    pages = [client.get(f"/studies/small/{page}").text for page in ("", "protocol/", "protocol.json")]
    assert not any(str(study.seed) in page or str(study.protocol["schedules"][0]["seed"]) in page for page in pages)


def test_it_stays_the_same_after_unblinding_but_for_the_secret_that_is_disclosed_then(study):
    before, document = exported(), json.loads(exported("--json"))
    close_study(study=study, actor="test")
    unblind_study(study=Study.objects.get(), actor="test")
    assert exported().replace(f"; disclosed by unblinding: `{SECRET}`", "") == before
    assert json.loads(exported("--json")) == document | {"schedule_secret": SECRET}


def test_a_draft_has_nothing_to_register(client):
    factories.draft_study()
    with pytest.raises(CommandError, match="is a draft: its protocol is fixed when it is frozen"):
        exported()
    client.force_login(factories.user("rita", "researcher"))
    assert client.get("/studies/small/protocol.md").status_code == 409
    assert client.get("/api/v1/studies/small/protocol/text/").status_code == 409
