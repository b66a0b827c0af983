"""Natural changes at their worst: within bounds, never less than a random draw, as images that a study can show."""

import io
import json

import numpy as np
import pytest
import torch
from django.core.management import call_command
from lxml import html

from attacks import worst_services
from attacks.engine.passes import Passes
from attacks.engine.worst import (
    CHANGES,
    at_random,
    at_worst,
    chosen_changes,
    given_bounds,
    limits_of,
    slide_spread,
)  # fmt: skip
from attacks.models import Attack
from attacks.worst_services import measured_bounds, run_worst_case
from core.errors import InvalidInput
from core.images import read_pixels
from model.models import Classifier
from study.models import Stimulus
from tests import factories
from tests.attacks.networks import patches, trained

WIDE = {"haematoxylin gain": (0.5, 1.5), "eosin gain": (0.5, 1.5), "blur": (0.05, 1.5), "brightness": (0.8, 1.2)}


@pytest.fixture(scope="module")
def asked():
    images, labels = patches(24, seed=9)
    passes = Passes(trained(), device="cpu")
    passes.check(images)
    right = passes.judge(images).argmax(1) == labels
    return passes, images[right].float(), labels[right]


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_by_nothing_changes_next_to_nothing(name):
    images = patches(4, seed=3)[0].float()
    change = CHANGES[name]
    same = change.apply(images, torch.tensor([change.nothing] * 4, dtype=torch.float32))
    off = (same - images).abs()
    assert off.mean() < 8 if name == "jpeg" else off.max() < 0.5  # noisy patches are hard on JPEG of quality 95


@pytest.mark.parametrize("name", [name for name, change in CHANGES.items() if change.climbs])
def test_the_slope_of_a_change_in_its_parameters_is_that_of_finite_differences(name):
    change, draw = CHANGES[name], torch.Generator().manual_seed(1)
    images = 60 + 120 * torch.rand(2, 3, 24, 24, generator=draw)
    low, high = limits_of(change, {}, 2, images.device)
    theta = (low + (high - low) * 0.6).requires_grad_(True)
    weights = torch.randn(images.shape, generator=draw)
    (slope,) = torch.autograd.grad((change.apply(images, theta) * weights).sum(), theta)
    finely = 0.002 if name in ("rotation", "zoom", "crop") else 0.02  # they move far, and a pixel is soon passed
    for place in range(theta.shape[1]):
        width = finely * (high - low)[:, place]
        ways = [theta.detach().clone() for _ in range(2)]
        ways[0][:, place] += width
        ways[1][:, place] -= width
        up, down = ((change.apply(images, one) * weights).flatten(1).sum(1) for one in ways)
        assert torch.allclose(
            (up - down) / (2 * width), slope[:, place], rtol=0.08, atol=0.02 * slope.abs().max().item()
        )


@pytest.mark.parametrize("name", CHANGES)
def test_the_worst_is_no_better_than_doing_nothing_or_a_draw_and_says_what_a_verdict_says(asked, name):
    passes, x, y = asked
    worst = at_worst(passes, CHANGES[name], x, y, WIDE, seed=0, steps=4)
    drawn = at_random(passes, CHANGES[name], x, y, WIDE, seed=0)
    assert worst.gap.mean() >= drawn.gap.mean() - 0.05
    logits = passes.judge(worst.displayed)
    found = (logits.gather(1, 1 - y[:, None]) - logits.gather(1, y[:, None]))[:, 0]
    assert torch.allclose(found, worst.gap, atol=2e-2)


def test_climbing_the_stain_flips_what_draws_do_not(asked):
    passes, x, y = asked
    worst = at_worst(passes, CHANGES["stain"], x, y, WIDE, seed=0)
    draws = torch.stack([at_random(passes, CHANGES["stain"], x, y, WIDE, seed=n).gap for n in range(12)])
    assert (worst.gap > 0).sum() > (draws > 0).sum(1).max()
    assert worst.gap.mean() > draws.amax(0).mean()  # of the best of as many draws as the climb has steps


def test_parameters_stay_within_their_bounds(asked):
    passes, x, y = asked
    narrow = dict.fromkeys(("brightness", "contrast", "gamma"), (1.0, 1.0))
    assert torch.equal(at_worst(passes, CHANGES["tone"], x, y, narrow, seed=0, steps=2).displayed.float(), x)
    bright = {"brightness": (1.1, 1.1), "contrast": (1.0, 1.0), "gamma": (1.0, 1.0)}
    shown = at_worst(passes, CHANGES["tone"], x, y, bright, seed=0, steps=2).displayed.float()
    assert (shown - (x * 1.1).clamp(0, 255).round()).abs().max() <= 1


def test_a_crop_at_an_edge_is_that_part_enlarged_and_a_zoom_out_shows_more():
    images = patches(2, seed=3)[0].float()
    left_top = CHANGES["crop"].apply(images, torch.tensor([[0.5, -1.0, -1.0]] * 2))
    part = torch.nn.functional.interpolate(images[:, :, :16, :16], size=32, mode="bilinear", align_corners=False)
    assert (left_top - part)[:, :, 1:-1, 1:-1].abs().max() < 0.01
    out = CHANGES["zoom"].apply(images, torch.tensor([[0.5]] * 2))
    assert (out[:, :, 8:24, 8:24].mean() - images.mean()).abs() < 1  # the whole patch, in its middle
    quarter = CHANGES["rotation"].apply(images, torch.tensor([[90.0]] * 2))
    assert (quarter - images.rot90(1, (2, 3))).abs().max() < 0.05


def test_bounds_are_the_spread_between_slides():
    groups = [f"slide {n}" for n in range(9) for _ in range(4)]
    values = torch.tensor([0.8, 0.9, 0.95, 1.0, 1.0, 1.0, 1.05, 1.1, 1.3]).repeat_interleave(4) * 50
    low, high = slide_spread(values, groups, 0.05)
    assert low == pytest.approx(np.quantile([0.8, 0.9, 0.95, 1, 1, 1, 1.05, 1.1, 1.3], 0.05))
    assert 1.1 < high < 1.3
    assert slide_spread(values[:12], groups[:12], 0.05) is None
    assert slide_spread(values, [""] * 36, 0.05) is None


@pytest.mark.parametrize(
    "text",
    [
        "nose=1..2",
        "blur=1",
        "blur=0.5..9",
        "eosin_gain=1.2..0.8",
        "jpeg=0..50",
        "draw=0..1",
        "crop=0.5..1.5",
        "zoom=0..1",
        "gamma=1..inf",
    ],
)
def test_bounds_that_mean_nothing_are_refused(text):
    with pytest.raises(InvalidInput) as refused:
        given_bounds([text])
    assert refused.value.field == "bounds"


def test_bounds_are_read_as_they_are_typed():
    assert given_bounds(["blur=0.1..0.8", "eosin_gain=0.9..1.2"]) == {"blur": (0.1, 0.8), "eosin gain": (0.9, 1.2)}
    with pytest.raises(InvalidInput, match="no change 'rain'"):
        chosen_changes(["rain"])


# --- As rows --- (one classifier, one run)

BOUNDS = ["haematoxylin gain=0.5..1.5", "eosin gain=0.5..1.5"]


@pytest.fixture
def small(make_classifier):
    made = make_classifier("small", test=16)
    for place, patch in enumerate(made.dataset.patches.order_by("index")):
        patch.group = f"slide {place % 2}{place // 4}"
        patch.save()
    return made


@pytest.mark.django_db
def test_both_are_stored_and_the_table_counts_what_was_stored(small, client):
    found = run_worst_case(classifier=small, kinds=["stain", "flip"], bounds=BOUNDS, steps=3)
    beside = Attack.objects.get(name=found.summary["random"])
    assert beside.name == f"{found.name}-random"
    assert (found.kind_in_words, beside.kind_in_words) == (
        "natural changes at their worst",
        "natural changes at random",
    )
    assert found.completed_at and beside.completed_at and beside.settings["at_random"]
    rows = {row["change"]: row for row in found.summary["worst"]}
    assert list(rows) == ["stain", "flip", "average of them", "any of them"]
    for side in ("worst", "random"):
        assert rows["average of them"][side] == pytest.approx((rows["stain"][side] + rows["flip"][side]) / 2)
    attacked = found.perturbations.filter(already_wrong=False)
    assert rows["any of them"]["worst"] == pytest.approx(attacked.filter(flipped=True).count() / attacked.count())
    for row in rows.values():
        assert row["worst"] >= row["random"] and row["low"] <= row["difference"] <= row["high"]
    assert found.settings["bounds"]["eosin gain"] == [0.5, 1.5] and "brightness" in measured_bounds(
        small.dataset, 0.05, 0
    )
    for one in attacked[:3]:
        assert read_pixels(one.image.name, sha256=one.sha256).shape == (32, 32, 3)

    client.force_login(factories.user("ora", "researcher"))
    page = html.fromstring(client.get(f"/attacks/{found.pk}/patches/").content.decode())
    assert "At their worst, and at random" in page.xpath("//h2/text()")
    assert client.get(f"/attacks/{found.pk}/worst.svg")["Content-Type"] == "image/svg+xml"
    assert client.get(f"/attacks/{beside.pk}/worst.svg").status_code == 404


@pytest.mark.django_db
def test_one_that_was_cut_off_goes_on_and_gives_the_same(small, monkeypatch):
    whole = run_worst_case(classifier=small, kinds=["flip"], name="whole", steps=1)
    real, calls = worst_services._keep, []

    def dies(*given):
        calls.append(given)
        raise KeyboardInterrupt

    monkeypatch.setattr(worst_services, "_keep", dies)
    with pytest.raises(KeyboardInterrupt):
        run_worst_case(classifier=small, kinds=["flip"], name="again", steps=1)
    monkeypatch.setattr(worst_services, "_keep", real)
    again = run_worst_case(classifier=small, kinds=["flip"], name="again", steps=1)
    assert calls and again.summary["worst"] == whole.summary["worst"]
    images = [list(one.perturbations.values_list("sha256", flat=True)) for one in (whole, again)]
    assert images[0] == images[1]


@pytest.mark.django_db(transaction=True)
def test_a_study_shows_the_worst_and_the_random_change_as_arms(small):
    out = io.StringIO()
    call_command(
        "worst_case", "small", kinds=["stain"], bounds=BOUNDS, steps=6, json=True, stdout=out, stderr=io.StringIO()
    )
    said = json.loads(out.getvalue())
    assert said["worst"][0]["change"] == "stain" and "chunks" not in said
    flipped = Attack.objects.get(name=said["attack"]).perturbations.filter(flipped=True, patch__tumour=True).count()
    assert flipped >= 2
    call_command("build_study", attack=said["attack"], further_attacks=[said["random"]], name="Natural", cases=2,
                 min_gap=1, washout_hours=0.0, json=True, stdout=io.StringIO(), stderr=io.StringIO())  # fmt: skip
    assert set(Stimulus.objects.values_list("arm", flat=True)) == {"original", "perturbed", "natural-random"}
    assert Classifier.objects.get() == small


# --- The colours of the stains ---


@pytest.mark.django_db
def test_stain_is_changed_along_the_densities_that_are_estimated_or_given(small, client):
    usual = run_worst_case(classifier=small, kinds=["stain"], bounds=BOUNDS, steps=2)
    assert usual.settings["stains"] == "ruifrok"
    own = run_worst_case(classifier=small, kinds=["stain"], bounds=BOUNDS, steps=2, stains="macenko")
    assert own.settings["stain_vectors"] != usual.settings["stain_vectors"]
    numbers = [0.55, 0.76, 0.34, 0.21, 0.89, 0.40]
    given = run_worst_case(classifier=small, kinds=["stain"], bounds=BOUNDS, steps=2, stain_matrix=numbers)
    assert given.settings["stain_vectors"] == [numbers[:3], numbers[3:]] and given.settings["stains"] == "given"
    shown = [list(one.perturbations.values_list("sha256", flat=True)) for one in (usual, own, given)]
    assert shown[0] != shown[1] != shown[2] != shown[0]
    client.force_login(factories.user("ora", "researcher"))
    assert "0.55" in client.get(f"/attacks/{given.pk}/patches/").content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "options", [{"stain_matrix": [0.5, 0.7]}, {"stain_matrix": [0.5, 0.7, 0.3, 0.1, 0.9, 0.1], "stains": "macenko"}]
)
def test_densities_that_cannot_be_used_are_refused_before_anything_is_written(small, options):
    with pytest.raises(InvalidInput) as refused:
        run_worst_case(classifier=small, kinds=["stain"], **options)
    assert refused.value.field == "stain_matrix" and not Attack.objects.exists()
