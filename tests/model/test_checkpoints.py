"""Weights as labs and libraries save them: loaded, or refused with the names found; and what looks swapped."""

import io
import json
import re
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from django.core.management import call_command
from torch import nn
from torchvision import models

from core.errors import InvalidInput
from model.import_services import doubts
from model.learning.devices import usable_device
from model.learning.network import build_network, load_weights
from model.learning.pannuke import PanNuke
from model.learning.prediction import predict
from model.models import Classifier
from tests.model.datasets import small_dataset

ARCH = "shufflenet_v2_x0_5"


@pytest.fixture(scope="module")
def state() -> OrderedDict:
    torch.manual_seed(0)
    network = models.shufflenet_v2_x0_5(weights=None)
    network._modules["fc"] = nn.Linear(1024, 2)
    return OrderedDict(network.state_dict())


def saved(folder: Path, value: object) -> Path:
    torch.save(value, folder / "w.pth")
    return folder / "w.pth"


def under(prefix: str, state: OrderedDict) -> OrderedDict:
    return OrderedDict((prefix + key, value) for key, value in state.items())


HELD = {
    "bare": lambda s: s,
    "DataParallel": lambda s: under("module.", s),
    "torch.compile": lambda s: under("_orig_mod.", s),
    "compiled DataParallel": lambda s: under("_orig_mod.module.", s),
    "Lightning": lambda s: {"state_dict": under("model.", s), "epoch": 3},
    "Lightning over DataParallel": lambda s: {"state_dict": under("model.module.", s)},
    "nested wrappers": lambda s: under("net.model.", s),
    "a wrapper's own name": lambda s: under("classifier.encoder.", s),
    "net and accuracy": lambda s: {"net": s, "acc": 91.2},
    "another name": lambda s: {"student_weights": s, "optimizer": {"state": {}, "param_groups": []}, "args": {"lr": 1}},
    "an epoch beside the layers": lambda s: OrderedDict(s, epoch=3),
    "a moving average beside it": lambda s: {"ema": under("x.", s), "model": s, "best": torch.tensor(0.9)},
    "twice nested": lambda s: {"checkpoint": {"model": s}},
    "beside a loss": lambda s: under("model.", s) | {"criterion.weight": torch.ones(2)},
}


@pytest.mark.parametrize("kind", HELD)
def test_a_checkpoint_is_loaded_whatever_wraps_it(tmp_path, state, kind):
    network = load_weights(ARCH, saved(tmp_path, HELD[kind](state)), image_size=64)
    assert all(torch.equal(value, state[key]) for key, value in network.body.state_dict().items())


def test_one_logit_becomes_two_outputs_with_its_probability(tmp_path, state):
    torch.manual_seed(1)
    one = OrderedDict(state, **{"fc.weight": torch.randn(1, 1024), "fc.bias": torch.tensor([0.3])})
    file = saved(tmp_path, one)
    with pytest.warns(
        UserWarning, match=r"one output.* logit of tumour; if it is that of no tumour.*--tumour-output 0"
    ):
        network = load_weights(ARCH, file, image_size=64)
    plain = models.shufflenet_v2_x0_5(weights=None)
    plain._modules["fc"] = nn.Linear(1024, 1)
    plain.load_state_dict(one)
    images = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    with torch.inference_mode():
        inside = (torch.from_numpy(images).permute(0, 3, 1, 2) / 255 - network.mean) / network.std
        wanted = plain.eval()(inside).sigmoid()[:, 0]
    np.testing.assert_allclose(predict(network, images), wanted, atol=1e-5)
    with pytest.warns(UserWarning, match="logit of no tumour"):
        other = load_weights(ARCH, file, image_size=64, tumour_output=0)
    np.testing.assert_allclose(predict(other, images), 1 - wanted, atol=1e-5)


@pytest.mark.django_db
def test_the_command_says_what_it_took_a_single_output_for(tmp_path, own_files, state):
    file = saved(tmp_path, OrderedDict(state, **{"fc.weight": torch.randn(1, 1024), "fc.bias": torch.zeros(1)}))
    small_dataset()
    out = io.StringIO()
    call_command("import_classifier", arch=ARCH, weights=str(file), keep_order=True, json=True, stdout=out)
    notes = json.loads(out.getvalue())["notes"]
    assert notes[0].startswith("The weights have one output. It is taken for the logit of tumour")
    two = {"weights": str(saved(tmp_path, state)), "name": "two", "keep_order": True}
    call_command("import_classifier", arch=ARCH, json=True, stdout=out, **two)
    assert not any("one output" in note for note in Classifier.objects.get(name="two").settings["notes"])


def test_outputs_in_the_other_order_are_exchanged_on_request(tmp_path, state):
    network = load_weights(ARCH, saved(tmp_path, state), image_size=64)
    other = load_weights(ARCH, tmp_path / "w.pth", image_size=64, tumour_output=0)
    images = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    np.testing.assert_allclose(predict(other, images), 1 - predict(network, images), atol=1e-6)
    with pytest.raises(InvalidInput, match="tumour_output: 2"):
        load_weights(ARCH, tmp_path / "w.pth", image_size=64, tumour_output=2)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"epoch": 3, "acc": 0.9}, "holds no state dict.*it holds: epoch, acc"),
        ([torch.ones(2)], "it holds: list"),
        ({}, "it holds: nothing"),
        (
            {"layer1.weight": torch.ones(2), "layer1.bias": torch.ones(2)},
            r"missing \(.*2 not known there \(layer1.weight, layer1.bias\)",
        ),
        ({"fc.weight": torch.ones(2, 1024, device="meta")}, "fc.weight has a shape and no values"),
        ({"fc.weight": torch.eye(2).to_sparse()}, "fc.weight is sparse or quantised"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_names_that_were_found(tmp_path, value, message):
    with pytest.raises(InvalidInput, match=message):
        load_weights(ARCH, saved(tmp_path, value), image_size=64)


def test_a_part_of_a_checkpoint_and_a_layer_of_another_shape_are_named(tmp_path, state):
    lacking = OrderedDict((key, value) for key, value in under("model.", state).items() if "fc." not in key)
    with pytest.raises(InvalidInput, match=r"2 missing \(fc.weight, fc.bias\)"):
        load_weights(ARCH, saved(tmp_path, lacking), image_size=64)
    with pytest.raises(InvalidInput, match=r"1 of another shape \(fc.weight is \(2, 7\), not \(2, 1024\)\)"):
        load_weights(ARCH, saved(tmp_path, OrderedDict(state, **{"fc.weight": torch.ones(2, 7)})), image_size=64)
    with pytest.raises(InvalidInput, match="has 9 outputs; a classifier needs two"):
        nine = {"fc.weight": torch.ones(9, 1024), "fc.bias": torch.ones(9)}
        load_weights(ARCH, saved(tmp_path, OrderedDict(state, **nine)), image_size=64)


@pytest.fixture
def old_densenet(tmp_path, monkeypatch) -> Path:
    """torchvision's own file of densenet121: the layers' names of 2017."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    state = models.densenet121(weights=None).state_dict()
    old = {re.sub(r"(denselayer\d+\.(?:norm|conv))(\d)\.", r"\1.\2.", key): value for key, value in state.items()}
    torch.save(old, folder / "densenet121-a639ec97.pth")
    return folder / "densenet121-a639ec97.pth"


def test_densenets_old_layer_names_are_understood(old_densenet):
    assert build_network("densenet121", init="auto", seed=0, image_size=64)[1].kind == "imagenet"
    assert build_network("densenet121", init="imagenet", seed=0, image_size=64)[1].kind == "imagenet"
    assert build_network("densenet121", weights=old_densenet, seed=0, image_size=64)[1].kind == "weights"


def test_auto_falls_back_where_the_cached_file_does_not_fit(old_densenet):
    torch.save({"a": torch.ones(2)}, old_densenet)
    with pytest.warns(UserWarning, match="RANDOM INITIALISATION"):
        assert build_network("densenet121", init="auto", seed=0, image_size=64)[1].kind == "random"
    with pytest.raises(InvalidInput, match="does not fit densenet121"):
        build_network("densenet121", init="imagenet", seed=0, image_size=64)


@pytest.mark.parametrize(
    ("auc", "confusion", "message"),
    [
        (0.004, [[1, 49], [49, 1]], "look swapped.*other order of the classes"),
        (0.52, [[25, 25], [25, 25]], "does not tell these patches apart"),
        (0.9, [[50, 0], [50, 0]], "calls no patch tumour"),
        (0.9, [[0, 50], [0, 50]], "calls every patch tumour"),
        (0.95, [[45, 5], [5, 45]], None),
    ],
)
def test_answers_that_look_wrong_are_noted(auc, confusion, message):
    notes = doubts({"auc": auc, "confusion": confusion, "n": 100})
    assert bool(notes) == bool(message) and all(re.search(message, note) for note in notes)


def test_a_network_that_answers_nan_is_refused_with_the_image():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.k = nn.Parameter(torch.ones(1))

        def forward(self, x):
            return torch.stack([self.k / x.std((1, 2, 3)) * 0, x.mean((1, 2, 3))], 1)

    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)
    images[21] = 255
    with pytest.raises(InvalidInput, match="image 21 of 40"):
        predict(Odd(), images)


@pytest.mark.parametrize(
    ("name", "message"),
    [("gpu", "gpu is not one of cpu, cuda, mps"), ("cuda:99", "is not on this machine"), ("x" * 500, "is not one of")],
)
def test_a_device_that_is_not_there_is_refused(name, message):
    with pytest.raises(InvalidInput, match=f"device: .*{message}.*here there are cpu"):
        usable_device(name)
    assert usable_device("cpu") == "cpu" and usable_device(None) == usable_device("")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: np.save(f / "types.npy", np.array(["Breast"] * 2, object), allow_pickle=True), r"astype\(str\)"),
        (
            lambda f: (f / "images.npy").write_text("version https://git-lfs.github.com/spec/v1\noid x\n"),
            "Git LFS pointer",
        ),
        (lambda f: np.savez_compressed((f / "images.npy").open("wb"), a=np.ones(3)), "zip archive"),
        (lambda f: (f / "masks.npy").write_text("<!DOCTYPE html><html>Sign in</html>"), "web page"),
        (lambda f: (f / "masks.npy").write_bytes(b""), "cannot be read"),
        (lambda f: (f / "images.npy").write_bytes(b"\x93NUMPY\x01\x00\x10\x00{'descr': (((("), "cannot be read"),
    ],
)
def test_a_file_of_pannuke_that_is_something_else_is_named_as_such(tmp_path, spoil, message):
    np.save(tmp_path / "images.npy", np.full((2, 256, 256, 3), 200, np.uint8))
    np.save(tmp_path / "masks.npy", np.zeros((2, 256, 256, 6), np.uint8))
    np.save(tmp_path / "types.npy", np.array(["Breast"] * 2))
    spoil(tmp_path)
    with pytest.raises(InvalidInput, match=rf"\.npy: .*{message}"):
        list(PanNuke([tmp_path]))
