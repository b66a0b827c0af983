"""PanNuke's files: what is found, how it is labelled, what is refused."""

import hashlib
import tracemalloc

import numpy as np
import pytest

from core import published
from core.errors import InvalidInput
from model.learning.pannuke import PanNuke, Summary
from tests.model.folds import CENTRAL, NEGATIVE, POSITIVE, nuclei, picture, small_fold, write_fold


def labels(reader: PanNuke) -> list[tuple[str, bool, int | None]]:
    return [(patch.name, patch.tumour, patch.tumour_cells) for patch in reader]


@pytest.mark.parametrize(("count", "expected"), [(0, False), (1, None), (4, None), (5, True), (6, True)])
def test_five_tumour_cells_are_positive_none_negative_and_few_are_left_out(tmp_path, count, expected):
    reader = PanNuke([write_fold(tmp_path, [picture()], [nuclei(*CENTRAL[:count])])])
    found = [patch.tumour for patch in reader]
    assert found == ([] if expected is None else [expected])
    assert reader.summary == Summary(positives=expected is True, negatives=expected is False, excluded=expected is None)


def test_only_the_neoplastic_channel_counts(tmp_path):
    masks = [nuclei(*CENTRAL[:6], channel=channel) for channel in range(5)]
    reader = PanNuke([write_fold(tmp_path, [picture(k) for k in range(5)], masks)])
    assert [patch.tumour_cells for patch in reader] == [6, 0, 0, 0, 0]


def test_nuclei_outside_the_shown_crop_do_not_count(tmp_path):
    border = [(5, 20 + 12 * k) for k in range(6)]  # wholly within the 16 pixels that the crop takes off
    fold = write_fold(tmp_path, [picture()], [nuclei(*border)])
    assert labels(PanNuke([fold]))[0][1:] == (False, 0)
    assert labels(PanNuke([fold], size=256))[0][1:] == (True, 6)


def test_a_nucleus_cut_by_the_crop_counts_once(tmp_path):
    mask = nuclei(*CENTRAL[:4], (16, 128))
    patch = next(iter(PanNuke([write_fold(tmp_path, [picture()], [mask])])))
    assert patch.tumour_cells == 5


@pytest.mark.parametrize("size", [224, 256, 180])
def test_pixels_and_mask_are_the_same_central_window(tmp_path, size):
    image, margin = picture(3), (256 - size) // 2
    patch = next(iter(PanNuke([write_fold(tmp_path, [image], [POSITIVE])], size=size)))
    window = np.s_[margin : margin + size, margin : margin + size]
    assert patch.pixels.dtype == np.uint8
    np.testing.assert_array_equal(patch.pixels, image[window])
    np.testing.assert_array_equal(patch.tumour_mask, POSITIVE[window][..., 0] > 0)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.int64])
def test_other_number_types_give_the_same_patches(tmp_path, dtype):
    as_float = next(iter(PanNuke([write_fold(tmp_path / "a", [picture()], [POSITIVE])])))
    other = write_fold(tmp_path / "b", [picture(dtype=dtype)], [POSITIVE.astype(dtype)])
    patch = next(iter(PanNuke([other])))
    np.testing.assert_array_equal(patch.pixels, as_float.pixels)
    assert patch.tumour_cells == as_float.tumour_cells


@pytest.mark.parametrize("given", [".", "Fold 1", "Fold 1/images", "Fold 1/images/fold1"])
def test_a_fold_is_found_from_any_folder_around_its_images(tmp_path, given):
    small_fold(tmp_path, nested="Fold 1")
    assert [patch.name for patch in PanNuke([tmp_path / given])] == ["fold1_00000", "fold1_00001", "fold1_00003"]


def test_a_parent_holds_several_folds(tmp_path):
    for number in (1, 2, 3):
        image = picture(number)
        write_fold(tmp_path, [image], [POSITIVE], nested=f"Fold {number}", name=f"fold{number}")
    assert [patch.name for patch in PanNuke([tmp_path])] == ["fold1_00000", "fold2_00000", "fold3_00000"]


def test_flat_folders_are_named_after_themselves(tmp_path):
    small_fold(tmp_path / "mine")
    assert [fold.name for fold in PanNuke([tmp_path / "mine"]).folds] == ["mine"]


def test_a_tissue_is_chosen_in_any_case_and_all_takes_every_one(tmp_path):
    types = ["Breast", "Colon", "breast", "Adrenal_gland"]
    fold = write_fold(tmp_path, [picture(k) for k in range(4)], [POSITIVE, POSITIVE, NEGATIVE, NEGATIVE], types)
    reader = PanNuke([fold], tissue="BREAST")
    assert len(labels(reader)) == 2
    assert reader.summary.other_tissue == 2
    assert len(labels(PanNuke([fold], tissue="all"))) == 4


def test_an_unknown_tissue_is_answered_with_those_present(tmp_path):
    fold = write_fold(tmp_path, [picture(1), picture(2)], [POSITIVE, NEGATIVE], ["Colon", "Bladder"])
    with pytest.raises(InvalidInput, match=r"'Breast'.*Bladder, Colon"):
        PanNuke([fold])


def test_patches_that_are_equal_pixel_by_pixel_are_taken_once(tmp_path):
    fold = write_fold(tmp_path, [picture(1), picture(1), picture(2)], [POSITIVE, NEGATIVE, NEGATIVE])
    reader = PanNuke([fold])
    assert [patch.name[-5:] for patch in reader] == ["00000", "00002"]
    assert reader.summary.duplicates == 1


def test_reading_twice_gives_the_same_and_counts_once(tmp_path):
    reader = PanNuke([small_fold(tmp_path)])
    assert labels(reader) == labels(reader)
    assert (reader.summary.positives, reader.summary.negatives, reader.summary.excluded) == (1, 2, 1)


def _with(value, index=(128, 128, 0), base=None):
    array = picture() if base is None else base.copy()
    array[index] = value
    return array


BAD_VALUES = {
    "NaN pixel": (_with(np.nan), POSITIVE, r"images\.npy, patch 0: NaN"),
    "infinite pixel": (_with(np.inf), POSITIVE, r"images\.npy, patch 0: NaN or infinity"),
    "too bright": (_with(256), POSITIVE, r"patch 0: pixel values from 0 to 256"),
    "negative": (_with(-1), POSITIVE, r"patch 0: pixel values from -1"),
    "scaled to 0-1": (picture() / 255, POSITIVE, r"patch 0: .*scaled to 0-1"),
    "empty picture": (np.zeros((256, 256, 3)), POSITIVE, r"patch 0: every pixel is 0"),
    "NaN id": (picture(), _with(np.nan, base=POSITIVE), r"masks\.npy, patch 0: channel 0"),
    "fraction of an id": (picture(), _with(0.5, base=POSITIVE), r"masks\.npy, patch 0: channel 0"),
    "negative id": (picture(), _with(-3, base=POSITIVE), r"masks\.npy, patch 0: channel 0"),
}


@pytest.mark.parametrize("case", BAD_VALUES)
def test_wrong_values_are_refused_with_file_and_patch(tmp_path, case):
    image, mask, message = BAD_VALUES[case]
    with pytest.raises(InvalidInput, match=message):
        list(PanNuke([write_fold(tmp_path, [image], [mask])]))


def _wrong_files():
    one, mask = picture()[None], POSITIVE[None]
    return {
        "grey images": (one[..., 0], mask, None, r"images\.npy: shape \(1, 256, 256\)"),
        "small images": (one[:, :128], mask, None, r"images\.npy: shape .*PanNuke's is \(n, 256, 256, 3\)"),
        "five channels": (one, mask[..., :5], None, r"masks\.npy: shape .*\(n, 256, 256, 6\)"),
        "complex images": (one.astype(complex), mask, None, r"images\.npy: dtype complex128"),
        "masks of bool": (one, mask.astype(bool), None, r"masks\.npy: dtype bool"),
        "one mask too many": (one, np.repeat(mask, 2, 0), None, r"1 images, 2 masks .* 1 tissue names"),
        "tissues missing": (one, mask, ["Breast", "Breast"], r"1 images, 1 masks .* 2 tissue names"),
        "no tissues": (one, mask, np.array([], "U6"), r"1 images, 1 masks .* 0 tissue names"),
        "tissues as numbers": (one, mask, [1], r"types\.npy: .*tissue names are needed"),
    }


@pytest.mark.parametrize("case", _wrong_files())
def test_wrong_shapes_and_types_are_refused_before_reading(tmp_path, case):
    images, masks, types, message = _wrong_files()[case]
    with pytest.raises(InvalidInput, match=message):
        PanNuke([write_fold(tmp_path, images, masks, types)])


@pytest.mark.parametrize("number", [0x110000, 0x1000073, 0xD800, 0], ids=["beyond", "damaged", "half a pair", "NUL"])
@pytest.mark.parametrize("order", "<>")
def test_a_tissue_name_with_a_number_that_is_no_character_is_refused_by_its_row(tmp_path, number, order):
    small_fold(tmp_path)
    path = next(tmp_path.rglob("types.npy"))
    names = np.array(["Breast"] * len(np.load(path)), dtype=f"{order}U6")
    names.view(f"{order}u4").reshape(-1, 6)[1, 3] = number
    np.save(path, names)
    with pytest.raises(InvalidInput, match=r"types\.npy: name 1 is not text"):
        PanNuke([tmp_path])


@pytest.mark.parametrize("missing", ["images.npy", "types.npy", "masks.npy"])
@pytest.mark.parametrize("nested", ["", "Fold 1"])
def test_a_missing_file_is_named(tmp_path, missing, nested):
    small_fold(tmp_path, nested=nested)
    next(tmp_path.rglob(missing)).unlink()
    with pytest.raises(InvalidInput, match=missing):
        PanNuke([tmp_path])


def test_a_file_cut_short_is_refused(tmp_path):
    images = small_fold(tmp_path) / "images.npy"
    images.write_bytes(images.read_bytes()[:-1000])
    with pytest.raises(InvalidInput, match=r"images\.npy: .*cut short"):
        PanNuke([tmp_path])


def test_pickled_objects_are_never_loaded(tmp_path):
    np.save(small_fold(tmp_path) / "types.npy", np.array(["Breast"] * 4, dtype=object), allow_pickle=True)
    with pytest.raises(InvalidInput, match=r"types\.npy"):
        PanNuke([tmp_path])


def test_no_folder_an_empty_one_a_fold_twice_and_two_of_one_name_are_refused(tmp_path):
    small_fold(tmp_path / "a", nested="Fold 1")
    small_fold(tmp_path / "b", nested="Fold 1")
    (tmp_path / "empty").mkdir()
    for paths, message in (
        ([], "No fold given"),
        ([tmp_path / "nowhere"], "no such folder"),
        ([tmp_path / "empty"], r"no images\.npy"),
        ([tmp_path / "a", tmp_path / "a"], "given twice"),
        ([tmp_path / "a", tmp_path / "b"], "also the name of"),
    ):
        with pytest.raises(InvalidInput, match=message):
            PanNuke(paths)


@pytest.mark.parametrize("size", [0, 31, 257])
def test_a_crop_that_cannot_be_cut_is_refused(tmp_path, size):
    with pytest.raises(InvalidInput, match=f"size {size}: .* from 32 to 256"):
        PanNuke([small_fold(tmp_path)], size=size)


def test_one_patch_at_a_time_is_held(tmp_path):
    count = 40
    fold = write_fold(tmp_path, [picture(k) for k in range(count)], [POSITIVE] * count)
    tracemalloc.start()
    try:
        assert sum(patch.tumour for patch in PanNuke([fold])) == count
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * picture().nbytes  # of 40


def test_real_breast_patches_keep_their_labels(real_pannuke):
    reader = PanNuke([real_pannuke])
    patches = list(reader)
    assert reader.summary == Summary(positives=13, negatives=11, excluded=1)
    assert all(patch.pixels.shape == (224, 224, 3) for patch in patches)
    assert all(patch.tumour_mask.any() == patch.tumour for patch in patches)
    assert len({hashlib.sha256(patch.pixels).hexdigest() for patch in patches}) == 24


def test_the_papers_counts_are_the_published_ones():
    assert published.PATCHES == {"positives": 1157, "negatives": 878}
