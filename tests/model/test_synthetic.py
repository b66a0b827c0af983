"""Generated patches: the same by seed, honest in their masks, and not told apart by colour alone."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import label
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from core.errors import InvalidInput
from model.learning.pannuke import PanNuke
from model.learning.synthetic import plan, synthesise


@pytest.fixture(scope="module")
def fold(tmp_path_factory) -> Path:
    return synthesise(tmp_path_factory.mktemp("synthetic"), patches=72, seed=3)


def arrays(fold: Path) -> tuple[np.ndarray, np.ndarray]:
    images = np.load(fold / "images/fold1/images.npy", mmap_mode="r")
    return images, np.load(fold / "masks/fold1/masks.npy", mmap_mode="r")


def hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path):
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        synthesise(tmp_path / name, patches=10, seed=seed)
    first, again, other = (hashes(tmp_path / name) for name in "abc")
    assert first == again
    assert len(first) == 4
    names = [name for name in first if name.endswith(("images.npy", "masks.npy"))]
    assert all(first[name] != other[name] for name in names)


def test_a_patch_depends_on_its_place_and_plan_not_on_those_before_it(tmp_path):
    """So a larger set may be drawn in parts later: the random numbers of a patch are its own."""
    ten = arrays(synthesise(tmp_path / "a", patches=10, seed=1))[0]
    twelve = arrays(synthesise(tmp_path / "b", patches=12, seed=1))[0]
    kept = [row for row in range(10) if plan(10, 1)[row] == plan(12, 1)[row]]
    assert kept
    assert all((ten[row] == twelve[row]).all() for row in kept)


def test_half_is_positive_half_negative_and_a_few_are_left_out(fold):
    reader = PanNuke([fold])
    cells = [patch.tumour_cells for patch in reader]
    assert (reader.summary.positives, reader.summary.negatives) == (35, 35)
    assert (reader.summary.excluded, reader.summary.duplicates) == (2, 0)
    assert sorted(set(cells))[1] >= 5


def test_files_are_compact_and_in_pannukes_layout(fold):
    images, masks = arrays(fold)
    types = np.load(fold / "images/fold1/types.npy")
    assert (images.shape, images.dtype) == ((72, 256, 256, 3), np.uint8)
    assert (masks.shape, masks.dtype) == ((72, 256, 256, 6), np.uint8)
    assert set(types) == {"Breast"}


def test_masks_own_each_pixel_once_with_ids_of_one_channel(fold):
    _, masks = arrays(fold)
    for mask in masks[::6]:
        owned = mask[..., :5] > 0
        assert owned.sum(-1).max() <= 1
        np.testing.assert_array_equal(mask[..., 5], owned.sum(-1) == 0)
        ids = [set(np.unique(mask[..., channel])) - {0} for channel in range(5)]
        assert sum(map(len, ids)) == len(set.union(*ids))


def test_masks_lie_on_dark_nuclei(fold):
    images, masks = arrays(fold)
    red = images[..., 0].astype(float)  # where haematoxylin absorbs and eosin hardly does
    nuclear = masks[..., 5] == 0
    darker = [red[k][~nuclear[k]].mean() - red[k][nuclear[k]].mean() for k in range(72)]
    assert min(darker) > 10
    assert np.mean(darker) > 40


def test_tumour_nuclei_are_larger_and_less_alike_than_benign_ones(fold):
    _, masks = arrays(fold)

    def areas(channel: int) -> np.ndarray:
        sizes = [np.bincount(mask[..., channel].ravel())[1:] for mask in masks]
        return np.concatenate([size[size > 30] for size in sizes])

    tumour, benign, lymphocyte = areas(0), areas(4), areas(1)
    assert np.median(tumour) > 1.4 * np.median(benign) > 1.4 * np.median(lymphocyte)
    assert np.std(tumour) / np.mean(tumour) > np.std(benign) / np.mean(benign)


def test_most_nuclei_are_whole(fold):
    """Each id is one piece, but for a few that are crossed by a later one."""
    _, masks = arrays(fold)
    owner = masks[::10, ..., :5].max(-1)
    pieces = [label(picture == number)[1] for picture in owner for number in np.unique(picture)[1:]]
    assert np.mean(np.asarray(pieces) == 1) > 0.95


def test_colour_alone_is_a_weak_cue(fold):
    """Means and spreads per channel; on the real prostate patches the same baseline reaches an AUC of 0.74."""
    patches = list(PanNuke([fold]))
    features = np.array([[*p.pixels.mean((0, 1)), *p.pixels.std((0, 1))] for p in patches])
    baseline = make_pipeline(StandardScaler(), LogisticRegression())
    auc = cross_val_score(baseline, features, [p.tumour for p in patches], cv=5, scoring="roc_auc").mean()
    assert auc < 0.85


@pytest.mark.parametrize(("wrong", "message"), [({"patches": 9}, "patches 9"), ({"seed": -1}, "seed -1")])
def test_settings_that_cannot_be_are_refused(tmp_path, wrong, message):
    with pytest.raises(InvalidInput, match=message):
        synthesise(tmp_path, **wrong)
    assert not list(tmp_path.iterdir())


def test_what_is_there_is_not_overwritten(tmp_path):
    (tmp_path / "Fold 1").mkdir()
    with pytest.raises(InvalidInput, match="Fold 1 exists"):
        synthesise(tmp_path, patches=10)


def test_a_folder_that_cannot_be_made_is_bad_input(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match="cannot be written"):
        synthesise(tmp_path / "file", patches=10)


def test_an_interrupted_run_leaves_nothing(tmp_path):
    def interrupt(done: int, total: int) -> None:
        assert total == 10
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synthesise(tmp_path, patches=10, progress=interrupt)
    assert not list(tmp_path.iterdir())
