"""From files to the database: whole or not at all, and back again byte by byte."""

import hashlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from django.core.files.storage import FileSystemStorage, default_storage
from django.core.management import CommandError, call_command
from PIL import Image

from core.errors import InvalidInput
from core.images import read_pixels
from model import selectors
from model.deletion import delete_dataset
from model.learning.pannuke import PanNuke
from model.learning.patches import Patch as ReadPatch
from model.models import Dataset, Patch
from model.services import import_dataset, import_folder, import_pannuke
from tests.model.folds import NEGATIVE, POSITIVE, picture, small_fold, sparse_array, write_fold

ROOT = Path(__file__).resolve().parent.parent.parent
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_files")]


def files(own_files: Path) -> list[Path]:
    return sorted(path for path in own_files.rglob("*") if path.is_file())


def command(*arguments: str) -> dict:
    out = io.StringIO()
    call_command(*arguments, "--json", stdout=out, stderr=io.StringIO())
    return json.loads(out.getvalue())


def labelled_folder(folder: Path, *, slides: bool = True) -> Path:
    folder.mkdir()
    lines = ["file,tumour,slide" if slides else "file,tumour"]
    for k in range(4):
        Image.fromarray(picture(k, np.uint8)).save(folder / f"{k}.png")
        lines.append(f"{k}.png,{k % 2}" + (f",s{k % 2}" if slides else ""))
    (folder / "labels.csv").write_text("\n".join(lines))
    return folder


# --- Commands ---------------------------------------------------------------------------------------------------------


def test_import_pannuke_prints_its_counts_beside_the_papers(tmp_path, capsys):
    fold = small_fold(tmp_path / "data", nested="Fold 1")
    result = command("import_pannuke", str(fold), "--name", "small")
    counts = {key: result[key] for key in ("patches", "positives", "negatives", "excluded", "size", "kind")}
    assert counts == {"patches": 3, "positives": 1, "negatives": 2, "excluded": 1, "size": 224, "kind": "pannuke"}
    assert result["paper"] == {"positives": 1157, "negatives": 878}
    out = io.StringIO()
    call_command("import_pannuke", str(fold), "--name", "again", stdout=out)
    rows = [line.split() for line in out.getvalue().splitlines()]
    assert ["positives", "1", "1,157"] in rows
    assert ["negatives", "2", "878"] in rows
    assert ["excluded", "1"] in rows


def test_import_pannuke_takes_tissue_and_size(tmp_path):
    types = ["Colon", "Colon", "Breast", "Colon"]
    small_fold(tmp_path / "data")
    np.save(tmp_path / "data/types.npy", types)
    result = command("import_pannuke", str(tmp_path / "data"), "--name", "c", "--tissue", "colon", "--size", "256")
    assert (result["patches"], result["size"], result["other_tissue"]) == (3, 256, 1)
    assert Dataset.objects.get().source["tissue"] == "colon"


def test_import_patches_keeps_slides(tmp_path):
    result = command("import_patches", str(labelled_folder(tmp_path / "data")), "--name", "mine")
    assert (result["patches"], result["positives"], result["groups"], result["kind"]) == (4, 2, 2, "folder")
    assert set(Patch.objects.values_list("name", "group", "tumour_cells")) == {
        ("0.png", "s0", None), ("1.png", "s1", None), ("2.png", "s0", None), ("3.png", "s1", None),
    }  # fmt: skip


def test_import_patches_without_slides_warns(tmp_path):
    err = io.StringIO()
    call_command(
        "import_patches", str(labelled_folder(tmp_path / "d", slides=False)), "--name", "x", "--json",
        stdout=io.StringIO(), stderr=err,
    )  # fmt: skip
    assert "No slide or group" in err.getvalue()


def test_synthesise_writes_a_fold_and_imports_it_by_the_same_door(tmp_path):
    written = command("synthesise", str(tmp_path / "a"), "--patches", "12", "--seed", "4")
    assert Path(written["folder"], "masks/fold1/masks.npy").exists()
    assert not Dataset.objects.exists()
    result = command("synthesise", str(tmp_path / "b"), "--patches", "12", "--seed", "4", "--name", "gen")
    by_hand = command("import_pannuke", str(tmp_path / "a"), "--name", "by hand")
    assert (result["kind"], result["seed"], by_hand["kind"]) == ("synthetic", 4, "pannuke")
    assert result["sha256"] == by_hand["sha256"]
    assert Dataset.objects.get(name="gen").source["seed"] == 4


def test_synthesise_refuses_a_name_in_use_before_drawing(tmp_path):
    command("import_pannuke", str(small_fold(tmp_path / "data")), "--name", "taken")
    with pytest.raises(CommandError, match="'taken' exists"):
        command("synthesise", str(tmp_path / "new"), "--name", "taken")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["import_pannuke", "import_patches", "synthesise"])
def test_bad_input_ends_a_command_with_its_message(tmp_path, name):
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandError, match=str(tmp_path / "file")):
        command(name, str(tmp_path / "file"), "--name", "x")
    assert not Dataset.objects.exists()


def test_stdout_holds_one_json_document_and_stderr_the_bar(tmp_path):
    """In a process of its own, as a script would call it; a failure exits non-zero with nothing on stdout."""
    environment = os.environ | {"BLINDSPOT_HOME": str(tmp_path / "home")}

    def manage(*arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True
        )

    done = manage("synthesise", str(tmp_path / "new"), "--patches", "10", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["written"] == 10
    assert "synthesise" in done.stderr
    again = manage("synthesise", str(tmp_path / "new"), "--patches", "10", "--json")
    assert again.returncode != 0
    assert again.stdout == ""
    assert "Fold 1 exists" in again.stderr


# --- Stored and read back ---------------------------------------------------------------------------------------------


def test_pictures_and_masks_come_back_as_they_were_read(tmp_path):
    fold = small_fold(tmp_path / "data")
    dataset = import_pannuke(name="x", folds=[fold])
    read = list(PanNuke([fold]))
    np.testing.assert_array_equal(selectors.dataset_arrays(dataset), [patch.pixels for patch in read])
    np.testing.assert_array_equal(selectors.tumour_masks(dataset), [patch.tumour_mask for patch in read])
    table = selectors.patch_table(dataset)
    assert table.tumour.tolist() == [patch.tumour for patch in read]
    assert table.tumour_cells.tolist() == [6, 0, 0]
    for patch in dataset.patches.all():
        stored = default_storage.open(patch.image.name).read()
        assert stored.startswith(b"\x89PNG")
        assert patch.sha256 == hashlib.sha256(stored).hexdigest()


def test_arrays_come_in_the_order_of_the_ids(tmp_path):
    dataset = import_folder(name="x", folder=labelled_folder(tmp_path / "data"))
    everything, ids = selectors.dataset_arrays(dataset), selectors.patch_table(dataset).index.tolist()
    np.testing.assert_array_equal(selectors.dataset_arrays(dataset, [ids[3], ids[0]]), everything[[3, 0]])
    with pytest.raises(InvalidInput, match="not of data set x"):
        selectors.dataset_arrays(dataset, [ids[0], 10**9])
    with pytest.raises(InvalidInput, match=r"0\.png of x has no mask"):
        selectors.tumour_masks(dataset)


def test_a_changed_or_missing_file_is_noticed(tmp_path, own_files):
    dataset = import_folder(name="x", folder=labelled_folder(tmp_path / "data"))
    first = dataset.patches.order_by("index").first()
    Image.fromarray(picture(99, np.uint8)[:224, :224]).save(own_files / first.image.name)
    with pytest.raises(InvalidInput, match="has changed since it was stored"):
        selectors.dataset_arrays(dataset)
    with pytest.raises(InvalidInput, match="has changed"):
        read_pixels(first.image.name, sha256=first.sha256)
    (own_files / first.image.name).unlink()
    with pytest.raises(InvalidInput, match="is missing from the file store"):
        selectors.dataset_arrays(dataset)


def test_an_unknown_data_set_is_answered_with_those_there_are(tmp_path):
    import_folder(name="mine", folder=labelled_folder(tmp_path / "data"))
    with pytest.raises(InvalidInput, match=r"'other'\. There are: mine"):
        selectors.dataset_named("other")


def test_the_same_data_under_two_names_has_one_hash_and_another_label_another(tmp_path):
    folder = labelled_folder(tmp_path / "data")
    first, second = (import_folder(name=name, folder=folder) for name in ("one", "two"))
    assert first.sha256 == second.sha256
    labels = folder / "labels.csv"
    labels.write_text(labels.read_text().replace("0.png,0", "0.png,1"))
    assert import_folder(name="three", folder=folder).sha256 != first.sha256


def test_deleting_a_data_set_removes_its_files(tmp_path, own_files, django_capture_on_commit_callbacks):
    dataset = import_pannuke(name="x", folds=[small_fold(tmp_path / "data")])
    kept = import_folder(name="kept", folder=labelled_folder(tmp_path / "more"))
    with django_capture_on_commit_callbacks(execute=True):
        delete_dataset(dataset=dataset)
    assert len(files(own_files)) == 4
    assert list(Dataset.objects.all()) == [kept]
    assert len(list((own_files / "patches").iterdir())) == 1


# --- Not at all -------------------------------------------------------------------------------------------------------


def test_a_name_in_use_is_refused_and_another_one_taken(tmp_path, own_files):
    folder = labelled_folder(tmp_path / "data")
    import_folder(name="x", folder=folder)
    before = files(own_files)
    with pytest.raises(InvalidInput, match="'x' exists"):
        import_folder(name="x", folder=folder)
    assert files(own_files) == before
    assert import_folder(name="y", folder=folder).patches.count() == 4


@pytest.mark.parametrize("name", ["", "  ", "x" * 101])
def test_a_name_that_cannot_be_is_refused(tmp_path, name):
    with pytest.raises(InvalidInput, match="1 to 100 characters"):
        import_folder(name=name, folder=tmp_path)


def spoiled_fold(folder: Path) -> Path:
    bad = picture(9)
    bad[128, 128, 1] = np.nan
    return write_fold(folder, [picture(1), picture(2), bad], [POSITIVE, NEGATIVE, NEGATIVE])


def test_a_bad_last_patch_leaves_neither_rows_nor_files(tmp_path, own_files):
    with pytest.raises(InvalidInput, match="patch 2: NaN"):
        import_pannuke(name="x", folds=[spoiled_fold(tmp_path / "data")])
    assert not Dataset.objects.exists()
    assert not Patch.objects.exists()
    assert not files(own_files)
    assert not list((own_files / "patches").iterdir())


def test_an_unreadable_image_leaves_neither_rows_nor_files(tmp_path, own_files):
    folder = labelled_folder(tmp_path / "data")
    (folder / "3.png").write_text("not an image")
    with pytest.raises(InvalidInput, match=r"line 5: 3\.png"):
        import_folder(name="x", folder=folder)
    assert not Dataset.objects.exists()
    assert not files(own_files)


def test_an_interrupt_and_a_full_disk_leave_neither_rows_nor_files(tmp_path, own_files, monkeypatch):
    fold = small_fold(tmp_path / "data")

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_pannuke(name="x", folds=[fold], progress=interrupt)
    save = FileSystemStorage.save

    def full(storage, name, content):
        if "000002" in name:
            raise OSError(28, "No space left on device")
        return save(storage, name, content)

    monkeypatch.setattr(FileSystemStorage, "save", full)
    with pytest.raises(OSError, match="No space"):
        import_pannuke(name="x", folds=[fold])
    assert not Dataset.objects.exists()
    assert not files(own_files)


def test_a_name_taken_while_importing_is_refused_in_the_end(tmp_path, own_files):
    def overtake(done: int, total: int) -> None:
        if done == 1:
            Dataset.objects.create(
                name="x", kind="folder", size=1, positives=0, negatives=0, sha256="", code_version=""
            )

    with pytest.raises(InvalidInput, match="'x' exists"):
        import_pannuke(name="x", folds=[small_fold(tmp_path / "data")], progress=overtake)
    assert Dataset.objects.get().kind == "folder"
    assert not files(own_files)


def test_a_fold_without_a_class_is_refused_with_its_counts(tmp_path, own_files):
    fold = write_fold(tmp_path / "data", [picture(1), picture(2)], [NEGATIVE, NEGATIVE])
    with pytest.raises(InvalidInput, match=r"No positive patch among the 2 .*0 positives, 2 negatives"):
        import_pannuke(name="x", folds=[fold])
    assert not files(own_files)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"name": "a"}, "Two patches are called a"),
        ({"pixels": np.zeros((32, 64, 3), np.uint8)}, "b is 64 x 32 pixels"),
        ({"name": "b" * 256}, "up to 255 characters"),
    ],
)
def test_patches_that_do_not_go_together_are_refused(own_files, second, message):
    one = {"name": "a", "pixels": np.zeros((64, 64, 3), np.uint8), "tumour": True}
    two = {"name": "b", "pixels": np.ones((64, 64, 3), np.uint8), "tumour": False}
    with pytest.raises(InvalidInput, match=message):
        import_dataset(name="x", kind="folder", patches=[ReadPatch(**one), ReadPatch(**(two | second))], source={})
    assert not files(own_files)


# --- The real size ----------------------------------------------------------------------------------------------------

_MEASURED = """
import json, sys, django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
call_command("import_pannuke", sys.argv[1], "--name", "large", "--json")
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({"peak_kib": int(peak.split()[1])}))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from Linux's /proc")
def test_a_fold_of_the_real_size_is_imported_in_less_than_a_gigabyte(tmp_path):
    """2,656 patches as float64: 4.2 GB of images and 8.4 GB of masks, sparse on disk, 280 of them read.

    Those 280 alone are 1.3 GB of mapped pages, so a reader that let them pile up would be seen.
    """
    count, breast = 2656, 280
    rng = np.random.default_rng(0)
    chosen = np.sort(rng.choice(count, breast, replace=False))
    fold = tmp_path / "Fold 1"
    fold.mkdir()
    line = np.zeros((256, 256, 3))
    images = {}
    for row in chosen:
        line[128, 40:200] = rng.integers(1, 256, (160, 3))  # one line of pixels keeps the file sparse
        images[int(row)] = line.copy()
    sparse_array(fold / "images.npy", (count, 256, 256, 3), images)
    sparse_array(fold / "masks.npy", (count, 256, 256, 6), dict.fromkeys(map(int, chosen[::28]), POSITIVE))
    np.save(fold / "types.npy", np.where(np.isin(np.arange(count), chosen), "Breast", "Colon"))
    assert (fold / "masks.npy").stat().st_size > 8.3e9
    assert (fold / "masks.npy").stat().st_blocks * 512 < 1e8

    environment = os.environ | {"BLINDSPOT_HOME": str(tmp_path / "home"), "DJANGO_SETTINGS_MODULE": "config.settings"}
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, str(fold)], cwd=ROOT, env=environment, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    imported, measured = done.stdout.rsplit("{", 1)
    assert json.loads(imported)["positives"] == 10
    assert json.loads(imported)["patches"] == breast
    assert json.loads("{" + measured)["peak_kib"] < 1024 * 1024


def test_real_breast_patches_are_imported(real_pannuke):
    result = command("import_pannuke", str(real_pannuke), "--name", "breast")
    assert (result["positives"], result["negatives"], result["excluded"]) == (13, 11, 1)


@pytest.mark.slow
def test_real_prostate_patches_are_imported(real_prostate):
    result = command("import_patches", str(real_prostate), "--name", "prostate")
    assert (result["positives"], result["negatives"], result["groups"]) == (667, 637, 110)
    dataset = Dataset.objects.get()
    slides = dataset.patches.order_by().values_list("group", "tumour").distinct()
    assert len(slides) == 110  # no slide has both labels
