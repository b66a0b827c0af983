"""Building, saving and loading classifiers."""

import warnings

import pytest
import torch
from torch import nn
from torchvision.models import VisionTransformer

from core.errors import InvalidInput
from model.learning import checkpoints
from model.learning import network as net
from model.learning.checkpoints import read_state
from model.learning.imagenet import MEAN, STD
from model.learning.network import build_network, load_weights, save_weights

SMALL = "shufflenet_v2_x0_5"


def small(seed=0, **options):
    return build_network(SMALL, init="random", seed=seed, **options)


@pytest.mark.parametrize("arch", ["resnet18", "densenet121", "convnext_tiny"])
def test_architectures_get_two_outputs_and_features(arch):
    network, record = build_network(arch, init="random", seed=1)
    images = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        assert network(images).shape == (2, 2)
        assert network.features(images).shape == (2, network.head.in_features)
    assert record.kind == "random" and record.head == "new"


def test_a_vision_transformer_takes_the_patch_size_it_was_built_for(tmp_path, monkeypatch):
    def slim(name, *, weights, image_size):  # the real one has 88 million weights
        return VisionTransformer(image_size, 32, num_layers=1, num_heads=1, hidden_dim=8, mlp_dim=8)

    monkeypatch.setattr(net.zoo, "get_model", slim)
    network, _ = build_network("vit_b_32", init="random", seed=0, image_size=64)
    with torch.inference_mode():
        assert network(torch.rand(1, 3, 64, 64)).shape == (1, 2)
    save_weights(network, tmp_path / "vit.pt")
    larger, _ = build_network("vit_b_32", weights=tmp_path / "vit.pt", seed=0, image_size=96)
    with torch.inference_mode():
        assert larger(torch.rand(1, 3, 96, 96)).shape == (1, 2)


def test_normalisation_is_inside_so_that_pixels_enter_in_zero_to_one():
    network, _ = small()
    images = torch.rand(2, 3, 64, 64)
    mean, std = torch.tensor(MEAN).view(1, 3, 1, 1), torch.tensor(STD).view(1, 3, 1, 1)
    with torch.inference_mode():
        torch.testing.assert_close(network(images), network.body((images - mean) / std))


def test_the_seed_decides_the_weights_and_leaves_the_callers_random_state_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    (one, _), (same, _), (other, _) = small(1), small(1), small(2)
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(one.head.weight, same.head.weight)
    assert not torch.equal(one.head.weight, other.head.weight)


def test_weights_come_back_as_they_were_saved_under_any_name(tmp_path):
    network, _ = small(3)
    sha256 = save_weights(network, tmp_path / "first.pt")
    assert save_weights(network, tmp_path / "another name.pt") == sha256
    loaded = load_weights(SMALL, tmp_path / "first.pt", sha256=sha256)
    images = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(network(images), loaded(images))


def test_a_changed_file_is_refused(tmp_path):
    network, _ = small()
    file = tmp_path / "weights.pt"
    sha256 = save_weights(network, file)
    with torch.no_grad():
        network.head.bias += 1
    save_weights(network, file)
    with pytest.raises(InvalidInput, match="SHA-256"):
        load_weights(SMALL, file, sha256=sha256)


def test_weights_with_nan_are_refused_naming_the_layer(tmp_path):
    network, _ = small()
    with torch.no_grad():
        network.head.weight[0, 0] = torch.nan
    save_weights(network, tmp_path / "nan.pt")
    with pytest.raises(InvalidInput, match=r"nan\.pt: fc\.weight holds values that are not finite"):
        load_weights(SMALL, tmp_path / "nan.pt")


def test_a_file_that_would_run_code_is_refused(tmp_path):
    torch.save(nn.Linear(2, 2), tmp_path / "module.pt")  # a pickled object, not a state dict
    with pytest.raises(InvalidInput, match="read safely"):
        read_state(tmp_path / "module.pt")


@pytest.mark.parametrize("wrap", [lambda s: {"state_dict": s}, lambda s: {f"module.{k}": v for k, v in s.items()}])
def test_checkpoints_of_common_trainers_are_understood(tmp_path, wrap):
    network, _ = small()
    torch.save(wrap(network.body.state_dict()), tmp_path / "checkpoint.pt")
    loaded = load_weights(SMALL, tmp_path / "checkpoint.pt")
    assert torch.equal(loaded.head.weight, network.head.weight)


def test_a_head_of_a_thousand_classes_is_replaced_for_training_and_refused_for_judging(tmp_path):
    network, _ = small()
    state = network.body.state_dict()
    state["fc.weight"], state["fc.bias"] = torch.rand(1000, 1024), torch.rand(1000)
    torch.save(state, tmp_path / "imagenet-like.pt")
    start, record = build_network(SMALL, weights=tmp_path / "imagenet-like.pt", seed=0)
    assert start.head.out_features == 2
    assert record.kind == "weights" and record.head == "new" and len(record.sha256) == 64
    assert torch.equal(start.body.conv1[0].weight, network.body.conv1[0].weight)
    with pytest.raises(InvalidInput, match="1000 output"):
        load_weights(SMALL, tmp_path / "imagenet-like.pt")


def test_weights_of_another_architecture_are_refused(tmp_path):
    network, _ = small()
    save_weights(network, tmp_path / "weights.pt")
    with pytest.raises(InvalidInput, match="does not fit resnet18"):
        load_weights("resnet18", tmp_path / "weights.pt")


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        ("resnet19", "no classifier called 'resnet19'.*resnet18"),
        ("squeezenet1_1", "no linear layer"),
        ("inception_v3", "auxiliary"),
    ],
)
def test_an_architecture_that_cannot_be_used_is_named(arch, message):
    with pytest.raises(InvalidInput, match=message):
        build_network(arch, init="random", seed=0)


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No cached weights, and nobody answers."""

    def nobody(*args, **kwargs):
        raise OSError("unreachable")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(checkpoints.socket, "create_connection", nobody)


def test_offline_auto_starts_at_random_and_says_so_loudly(offline):
    with pytest.warns(UserWarning, match="RANDOM INITIALISATION of resnet18"):
        _, record = build_network("resnet18", init="auto", seed=0)
    assert record.kind == "random" and record.asked == "auto"
    assert "could not be downloaded" in record.reason
    assert str(record).startswith("random; no ImageNet weights")


def test_offline_imagenet_insists(offline):
    with pytest.raises(InvalidInput, match="could not be downloaded"):
        build_network("resnet18", init="imagenet", seed=0)


def test_cached_imagenet_weights_are_used_and_named(offline, tmp_path):
    network, _ = small(9)
    state = network.body.state_dict()
    state["fc.weight"], state["fc.bias"] = torch.zeros(1000, 1024), torch.zeros(1000)
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    torch.save(state, folder / "shufflenetv2_x0.5-f707e7126e.pth")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found, record = build_network(SMALL, init="imagenet", seed=0)
    assert record.kind == "imagenet" and record.source.startswith("https://") and len(record.sha256) == 64
    assert torch.equal(found.body.conv1[0].weight, network.body.conv1[0].weight)
