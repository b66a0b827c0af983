"""A lab's network comes in by the page and the API: errors name field and file, and cost no file."""

import io
import json
import os
import pickle
import re
import zipfile

import pytest
import torch
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from knox.models import AuthToken
from lxml import html

from core.errors import InvalidInput
from core.models import User
from jobs.models import Job
from jobs.running import run_attempt
from model.learning.file_formats import format_of
from model.models import Classifier
from tests import factories
from tests.model.datasets import small_dataset
from tests.model.test_any_form import SIDE, encoder, learned, torchscript

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "/classifiers/import/"


@pytest.fixture
def rex(client, own_files):
    client.force_login(factories.user("rex", User.Role.RESEARCHER))
    return client


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("networks")
    body = learned()
    paths = torchscript(body, folder) | encoder(body[:], tmp_path_factory.mktemp("parts"))
    plain = io.BytesIO()
    torch.save(body.state_dict(), plain)
    return {name: path.read_bytes() for name, path in paths.items()} | {"plain": plain.getvalue()}


def sent(data: bytes, name: str = "net.pt") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data)


def uploads() -> list[str]:
    return default_storage.listdir("uploads")[1] if default_storage.exists("uploads") else []


def wrong_fields(answer) -> dict[str, str]:
    page = html.fromstring(answer.content.decode())
    return {
        one.get("id").removeprefix("field-"): " ".join(one.xpath(".//p[@class='error']")[0].text_content().split())
        for one in page.xpath("//*[@class='field wrong']")
    }


def kept_in(answer) -> dict[str, str]:
    page = html.fromstring(answer.content.decode())
    return {name: one.value for one in page.xpath("//input[@type='hidden']") if "kept" in (name := one.get("name"))}


def test_a_wrong_field_costs_neither_the_encoder_nor_its_head(rex, files):
    dataset = small_dataset(n=24, size=SIDE)
    card = {"dataset": dataset.pk, "name": "probe"}
    wrong = rex.post(
        PAGE,
        card | {"std": "1 1 0", "upload": sent(files["encoder"], "uni.pt"),
                "head_upload": sent(files["head"], "head.safetensors")},
    )  # fmt: skip
    assert wrong.status_code == 400 and set(wrong_fields(wrong)) == {"std"} and len(uploads()) == 2
    kept = kept_in(wrong)
    assert set(kept) == {"kept", "head_kept"} and "uni.pt" in wrong.content.decode()
    right = rex.post(PAGE, card | kept)
    assert right.status_code == 302 and len(uploads()) == 2
    job = Job.objects.get()
    assert run_attempt(job.pk, 1) == "done", Job.objects.get().error
    made = Classifier.objects.get()
    assert made.metrics["auc"] > 0.9 and made.settings["imported"] == "uni.pt" and uploads() == []
    page = " ".join(html.fromstring(rex.get(f"/classifiers/{made.pk}/").content.decode()).text_content().split())
    for told in ("brought along as uni.pt", "fits better as given", "6 with tumour, 6 without"):
        assert told in page


def test_swapped_classes_are_told_before_anything_is_stored_and_the_file_stays(rex, files):
    dataset = small_dataset(n=24, size=SIDE)
    card = {"dataset": dataset.pk, "name": "lab", "tumour_output": 0}
    rex.post(PAGE, card | {"upload": sent(files["weights"])})
    job = Job.objects.get()
    assert run_attempt(job.pk, 1) == "failed" and not Classifier.objects.exists() and len(uploads()) == 1
    form = rex.get(f"{PAGE}?job={job.pk}")
    assert "Order of the classes: The classes look swapped." in html.fromstring(form.content.decode()).text_content()
    assert str(form.context["form"]["tumour_output"].value()) == "0"
    assert rex.post(f"{PAGE}?job={job.pk}", card | kept_in(form) | {"tumour_output": 1}).status_code == 302
    again = Job.objects.exclude(pk=job.pk).get()
    assert run_attempt(again.pk, 1) == "done", again.error
    assert Classifier.objects.get().metrics["auc"] > 0.9


@pytest.mark.parametrize(
    ("upload", "head", "card", "field", "told"),
    [
        (None, None, {}, "upload", "No file was submitted"),
        ("text.pt", None, {}, "upload", "text.pt is no state dict"),
        ("plain.pth", None, {}, "arch", "plain.pth holds weights alone, which are no network yet"),
        ("plain.pth", "plain.pth", {}, "arch", "which are no encoder yet"),
        ("weights.pt", "text.pt", {}, "head_upload", "text.pt is no state dict"),
        ("weights.pt", "weights.pt", {}, "head_upload", "weights.pt is no state dict of linear layers"),
        (None, "plain.pth", {}, "upload", "No file was submitted"),
        ("weights.pt", None, {"mean": "0.5 0.5"}, "mean", "at least 3"),
        ("weights.pt", None, {"input_size": "0"}, "input_size", "greater than or equal to 1"),
        ("weights.pt", None, {"positive": "one"}, "positive", "valid integer"),
    ],
)
def test_what_is_wrong_is_said_at_once_beside_its_field(rex, files, upload, head, card, field, told):
    held = files | {"text": b"These are no weights at all, whatever the name says."}
    asked = {"dataset": small_dataset(n=4, size=SIDE).pk, "name": "lab"} | card
    for name, file in (("upload", upload), ("head_upload", head)):
        if file:
            asked[name] = sent(held[file.partition(".")[0]], file)
    answer = rex.post(PAGE, asked)
    assert answer.status_code == 400 and not Job.objects.exists()
    wrong = wrong_fields(answer)
    assert list(wrong) == [field] and told in wrong[field]


class Evil:
    def __reduce__(self):
        return eval, ("__import__('os').environ.update(UNPICKLED='yes')",)


@pytest.mark.parametrize("wrapped", ["torch.save", "pickle"])
def test_nothing_that_is_uploaded_is_unpickled(rex, wrapped, monkeypatch):
    monkeypatch.delenv("UNPICKLED", raising=False)
    buffer = io.BytesIO()
    torch.save({"state_dict": Evil()}, buffer) if wrapped == "torch.save" else buffer.write(pickle.dumps(Evil()))
    for field in ("upload", "head_upload"):
        asked = {"dataset": small_dataset(field, n=4, size=SIDE).pk, "name": field, "arch": "resnet18"}
        asked["upload"] = sent(buffer.getvalue(), "evil.pth")
        if field == "head_upload":
            asked[field] = sent(buffer.getvalue(), "evil-head.pth")
        assert rex.post(PAGE, asked).status_code == 302
        job = Job.objects.latest("pk")
        assert run_attempt(job.pk, 1) == "failed"
        job.refresh_from_db()
        assert re.search(r"evil(-head)?\.pth is not a PyTorch state dict that can be read safely", job.error)
    assert "UNPICKLED" not in os.environ and not Classifier.objects.exists()


def test_a_program_imports_by_the_api_and_cannot_name_files_or_code_of_the_server(rex, client, files):
    dataset = small_dataset(n=24, size=SIDE)
    token = AuthToken.objects.create(user=User.objects.get(username="rex"))[1]
    headers = {"Authorization": f"Token {token}"}
    client.logout()

    def post(**asked):
        asked = {"dataset": dataset.name, "name": "lab", "upload": sent(files["weights"])} | asked
        return client.post("/api/v1/classifiers/import/", asked, headers=headers)

    for field in ("weights", "encoder", "head", "entry", "device"):
        answer = post(**{field: "/etc/passwd"})
        assert answer.status_code == 400 and list(answer.json()) == [field]
    answer = post(microns_per_pixel="0.5", mean=["0.5", "0.5", "0.5"])
    assert answer.status_code == 202 and answer.json()["kind"] == "import_classifier"
    assert run_attempt(answer.json()["id"], 1) == "done", Job.objects.get().error
    made = Classifier.objects.get()
    assert made.settings["microns_per_pixel"] == 0.5 and made.settings["form"]["reading"]["mean"] == [0.5, 0.5, 0.5]
    assert json.loads(client.get("/api/v1/classifiers/", headers=headers).content)["count"] == 1


def test_an_archive_that_unpacks_to_many_times_its_size_is_refused_unread(rex, tmp_path):
    """A few kilobytes of zeros would take the server's memory; torch itself does not compress weights."""
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("net/data.pkl", b"")
        with archive.open("net/data/0", "w", force_zip64=True) as member:
            for _ in range(60):
                member.write(bytes(1_000_000))
    card = {"dataset": small_dataset(n=8, size=SIDE).pk, "name": "bomb", "arch": "resnet18"}
    refused = rex.post(PAGE, card | {"upload": sent(bomb.getvalue(), "bomb.pt")})
    assert refused.status_code == 400 and not uploads() and not Job.objects.exists()
    assert "The file bomb.pt unpacks to 60 MB" in wrong_fields(refused)["upload"]
    path = tmp_path / "bomb.pt"
    path.write_bytes(bomb.getvalue())
    with pytest.raises(InvalidInput, match="unpacks to 60 MB"):
        format_of(path)
