"""Defended trainings: a network that withstands, as a row with its split and its epochs, and after a kill the same."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from attacks.engine import attack
from core.errors import InvalidInput
from core.requests import check
from jobs.running import run_attempt
from model import requests
from model.learning.defence import defence, frozen_statistics, withstood, worst_of
from model.learning.network import Network
from model.learning.staining import amounts, stained
from model.learning.training import preset, train
from model.models import Classifier
from model.requests import TrainRequest
from model.training_services import train_classifier
from tests.attacks.networks import patches
from tests.factories import user
from tests.model.datasets import small_dataset
from tests.model.test_training import FAST
from tests.model.test_training_services import Killed, command

SMALL = {"arch": "shufflenet_v2_x0_5", "init": "random", "preset": "quick", "epochs": 2, "batch_size": 8}


def plain_net():
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 3, 2, 1), nn.ReLU()]
    return Network(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 2)), "tiny").eval()


def learned(against=None):
    images, labels = patches(192, seed=1)
    settings = replace(FAST, epochs=12, batch_size=16, settle=True, defence=against)
    return train(plain_net(), images.permute(0, 2, 3, 1).numpy(), labels.numpy(), settings, seed=1).network


def flipped(network, budget=6):
    images, labels = patches(64, seed=2)
    found = attack(network, images, labels, norm="linf", budget=budget, warn=False)
    assert found.already_wrong.sum() <= 3
    return int(found.flipped.sum())


@pytest.fixture(scope="module")
def undefended():
    return learned()


@pytest.mark.parametrize("kind", ["pgd", "free", "trades"])
def test_a_defended_network_withstands_what_flips_a_plain_one(undefended, kind):
    assert flipped(undefended) >= 25
    assert flipped(learned(defence(kind, budget=6))) <= 3


def test_a_network_defended_in_stain_withstands_stain_and_not_pixels(undefended):
    images, labels = patches(64, seed=2)
    in_stain, defended = defence("stain", budget=0.3), learned(defence("stain", budget=0.3))
    assert withstood(undefended, images, labels, in_stain)[1].sum() <= 10
    assert withstood(defended, images, labels, in_stain)[1].sum() >= 55
    assert flipped(defended) >= 25


def test_how_well_it_withstands_is_judged_as_the_attack_judges(undefended):
    images, labels = patches(64, seed=2)
    right, held = withstood(undefended, images, labels, defence("pgd", budget=6))
    assert right.all() and abs(int((~held).sum()) - flipped(undefended)) <= 3
    three, nearly_four = (withstood(undefended, images, labels, defence("pgd", budget=b)) for b in (3, 3.9))
    assert torch.equal(three, nearly_four)  # only whole grey levels are shown


def test_a_batch_at_its_worst_stays_within_budget_and_pixels_and_costs_more():
    images, labels = patches(16, seed=3)
    images, network = images / 255, learned()
    images[:4] = images[:4].round()  # black and white: half of what could change may not

    def loss(logits, _):
        return nn.functional.cross_entropy(logits, labels)

    strength = torch.tensor(0.5)
    torch.manual_seed(0)
    worst = worst_of(network, images, loss, defence("pgd", budget=8), strength)
    assert worst.min() >= 0 and worst.max() <= 1
    assert 3.9 / 255 < (worst - images).abs().max() <= 4.001 / 255
    assert loss(network(worst), None) > loss(network(images), None) + 0.1


def test_attacks_in_training_leave_the_running_statistics_alone():
    network = plain_net().train()
    before = network.body[1].running_mean.clone()
    with frozen_statistics(network):
        network(torch.rand(4, 3, 16, 16))
    assert torch.equal(network.body[1].running_mean, before) and network.body[1].momentum == 0.1
    network(torch.rand(4, 3, 16, 16))
    assert not torch.equal(network.body[1].running_mean, before)


def test_stains_changed_by_nothing_are_the_image_and_gains_scale_one_stain():
    images, _ = patches(4, seed=4)
    same = stained(images, torch.ones(1, 3))
    assert torch.allclose(same, images.float(), atol=1e-2)
    gains = torch.tensor([[1.2, 1.0, 1.0]])
    more = amounts(stained(images, gains))
    assert torch.allclose(more[:, 0], 1.2 * amounts(images)[:, 0], atol=2e-3)
    assert torch.allclose(more[:, 1], amounts(images)[:, 1], atol=2e-3)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"kind": "armour"}, "defend"),
        ({"kind": "pgd", "budget": 0.0}, "defend_budget"),
        ({"kind": "stain", "budget": 2.0}, "defend_budget"),
        ({"kind": "pgd", "steps": 0}, "defend_steps"),
        ({"kind": "pgd", "weight": 2.0}, "defend_weight"),
        ({"kind": "trades", "weight": 0.0}, "defend_weight"),
    ],
)
def test_a_defence_out_of_range_is_refused_by_its_field(given, field):
    with pytest.raises(InvalidInput) as refused:
        defence(**given)
    assert refused.value.field == field


# --- As rows ---


@pytest.mark.django_db
def test_a_defended_training_is_watched_on_groups_that_are_kept_apart_and_printed_epoch_by_epoch():
    dataset = small_dataset(n=48)
    made = command("train", dataset.name, defend="pgd", name="withstands", **SMALL)
    row = Classifier.objects.get(name="withstands")
    groups = dict(dataset.patches.values_list("id", "group"))
    parts = [row.split[part] for part in ("train", "watched", "test")]
    assert sorted(patch for part in parts for patch in part) == sorted(groups) and all(parts)
    named = [{groups[patch] for patch in part} for part in parts]
    assert not (named[0] & named[1] or named[0] & named[2] or named[1] & named[2])
    assert made["defence"] == {"kind": "pgd", "budget": 2.0, "steps": 3, "weight": 6.0}
    assert [sorted(epoch) for epoch in made["epochs"]] == 2 * [
        ["accuracy", "epoch", "held_out_accuracy", "held_out_robust_accuracy", "loss"]
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["free", "trades"])
def test_a_killed_defended_training_goes_on_and_gives_the_same_weights(kind, settings, tmp_path):
    settings.HOME = tmp_path
    dataset, options = small_dataset(n=48), SMALL | {"defend": kind}
    whole = train_classifier(dataset=dataset, name="whole", **options)

    def kill(done, total):
        if done == total // 2 + 1:
            raise Killed

    with pytest.raises(Killed):
        train_classifier(dataset=dataset, name="again", progress=kill, **options)
    again = train_classifier(dataset=dataset, name="again", **options)
    assert again.weights_sha256 == whole.weights_sha256 and again.history == whole.history


@pytest.mark.django_db
def test_fine_tuning_goes_on_from_the_weights_and_keeps_their_split():
    dataset = small_dataset(n=48)
    first = train_classifier(dataset=dataset, name="first", seed=3, **SMALL)
    second = command("train", dataset.name, base="first", defend="pgd", **(SMALL | {"epochs": 1, "arch": "resnet18"}))
    row = Classifier.objects.get(name=second["classifier"])
    assert row.arch == first.arch and row.name == "first-on-quick-pgd-0"
    assert row.split["test"] == first.split["test"]
    assert sorted(row.split["train"] + row.split["watched"]) == sorted(first.split["train"])
    assert row.settings["initialisation"]["sha256"] == first.weights_sha256
    assert row.weights_sha256 != first.weights_sha256


@pytest.mark.django_db
def test_a_job_goes_on_from_the_classifier_that_it_names():
    dataset = small_dataset(n=48)
    first = train_classifier(dataset=dataset, name="first", **SMALL)
    asked = check(TrainRequest, {"dataset": dataset.name, "base": "first", "preset": "quick", "epochs": 1})
    job = requests.train(by=user("ora", "researcher"), **asked)
    run_attempt(job.pk, job.attempt)
    job.refresh_from_db()
    assert job.state == "done", job.error
    made = Classifier.objects.get(name=job.result["classifier"])
    assert made.settings["initialisation"]["sha256"] == first.weights_sha256 and made.arch == first.arch


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("given", "field"),
    [({"defend_budget": 2.0}, "defend_budget"), ({"defend": "pgd", "defend_weight": 3.0}, "defend_weight")],
)
def test_a_page_refuses_settings_of_a_defence_that_is_not_asked_for(given, field):
    with pytest.raises(InvalidInput) as refused:
        check(TrainRequest, {"dataset": small_dataset(n=8).name} | given)
    assert refused.value.field == field


@pytest.mark.django_db
def test_settings_of_a_defence_without_one_are_refused():
    with pytest.raises(InvalidInput, match="--defend") as refused:
        train_classifier(dataset=small_dataset(), defend_budget=2.0, **SMALL)
    assert refused.value.field == "defend_budget"


def test_settings_without_a_defence_are_those_of_before():
    assert "defence" not in preset("quick").as_dict()
    assert preset("quick", defence=defence("free")).as_dict()["defence"]["kind"] == "free"
    assert np.isclose(defence("stain").budget, 0.2)
