"""Pairs as other programs and spreadsheets leave them: read as meant, or refused with the line, or left out."""

import io
import json
import shutil

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from attacks.engine.pairs import VARIANT, PairFolder, variant_name, variant_names
from attacks.models import Pair, PairSet
from attacks.pair_services import import_pairs
from core.errors import InvalidInput
from core.images import read_pixels
from tests.attacks.pair_files import HEADER, pair_folder, pixels
from tests.fuzzing import pictures, tables, tried
from tests.model.test_awkward_folders import swapped_profile


@pytest.fixture
def folder(tmp_path):
    return pair_folder(tmp_path)


def rewrite(folder, text: str, encoding: str = "utf-8") -> None:
    (folder / "pairs.csv").write_bytes(text.encode(encoding))


def test_changes_whose_names_begin_alike_are_two_variants(folder):
    rewrite(folder, "original,perturbed,label,attack,budget\n"
            "o1.png,p1.png,1,Stain augmentation strong A,\no1.png,p2.png,1,Stain augmentation strong B,\n"
            "o2.png,p2.png,0,Stain augmentation strong A,\n")  # fmt: skip
    pairs = PairFolder(folder)
    first, second, third = pairs.rows
    assert len(pairs.variants) == 2 and first.variant == third.variant != second.variant
    assert all(name.startswith("stain-augment-") and len(name) <= VARIANT for name in pairs.variants)


def test_changes_in_other_alphabets_and_of_close_budgets_stay_apart():
    names = variant_names({("噪声", None), ("模糊", None), ("", None), ("pgd", 0.12345671), ("pgd", 0.12345672)})
    assert len(set(names.values())) == 5 and names["", None] == ""
    assert all(len(name) <= VARIANT and name.isascii() for name in names.values())


def test_names_that_meet_no_other_stay_as_they_were():
    changes = {("JPEG 30", 4.0), ("jpeg-30", 4.0), ("PGD", 8.0), ("", None), ("", 2.0)}
    assert variant_names(changes) == {change: variant_name(*change) for change in changes}


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("sep=;\r\noriginal;perturbed;label;attack;budget\r\no1.png;p1.png;1;a;0,5\r\n", "utf-8-sig"),
        ('"original";"perturbed";"label";"budget, in grey levels, 0 to 255";budget\no1.png;p1.png;1;x;0,5\n', "utf-8"),
        ("original\tperturbed\tlabel\tbudget\no1.png\tp1.png\t1\t0,5\n", "utf-16"),
        ("original,perturbed,label,budget\no1.png,p1.png,1,0.5,\n", "utf-8"),
        ('original,perturbed,label,budget\nO1.png,p1.PNG,1,"0,5"\n', "utf-8"),
    ],
)
def test_tables_of_every_spreadsheet_are_read_with_decimal_commas(folder, text, encoding):
    rewrite(folder, text, encoding)
    (pair,) = PairFolder(folder)
    assert pair.row.label and pair.row.budget == 0.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'original,perturbed,label\n"o1.png,p1.png,1\n' + "o2.png,p2.png,0\n" * 9000,
            r"line 2: not a CSV table \(a quote is opened and never closed",
        ),
        ('original,perturbed,label\no1.png,p1.png,1\no2.png,"p2.png,1\no3.png,p3.png,1\n', "line 3: not a CSV table"),
        ('original,perturbed,label\n"o1.png"x,p1.png,1\n', "line 2: not a CSV table"),
        ('original,"perturbed,label\no1.png,p1.png,1\n', "line 1: not a CSV table"),
        ('original,perturbed,label\n"o1.png,p1.png,1\n', "line 2: not a CSV table"),
        (f"original,perturbed,label\n{'x' * 300}.png,p1.png,1\n", "line 2: original has more than 255 characters"),
        (f"original,perturbed,label\n{'x' * 254},p1.png,1\n", "line 2: original 'x+' is not a file"),
        (f"original,perturbed,label,attack\no1.png,p1.png,1,{'x' * 101}\n", "line 2: attack has more than 100"),
        ("original,perturbed,label,group\no1.png,p1.png,1,NA\n", "line 2: group is 'NA'.*one group of all"),
        ("original,perturbed,label\na\0.png,p1.png,1\n", "line 2: "),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(folder, text, message):
    rewrite(folder, text)
    with pytest.raises(InvalidInput, match=rf"pairs\.csv, {message}" if message.startswith("line") else message):
        PairFolder(folder)


def test_a_pair_in_other_colours_is_refused_because_converting_would_change_the_alteration(folder):
    Image.fromarray(pixels(1)).save(folder / "o1.png", icc_profile=swapped_profile())
    with pytest.raises(InvalidInput, match=r"line 3: o1\.png has the colour profile .*not sRGB"):
        list(PairFolder(folder))


def test_sixteen_bits_and_damaged_files_are_refused_with_their_line(folder):
    Image.fromarray(np.full((40, 48), 4000, np.uint16)).save(folder / "p1.png")
    (folder / "p2.png").write_bytes((folder / "p2.png").read_bytes()[:60])
    with pytest.raises(InvalidInput, match=r"line 3: p1\.png has .*\n?line 4: p2\.png "):
        list(PairFolder(folder))


@pytest.mark.django_db
def test_what_is_wrong_is_left_out_on_request_and_listed(folder, own_files):
    with (folder / "pairs.csv").open("a") as file:
        file.write("\no0.png,o0.png,0,s0,same,1\ngone.png,p1.png,1,s9,a,1\n")
    with pytest.raises(CommandError, match=r"line 5: (.|\n)*line 6: "):
        call_command("import_pairs", str(folder), name="x")
    assert not PairSet.objects.exists()
    out = io.StringIO()
    call_command("import_pairs", str(folder), name="x", skip_bad=True, json=True, stdout=out)
    report = json.loads(out.getvalue())
    assert (report["count"], report["left_out"]) == (3, 2)
    assert [why[:7] for why in PairSet.objects.get().source["why_left_out"]] == ["line 5:", "line 6:"]


NAMES = HEADER.split(",")
ROWS = [[f"o{n}.png", f"p{n}.png", str(n % 2), f"s{n}", "JPEG 30", str(n)] for n in range(3)]


@pytest.mark.fuzz
@pytest.mark.django_db
@tried(50)
@given(data=tables(NAMES, ROWS), image=st.none() | pictures(), skip=st.booleans())
def test_any_pairs_are_imported_whole_or_refused(folder, own_files, data, image, skip):
    PairSet.objects.all().delete()
    shutil.rmtree(own_files, ignore_errors=True)
    pair_folder(folder)
    (folder / "pairs.csv").write_bytes(data)
    if image:
        (folder / "p1.png").write_bytes(image[1])
    try:
        made = import_pairs(name="x", folder=folder, skip_bad=skip)
    except InvalidInput as error:
        assert "pairs.csv" in str(error)
        assert not PairSet.objects.exists() and not Pair.objects.exists()
        assert [file for file in own_files.rglob("*") if file.is_file()] == []
        return
    rows = list(made.pairs.all())
    assert rows
    for row in rows:
        both = [read_pixels(row.original.name, sha256=row.original_sha256)]
        both.append(read_pixels(row.image.name, sha256=row.sha256))
        assert both[0].shape == both[1].shape and (both[0] != both[1]).any()
