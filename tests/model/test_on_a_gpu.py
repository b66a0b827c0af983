"""What training promises, on a GPU: equal seeds give equal weights, wherever the patches lie. Skipped without one."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from model.learning import training
from model.learning.defence import defence
from model.learning.network import build_network, weights_bytes
from model.learning.prediction import predict
from model.learning.resume import Checkpoint
from model.learning.training import preset, train
from tests.model.test_training import dots

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


def learned(settings, seed=1):
    """A ResNet-18 after a training on the GPU, and the hash of its weights."""
    images, labels = dots(n=64, size=64)
    network, _ = build_network("resnet18", init="random", seed=0, image_size=64)
    trained = train(network, images, labels, settings, seed=seed, device="cuda")
    return trained.network, weights_bytes(trained.network)[1]


@pytest.mark.parametrize("name", ["paper", "quick"])
def test_equal_seeds_give_equal_weights_and_others_do_not(name):
    settings = preset(name, epochs=3)
    assert learned(settings)[1] == learned(settings)[1] != learned(settings, seed=2)[1]


CROPPED = {"crop": 48, "whole_epochs": 1, "optimiser": "adamw", "schedule": "one-cycle"}


@pytest.mark.parametrize("changes", [{}, CROPPED])
def test_recorded_passes_learn_what_passes_one_by_one_learn(monkeypatch, changes):
    settings = preset("paper", epochs=3, batch_size=24, **changes)  # 64 patches: batches of 22 and of 21
    network, _ = learned(settings)
    monkeypatch.setattr(training, "recorded", lambda passes, _: passes)
    plain, _ = learned(settings)
    for key, value in plain.state_dict().items():
        assert torch.equal(value, network.state_dict()[key]), key


def test_patches_that_do_not_fit_stay_on_the_host_and_give_the_same_weights(monkeypatch):
    settings = preset("paper", epochs=2)
    _, expected = learned(settings)
    monkeypatch.setattr(training, "ROOM", 0.0)
    assert learned(settings)[1] == expected


@pytest.mark.parametrize("kind", ["pgd", "free", "trades", "stain"])
def test_a_defended_training_that_goes_on_gives_the_weights_of_a_whole_one(kind, tmp_path):
    settings = preset("paper", epochs=2, defence=defence(kind))
    images, labels = dots(n=64, size=64)

    class Killed(Exception):
        pass

    def die(done, total):
        if done == total // 2 + 1:
            raise Killed

    def once(name, **options):
        network, _ = build_network("resnet18", init="random", seed=0, image_size=64)
        kept = Checkpoint(tmp_path / name)
        train(network, images, labels, settings, seed=1, device="cuda", checkpoint=kept, **options)
        return weights_bytes(network)[1]

    whole = once("whole")
    with pytest.raises(Killed):
        once("again", progress=die)
    assert once("again") == whole


def test_a_gpu_predicts_what_the_cpu_predicts():
    network, _ = learned(replace(preset("quick"), shrink=1, epochs=2))
    images, _ = dots(n=40, size=64, seed=3)
    on_gpu = predict(network, images, device="cuda")
    assert np.allclose(on_gpu, predict(network, images, device="cpu"), atol=1e-5)
