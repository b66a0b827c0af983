"""Two classifiers on the same patches: who withstands what, and whether the difference is more than chance."""

import copy
import io
import json

import numpy as np
import pytest
import torch
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from lxml import html

from attacks import comparing, comparison_saliency, gallery
from attacks.comparing import common_patches, run_comparison
from attacks.comparison_plots import plot_comparison
from attacks.comparison_requests import compare
from attacks.comparison_table import table_of
from attacks.deletion import delete_comparison
from attacks.engine import attack
from attacks.engine.display import chw
from attacks.models import Comparison
from attacks.services import run_attack
from core.errors import InvalidInput
from core.spreadsheet import BYTE_ORDER_MARK
from jobs.models import Job
from jobs.running import run_attempt
from model.learning.defence import defence
from model.learning.network import weights_bytes
from model.learning.training import preset, train
from model.models import Classifier
from model.selectors import dataset_arrays
from model.stored_network import stored_network
from tests import factories
from tests.attacks.networks import patches

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def hardened(learned):
    """``learned``, gone on with under attack."""
    images, labels = patches(128, 32, seed=1)
    settings = preset("quick", epochs=5, shrink=1, batch_size=32, defence=defence("pgd", budget=6))
    pixels = images.permute(0, 2, 3, 1).numpy()
    return train(copy.deepcopy(learned), pixels, labels.numpy(), settings, seed=0).network


@pytest.fixture
def pair(make_classifier, hardened):
    """A classifier and its defended twin, with the same test patches."""
    plain = make_classifier("plain", test=12)
    data, sha256 = weights_bytes(hardened)
    twin = Classifier.objects.get(pk=plain.pk)
    twin.pk, twin.name, twin.weights_sha256 = None, "defended", sha256
    twin.weights.save("defended.pt", ContentFile(data))
    return plain, twin


@pytest.fixture
def quick(monkeypatch):
    """No network is asked: the defended one withstands twice as much. Gives the calls."""
    calls = []

    def smallest(classifier, patches, norm, *further):
        calls.append((classifier.name, norm))
        strength = 2.0 if classifier.name == "defended" else 1.0
        given = [0.9 if patch.tumour else 0.1 for patch in patches]
        return given, [strength * (1 + place % 5) for place in range(len(patches))]

    monkeypatch.setattr(comparing, "_smallest", smallest)
    return calls


def row_of(comparison, measure):
    [row] = [row for row in comparison.result["rows"] if row["measure"] == measure and "of" not in row]
    return row


def test_a_defended_twin_withstands_more_and_the_interval_says_so(pair, monkeypatch):
    monkeypatch.setitem(comparing.BUDGETS, "linf", (2, 4))
    found = run_comparison(first=pair[0], second=pair[1], norms=["linf"], natural=True)
    budgets = [row_of(found, f"robust accuracy, linf {budget}") for budget in (2, 4)]
    for side in ("first", "second"):
        assert sorted((row[side] for row in budgets), reverse=True) == [row[side] for row in budgets]
    four = budgets[1]
    assert four["second"] >= four["first"] + 0.3 and 0 < four["low"] < four["difference"] < four["high"]
    for change in ("stain", "tone", "rotation", "of all changes"):
        row = row_of(found, f"robust accuracy, worst {change}")
        assert row["first"] <= row_of(found, "accuracy")["first"] and row["low"] <= row["difference"] <= row["high"]
    flips = row_of(found, "share flipped, linf 4")
    assert flips["second"] <= flips["first"] - 0.3 and flips["high"] < 0 and flips["n"] <= four["n"]
    norms = row_of(found, "median smallest flip, linf")
    assert norms["second"] > norms["first"]
    ids = found.settings["patches"]
    truth = np.array([patch.tumour for patch in common_patches(*pair)])
    for side, classifier in zip(("first", "second"), pair):
        result = attack(
            stored_network(classifier), chw(dataset_arrays(classifier.dataset, ids)), truth, norm="linf", budget=4,
            warn=False,
        )  # fmt: skip
        assert four[side] <= 1 - (result.flipped | result.already_wrong).mean() + 1e-9
        assert row_of(found, "accuracy")[side] == pytest.approx((~result.already_wrong).mean())


def test_one_that_was_cut_off_goes_on_and_gives_the_same_numbers(pair, quick, monkeypatch):
    whole = run_comparison(first=pair[0], second=pair[1], name="whole", norms=["linf"])
    real, calls = comparing._smallest, []

    def dies_at_the_second(*given):
        calls.append(given)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(comparing, "_smallest", dies_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        run_comparison(first=pair[0], second=pair[1], name="again", norms=["linf"])
    assert Comparison.objects.get(name="again").completed_at is None
    again = run_comparison(first=pair[0], second=pair[1], name="again", norms=["linf"])
    assert len(calls) == 3 and again.result == whole.result and again.answers == whole.answers


def test_patches_that_either_has_learned_from_are_left_out(pair):
    first, second = pair
    second.split = second.split | {"watched": second.split["test"][:3]}
    second.save()
    assert [patch.pk for patch in common_patches(first, second)] == first.split["test"][3:]


def test_what_cannot_be_compared_is_refused(pair, make_classifier):
    first, second = pair
    other = make_classifier("other", test=4)
    with pytest.raises(InvalidInput, match="two classifiers"):
        run_comparison(first=first, second=first)
    with pytest.raises(InvalidInput, match="patches must be the same"):
        run_comparison(first=first, second=other)
    second.split = {"train": first.split["test"], "test": first.split["train"]}
    second.save()
    with pytest.raises(InvalidInput, match="in common"):
        run_comparison(first=first, second=second)


def test_the_command_prints_the_table_and_writes_the_picture(pair, quick, tmp_path):
    out = io.StringIO()
    picture = tmp_path / "twins.png"
    call_command("compare", "plain", "defended", norms=["linf"], patches=10, out=picture, json=True, stdout=out,
                 stderr=io.StringIO())  # fmt: skip
    said = json.loads(out.getvalue())
    assert said["patches"] == 10 and {"Accuracy", "Robust accuracy, L∞ 2", "Brier score"} <= {
        row["measure"] for row in said["table"]
    }
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_page_shows_every_measure_with_its_interval_and_a_picture(pair, quick, client):
    found = run_comparison(first=pair[0], second=pair[1], norms=["linf"])
    client.force_login(factories.user("ora", "researcher"))
    page = html.fromstring(client.get(f"/comparisons/{found.pk}/").content.decode())
    cells = {row.xpath("string(th)"): row.xpath("td/text()|td/strong/text()") for row in page.xpath("//tbody/tr")}
    assert len(cells) == len(found.result["rows"])
    row = row_of(found, "robust accuracy, linf 4")
    assert row["high"] > 0 and row["difference"] > 0
    low, high = (f"{end:+.3f}".replace("-", "−") for end in (row["low"], row["high"]))
    assert f"{low} to {high}" in cells["Robust accuracy, L∞ 4"]
    assert f"+{row['difference']:.3f}" in cells["Robust accuracy, L∞ 4"]
    assert page.xpath("//thead//th/text()")[1:3] == ["plain", "defended"]
    picture = client.get(f"/comparisons/{found.pk}.svg")
    assert picture["Content-Type"] == "image/svg+xml" and picture.content == plot_comparison(found)
    sent = client.get(f"/comparisons/{found.pk}.csv").text
    assert sent.startswith(BYTE_ORDER_MARK + "measure,first,second,difference")
    assert "defended" in client.get("/comparisons/").content.decode()


def test_saliency_is_measured_as_it_is_and_under_attack(pair, quick):
    found = run_comparison(first=pair[0], second=pair[1], norms=["linf"])
    for name in ("same under attack", "coarser than 8 pixels"):
        row = row_of(found, f"saliency, {name}")
        assert 0 < row["first"] <= 1 and 0 < row["second"] <= 1 and row["low"] <= row["difference"] <= row["high"]
    measured = found.answers["second"]["saliency"]["same under attack"]
    assert len(measured) == len(found.settings["patches"])
    again = comparison_saliency.measured(pair[1], common_patches(*pair), seed=0, device="cpu")
    assert again["same under attack"] == measured


def test_a_map_that_stays_correlates_and_a_coarse_one_is_called_coarse():
    draw = np.random.default_rng(0)
    fine = draw.random((3, 64, 64)).astype(np.float32)
    wave = np.broadcast_to(1 + np.sin(np.arange(64) * 2 * np.pi / 32), (3, 64, 64)).astype(np.float32)
    assert comparison_saliency.correlations(wave, 5 * wave + 1) == pytest.approx([1, 1, 1])
    assert np.abs(comparison_saliency.correlations(wave, fine)).max() < 0.5
    assert comparison_saliency.coarse_share(wave).min() > 0.99 and comparison_saliency.coarse_share(fine).max() < 0.2
    nothing = np.zeros((1, 8, 8), np.float32)
    assert np.isnan(comparison_saliency.correlations(nothing, nothing)).all()


def test_cases_of_a_study_have_rows_of_their_own_and_are_always_compared(pair, quick):
    every = common_patches(*pair)
    names = [patch.name for patch in every[-3:]]
    found = run_comparison(first=pair[0], second=pair[1], norms=["linf"], patches=4, cases=names)
    assert {patch.pk for patch in every[-3:]} <= set(found.settings["patches"]) and len(found.settings["patches"]) < 8
    own = {row["measure"]: row for row in found.result["rows"] if row.get("of") == "cases"}
    assert own["share flipped, linf 4"]["n"] == 3 and "median smallest flip, linf" in own
    assert "Share flipped, L∞ 4 (cases of the study)" in [row["measure"] for row in table_of(found)]
    with pytest.raises(InvalidInput, match="1 of 2 cases are no test patches") as refused:
        run_comparison(first=pair[0], second=pair[1], cases=[names[0], "nowhere"])
    assert refused.value.field == "cases"


def test_both_figures_are_drawn_shown_in_the_gallery_and_deleted_with_the_comparison(
    pair, client, django_capture_on_commit_callbacks
):
    client.force_login(factories.user("ora", "researcher"))
    job = compare(first=pair[0], second=pair[1], norms=["linf"], patches=10, by=factories.user("asks", "researcher"))
    assert run_attempt(job.pk, job.attempt) == "done", Job.objects.get(pk=job.pk).error
    found = Comparison.objects.get()
    page = client.get(f"/figures/comparison/{found.pk}/").content.decode()
    for name in ("twins-saliency", "twins-flips"):
        stored = gallery.stored_figure(name, found)
        assert stored is not None and stored.numbers["shown"] == 4 and f"{name}.png" in page
    table = stored.files["csv"].read_text()
    assert table.count("first") == table.count("second") == 4
    assert f'href="/figures/comparison/{found.pk}/"' in client.get(f"/comparisons/{found.pk}/").content.decode()
    with django_capture_on_commit_callbacks(execute=True):
        delete_comparison(comparison=found)
    assert not stored.files["png"].exists()


def test_few_groups_are_named(pair):
    pair[0].dataset.patches.update(group="one")
    truth = [patch.tumour for patch in common_patches(*pair)]
    answers = {
        side: {"p_tumour": [0.9 if one else 0.1 for one in truth], "norms": {"linf": [float(n % 5) for n in range(12)]}}
        for side in ("first", "second")
    }
    told = comparing.summarise(answers, common_patches(*pair), ["linf"])
    assert "only 1 group with tumour" in told["warnings"][0]
    assert torch.tensor([row["difference"] for row in told["rows"]]).abs().max() == 0


@pytest.mark.django_db(transaction=True)
def test_the_cases_of_a_frozen_study_are_compared_by_a_command(pair, quick):
    silent = {"stdout": io.StringIO(), "stderr": io.StringIO()}
    run_attack(classifier=pair[0], norm="linf", budget=16, name="strong")
    built = {"attack": "strong", "name": "Twins", "cases": 2, "min_gap": 1, "washout_hours": 0.0}
    call_command("build_study", **built, draft=True, **silent)
    with pytest.raises(CommandError, match="is a draft"):
        call_command("compare_cases", "twins", "plain", "defended", **silent)
    call_command("freeze_study", "twins", **silent)
    out = io.StringIO()
    call_command("compare_cases", "twins", "plain", "defended", norms=["linf"], json=True, stdout=out,
                 stderr=io.StringIO())  # fmt: skip
    said = json.loads(out.getvalue())
    assert said["study"] == "twins" and said["cases"] >= 2
    [row] = [row for row in said["table"] if row["measure"] == "Share flipped, L∞ 2 (cases of the study)"]
    assert row["n"] <= said["cases"] and row["second"] <= row["first"]
