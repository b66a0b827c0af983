"""Whatever a folder, archive, PanNuke fold or checkpoint holds: taken whole, or refused by name and nothing kept."""

import io
import shutil
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import nn
from torchvision import models

from core import uploads
from core.errors import InvalidInput
from core.images import read_pixels
from model.learning.network import load_weights
from model.learning.pictures import read_picture
from model.learning.prediction import predict
from model.models import Dataset, Patch
from model.services import import_folder, import_pannuke
from tests.fuzzing import archives, arrays, checkpoints, pictures, pixels, tables, tried

pytestmark = pytest.mark.fuzz
HEADER, ROWS = ["file", "tumour", "slide"], [[f"{name}.png", "01"[name in "ab"], f"s{name}"] for name in "abcd"]
ARCH = "shufflenet_v2_x0_5"


def png(seed: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels(seed)).save(file, "PNG")
    return file.getvalue()


PICTURES = {f"{name}.png": png(number) for number, name in enumerate("abcd", start=2)}


def table(rows: list[list[str]]) -> bytes:
    return "\n".join(",".join(row) for row in [HEADER, *rows]).encode()


def filled(folder: Path, files: dict[str, bytes]) -> Path:
    """``folder`` with these files and no others."""
    for file in folder.iterdir() if folder.is_dir() else ():
        file.unlink()
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def whole_or_nothing(own_files: Path, take: Any) -> Dataset | InvalidInput:
    """What ``take`` makes or says; all its files are there and as recorded, or none is."""
    Dataset.objects.all().delete()
    shutil.rmtree(own_files, ignore_errors=True)
    try:
        made = take()
    except InvalidInput as error:
        assert not Dataset.objects.exists() and not Patch.objects.exists()
        assert [file for file in own_files.rglob("*") if file.is_file()] == []
        return error
    rows = list(made.patches.all())
    assert len(rows) == made.positives + made.negatives >= 1
    for row in rows:
        stored = read_pixels(row.image.name, sha256=row.sha256)
        assert stored.shape == (36, 36, 3) and stored.dtype == np.uint8
    assert sum(row.tumour for row in rows) == made.positives
    return made


@tried(250)
@given(made=pictures())
def test_any_picture_is_read_or_refused(tmp_path, made):
    path = tmp_path / f"x.{made[0]}"
    path.write_bytes(made[1])
    try:
        found = read_picture(path).pixels
    except InvalidInput as error:
        assert str(tmp_path) not in str(error) and len(str(error)) < 500
    else:
        assert found.dtype == np.uint8 and found.ndim == 3 and found.shape[2] == 3 and found.size


@pytest.mark.django_db
@tried(30)
@given(made=pictures(), skip=st.booleans())
def test_a_folder_with_any_picture_is_imported_whole_or_refused(tmp_path, own_files, made, skip):
    name = f"x.{made[0]}"
    folder = filled(tmp_path / "set", PICTURES | {name: made[1], "labels.csv": table([*ROWS, [name, "1", "sx"]])})
    found = whole_or_nothing(own_files, lambda: import_folder(name="x", folder=folder, size=36, skip_bad=skip))
    if skip:
        assert isinstance(found, Dataset) and found.positives + found.source.get("left_out", 0) == 3
    elif isinstance(found, InvalidInput):
        assert f"labels.csv, line 6: {name} " in str(found)


@pytest.mark.django_db
@tried(80)
@given(data=tables(HEADER, ROWS), skip=st.booleans())
def test_any_table_of_labels_is_imported_whole_or_refused(tmp_path, own_files, data, skip):
    folder = filled(tmp_path / "set", PICTURES | {"labels.csv": data})
    found = whole_or_nothing(own_files, lambda: import_folder(name="x", folder=folder, size=36, skip_bad=skip))
    assert isinstance(found, Dataset) or "labels.csv" in str(found)


@pytest.mark.django_db
@tried(100)
@given(data=archives(PICTURES | {"labels.csv": table(ROWS)}))
def test_any_archive_is_imported_whole_or_refused(own_files, data):
    def take() -> Dataset:
        name = default_storage.save("uploads/x.zip", ContentFile(data))
        try:
            with uploads.unpacked(name, marker="labels.csv", called="mine.zip") as folder:
                return import_folder(name="x", folder=folder, size=36)
        finally:
            uploads.forget(name)

    found = whole_or_nothing(own_files, take)
    if isinstance(found, InvalidInput):
        assert str(found).startswith("mine.zip") and "/tmp" not in str(found)
    else:
        assert found.positives == found.negatives == 2


def fold() -> dict[str, np.ndarray]:
    images = np.full((2, 256, 256, 3), 200, np.uint8)
    images[1] = 90
    masks = np.zeros((2, 256, 256, 6), np.uint8)
    masks[0, 120:130, 100:110, 0] = np.arange(10)
    return {"images": images, "masks": masks, "types": np.array(["Breast", "Breast"])}


@pytest.mark.django_db
@tried(60)
@given(data=st.data(), name=st.sampled_from(["images", "masks", "types"]))
def test_any_array_is_imported_whole_or_refused(tmp_path, own_files, data, name):
    for other, array in fold().items():
        np.save(tmp_path / f"{other}.npy", array)
    (tmp_path / f"{name}.npy").write_bytes(data.draw(arrays(fold()[name])))
    found = whole_or_nothing(own_files, lambda: import_pannuke(name="x", folds=[tmp_path], size=36))
    if isinstance(found, InvalidInput):
        assert ".npy" in str(found) or "tissue" in str(found)


@pytest.fixture(scope="module")
def state() -> OrderedDict:
    torch.manual_seed(0)
    network = models.shufflenet_v2_x0_5(weights=None)
    network._modules["fc"] = nn.Linear(1024, 2)
    return OrderedDict(network.state_dict())


@tried(30)
@given(data=st.data())
def test_any_checkpoint_is_loaded_or_refused_with_its_name(tmp_path, state, data):
    file = tmp_path / "w.pth"
    file.write_bytes(data.draw(checkpoints(state)))
    try:
        network = load_weights(ARCH, file, image_size=64)
    except InvalidInput as error:
        assert "w.pth" in str(error) or ARCH in str(error)
    else:
        assert all(torch.isfinite(value).all() for value in network.state_dict().values())
        assert np.isfinite(predict(network, np.stack([pixels(1, 64), pixels(2, 64)]))).all()
