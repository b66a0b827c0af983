"""Pairs of another program: what is read, what is refused, and that nothing is kept of what was refused."""

import json
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from PIL import Image

from attacks.engine.constraints import displayed_norms
from attacks.engine.controls import shuffled_noise, visible_catch
from attacks.engine.display import chw
from attacks.engine.pairs import PairFolder, norms_of, variant_name
from attacks.models import PairSet
from core.errors import InvalidInput
from tests.attacks.pair_files import HEADER, pair_folder, pixels


@pytest.fixture
def folder(tmp_path) -> Path:
    return pair_folder(tmp_path)


def rewrite(folder: Path, *rows: str, header: str = HEADER) -> None:
    (folder / "pairs.csv").write_text("\n".join([header, *rows]))


def test_norms_are_those_of_the_attack_engine():
    one, other = pixels(0), pixels(1)
    expected = displayed_norms(chw(one[None]), chw(other[None]))
    assert norms_of(one, other) == pytest.approx({name: float(value[0]) for name, value in expected.items()})


def test_pairs_are_read_with_their_norms_and_variants(folder):
    pairs = list(PairFolder(folder))
    assert [pair.norms["linf"] for pair in pairs] == [1.0, 2.0, 3.0]
    assert PairFolder(folder).variants == ["jpeg-30-0", "jpeg-30-1", "jpeg-30-2"]
    assert variant_name("", None) == "" and len(variant_name("x" * 90, 1.5)) <= 20


@pytest.mark.parametrize(
    "rows, message",
    [
        (["o0.png,p0.png,2,s0,a,1"], "line 2: label is '2'"),
        (["o0.png,nowhere.png,1,s0,a,1"], "line 2: perturbed 'nowhere.png' is not a file"),
        (["../o0.png,p0.png,1,s0,a,1"], "line 2: original '../o0.png' is not a file in this folder"),
        (["o0.png,p0.png,1,s0,a,much"], "line 2: budget is 'much'"),
        (["o0.png,p0.png,1,s0,a,1", "o0.png,p1.png,1,s0,a,1"], "line 3: o0.png with this attack and budget"),
        (["o0.png,p0.png,1,s0,a,1", "o0.png,p1.png,0,s0,b,1"], "line 3: o0.png has another label"),
        (["o0.png,o0.png,1,s0,a,1"], "line 2: o0.png and o0.png show the same pixels"),
        (["o0.png,small.png,1,s0,a,1"], "small.png 30 x 30; both must have one size"),
        (["o0.png,p0.png,1,s0,a,1", "small.png,small2.png,1,s0,a,1"], "the pairs before it 48 x 40"),
        (["o0.png,grey.png,1,s0,a,1"], "grey.png has pixel mode L; save it as 8-bit RGB"),
        (["o0.png,pairs.csv,1,s0,a,1"], "pairs.csv is not an image"),
        (["o0.png,p0.png,1"], "line 2: the number of fields"),
        ([], "no pairs"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_line(folder, rows, message):
    Image.fromarray(pixels(7, (30, 30))).save(folder / "small.png")
    Image.fromarray(pixels(8, (30, 30))).save(folder / "small2.png")
    Image.fromarray(pixels(9)).convert("L").save(folder / "grey.png")
    rewrite(folder, *rows)
    with pytest.raises(InvalidInput) as refused:
        list(PairFolder(folder))
    assert message in str(refused.value) and "pairs.csv" in str(refused.value)


def test_a_missing_column_is_named(folder):
    rewrite(folder, "o0.png,1", header="original,label")
    with pytest.raises(InvalidInput, match="column 'perturbed' is missing; found: original, label"):
        PairFolder(folder)


@pytest.mark.django_db
def test_the_command_stores_pairs_whole_or_not_at_all(folder, own_files):
    out = StringIO()
    call_command("import_pairs", str(folder), name="mine", json=True, stdout=out)
    report = json.loads(out.getvalue())
    assert (report["count"], report["originals"], report["positives"]) == (3, 3, 1)
    stored = PairSet.objects.get().pairs.get(index=2)
    with stored.image.open() as file:
        assert np.array_equal(np.asarray(Image.open(file)), pixels(2) + np.uint8(3))
    assert len({len(pair.image.open().read()) for pair in PairSet.objects.get().pairs.all()}) == 1
    with pytest.raises(CommandError, match="already"):
        call_command("import_pairs", str(folder), name="mine")
    rewrite(folder, "o0.png,p0.png,1,s0,a,1", "o1.png,o1.png,1,s1,a,1")
    before = default_storage.listdir("pairs")[0]
    with pytest.raises(CommandError, match="line 3"):
        call_command("import_pairs", str(folder), name="broken")
    assert PairSet.objects.count() == 1
    assert all(default_storage.listdir(f"pairs/{one}")[1] for one in before)
    left = [one for one in default_storage.listdir("pairs")[0] if default_storage.listdir(f"pairs/{one}")[1]]
    assert left == before


@pytest.mark.django_db
def test_a_classifiers_verdicts_on_the_pairs_are_recorded(folder, own_files, make_classifier):
    make_classifier()
    call_command("import_pairs", str(folder), name="judged", classifier="small", stdout=StringIO())
    pairs = PairSet.objects.get()
    assert pairs.classifier.name == "small"
    assert all(0 <= pair.prob_before <= 1 and 0 <= pair.prob_after <= 1 for pair in pairs.pairs.all())


def test_shuffled_noise_has_the_perturbations_norms_and_none_of_its_places():
    rng = np.random.default_rng(0)
    original = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    delta = rng.integers(-6, 7, original.shape)
    displayed = np.clip(original + delta, 0, 255).astype(np.uint8)
    noise = shuffled_noise(original, displayed, seed=1)
    assert norms_of(original, noise) == pytest.approx(norms_of(original, displayed))
    moved = (noise.astype(int) - original) - (displayed.astype(int) - original)
    assert (moved != 0).any(axis=2).mean() > 0.9
    assert np.array_equal(noise, shuffled_noise(original, displayed, seed=1))
    assert not np.array_equal(noise, shuffled_noise(original, displayed, seed=2))


def test_a_catch_is_plain_to_see():
    catch = visible_catch(pixels(0), seed=0)
    assert norms_of(pixels(0), catch)["linf"] >= 25 and norms_of(pixels(0), catch)["l1"] > 15
