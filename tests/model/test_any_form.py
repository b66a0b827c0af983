"""Each form in which a lab can bring its network walks from import to Table 1b; what is wrong is said before."""

import io
import json
import warnings
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from django.core.management import CommandError, call_command
from torch import nn

from attacks.models import Perturbation
from core.errors import InvalidInput
from model.import_services import import_classifier
from model.learning import forms
from model.learning.file_formats import format_of
from model.learning.forms import check_gradient
from model.learning.network import Network, timm_body
from model.learning.reading import Reading
from model.models import Classifier
from model.selectors import dataset_arrays
from model.stored_network import stored_network
from study.models import Response, Study
from tests.model.datasets import small_dataset
from tests.model.odd_network import made

SIDE = 40


def run(command: str, *args, **options) -> dict:
    out = io.StringIO()
    options = {name: str(one) if isinstance(one, Path) else one for name, one in options.items()}
    call_command(command, *args, json=True, stdout=out, stderr=io.StringIO(), **options)
    return json.loads(out.getvalue())


def learned(outputs=2, seed=0):
    """A small network that tells dots from none, with so many outputs; of more than two, 1 and 2 stand for dots."""
    from tests.model.test_training import dots

    images, labels = dots(n=96, size=SIDE, seed=3)
    torch.manual_seed(seed)
    body = made()
    body[4] = nn.Linear(8, outputs)
    mean, std = (torch.tensor(one).view(1, 3, 1, 1) for one in (Reading().mean, Reading().std))
    pixels = (torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255 - mean) / std
    truth = torch.from_numpy(labels)
    optimiser = torch.optim.Adam(body.parameters(), 0.02)
    for _ in range(60):
        optimiser.zero_grad()
        answers = body(pixels)
        if outputs == 1:
            loss = nn.functional.binary_cross_entropy_with_logits(answers[:, 0], truth.float())
        else:
            loss = nn.functional.cross_entropy(answers, truth * (1 if outputs == 2 else 1 + torch.arange(96) // 2 % 2))
        loss.backward()
        optimiser.step()
    return body.eval()


@pytest.fixture(scope="module")
def two():
    return learned()


def torchscript(body, folder: Path) -> dict:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(body, torch.rand(2, 3, SIDE, SIDE)), folder / "net.pt")
    return {"weights": folder / "net.pt"}


def onnx(body, folder: Path) -> dict:
    pytest.importorskip("onnx2torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            body, (torch.rand(2, 3, SIDE, SIDE),), folder / "net.onnx", dynamo=False, input_names=["x"],
            output_names=["y"], dynamic_axes={"x": {0: "n"}, "y": {0: "n"}},
        )  # fmt: skip
    return {"weights": folder / "net.onnx"}


def encoder(body, folder: Path) -> dict:
    """The convolutions as TorchScript, and an MLP on their features as safetensors."""
    from safetensors.torch import save_file

    wide = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
    with torch.no_grad():  # relu(z) - relu(-z) = z
        wide[0].weight.copy_(torch.cat([body[4].weight, -body[4].weight] * 4))
        wide[0].bias.copy_(torch.cat([body[4].bias, -body[4].bias] * 4))
        sides = torch.eye(2).repeat(1, 8) * torch.tensor([1.0, 1.0, -1.0, -1.0] * 4) / 4
        wide[2].weight.copy_(sides)
        wide[2].bias.zero_()
    save_file(wide.state_dict(), folder / "head.safetensors")
    return {"encoder": torchscript(body[:4], folder)["weights"], "head": folder / "head.safetensors"}


def python(body, folder: Path) -> dict:
    torch.save(body.state_dict(), folder / "odd.pth")
    return {"entry": "tests.model.odd_network:made", "weights": folder / "odd.pth"}


def fitted(body, last: str):
    """``body`` with its random features and a last layer fitted to them: a state dict that knows dots from none."""
    from tests.model.test_training import dots

    images, labels = dots(n=96, size=SIDE, seed=3)
    mean, std = (torch.tensor(one).view(1, 3, 1, 1) for one in (Reading().mean, Reading().std))
    parent, _, name = last.rpartition(".")
    head, holder = body.get_submodule(last), body.get_submodule(parent)
    pixels = (torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255 - mean) / std
    setattr(holder, name, nn.Identity())
    for module in body.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the statistics of these very patches
    with torch.no_grad():
        body.train()(pixels)
        seen = body.eval()(pixels).double()
        middle = seen.mean(0)
        alike = (seen - middle) @ (seen - middle).T
        sides = 2.0 * torch.from_numpy(labels) - 1
        way = (seen - middle).T @ torch.linalg.solve(alike + 0.3 * alike.trace() / 96 * torch.eye(96), sides.double())
        head.weight.copy_(torch.stack([-way, way]))
        head.bias.copy_(torch.stack([way @ middle, -way @ middle]))
    setattr(holder, name, head)
    return body.eval()


def shufflenet():
    from torchvision import models

    torch.manual_seed(0)
    network = models.shufflenet_v2_x0_5(weights=None)
    network._modules["fc"] = nn.Linear(1024, 2)
    return fitted(network, "fc")


def safetensors(_, folder: Path) -> dict:
    from safetensors.torch import save_file

    save_file(shufflenet().state_dict(), folder / "net.safetensors")
    return {"weights": folder / "net.safetensors", "arch": "shufflenet_v2_x0_5"}


def lightning(_, folder: Path) -> dict:
    """Lightning's checkpoint of a compiled network under DDP: all three put something before the names."""
    state = {f"model._orig_mod.module.{key}": value for key, value in shufflenet().state_dict().items()}
    torch.save({"state_dict": state, "epoch": 3, "optimizer_states": [{}]}, folder / "last.ckpt")
    return {"weights": folder / "last.ckpt", "arch": "shufflenet_v2_x0_5"}


def timm_name(_, folder: Path) -> dict:
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    network = fitted(timm.create_model("resnet10t", pretrained=False, num_classes=2), "fc")
    torch.save(network.state_dict(), folder / "net.pth")
    return {"weights": folder / "net.pth", "arch": "timm/resnet10t"}


def encoder_of_timm(_, folder: Path) -> dict:
    """The way UNI and its like are used: a frozen encoder's state dict, and a linear probe on its features."""
    made = timm_name(_, folder)
    state = torch.load(made["weights"], weights_only=True)
    torch.save({"weight": state["fc.weight"], "bias": state["fc.bias"]}, folder / "probe.pth")
    torch.save({key: one for key, one in state.items() if not key.startswith("fc.")}, folder / "net.pth")
    return {"encoder": folder / "net.pth", "head": folder / "probe.pth", "arch": made["arch"]}


FORMS = {
    "safetensors": safetensors,
    "Lightning, DDP and compile": lightning,
    "timm": timm_name,
    "linear probe on an encoder of timm": encoder_of_timm,
    "TorchScript": torchscript,
    "ONNX": onnx,
    "encoder and head": encoder,
    "Python code": python,
    "one logit": lambda body, folder: torchscript(learned(1), folder),
    "three classes": lambda body, folder: torchscript(learned(3), folder) | {"positive": [1, 2]},
}


STATE_DICTS = ("safetensors", "Lightning, DDP and compile", "timm", "linear probe on an encoder of timm")
"""Made of torch's own layers, whose gradients need no check."""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("form", FORMS)
def test_each_form_walks_from_import_to_table_1b(form, two, tmp_path, settings):
    settings.PYTHON_NETWORKS = form == "Python code"
    dataset = small_dataset(n=24, size=SIDE)
    said = run("import_classifier", dataset.name, name="lab", **FORMS[form](two, tmp_path))
    assert said["test"]["auc"] > (0.85 if form in STATE_DICTS else 0.9) and any(
        "fits better as given" in note for note in said["notes"]
    )
    checked = any("finite differences" in note for note in said["notes"])
    assert checked or form in STATE_DICTS, "networks that torch's own layers do not make are checked"
    classifier = Classifier.objects.get()
    if form not in ("one logit", "three classes", *STATE_DICTS):
        stored, images = stored_network(classifier), dataset_arrays(dataset)
        seen = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
        plain = Network(two, "two").eval()
        with torch.no_grad():
            assert torch.allclose(stored(seen), plain(seen), atol=1e-3)
    run("attack", "lab", norm="none", name="lab-none", steps=100)
    assert Perturbation.objects.filter(flipped=True, patch__tumour=True).count() >= 2
    run("build_study", attack="lab-none", name="Lab", cases=2, arm_order="paper", min_gap=1, washout_hours=0.0)
    run("rehearse", "lab", readers=1, seed=0)
    assert Study.objects.get().state == Study.State.UNBLINDED and Response.objects.exists()
    [row, *_] = run("analyse", "lab")["table_1b"]
    assert row["original"]["n"] == 2


@pytest.mark.django_db
def test_safetensors_are_read_as_any_state_dict_and_what_is_cut_off_is_refused(tmp_path):
    from safetensors.torch import save_file
    from torchvision import models

    network = models.shufflenet_v2_x0_5(weights=None)
    network.fc = nn.Linear(1024, 2)
    save_file(network.state_dict(), tmp_path / "net.safetensors")
    dataset, arch = small_dataset(n=8), "shufflenet_v2_x0_5"
    made = import_classifier(dataset=dataset, arch=arch, weights=tmp_path / "net.safetensors")
    assert torch.equal(stored_network(made).body.fc.weight, network.fc.weight) and "form" not in made.settings
    (tmp_path / "half.safetensors").write_bytes((tmp_path / "net.safetensors").read_bytes()[:50_000])
    with pytest.raises(InvalidInput, match="not whole"):
        import_classifier(dataset=dataset, arch=arch, weights=tmp_path / "half.safetensors")


@pytest.mark.django_db
def test_timm_names_are_networks_with_a_normalisation_and_an_input_size_of_their_own(tmp_path):
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    network = timm.create_model("mobilenetv3_small_050", pretrained=False, num_classes=2).eval()
    torch.save(network.state_dict(), tmp_path / "net.pth")
    made = import_classifier(
        dataset=small_dataset(n=8), arch="timm/mobilenetv3_small_050", weights=tmp_path / "net.pth", mean=(0.5,) * 3,
        std=(0.5,) * 3, input_size=32,
    )  # fmt: skip
    images = torch.rand(2, 3, 40, 40)
    seen = nn.functional.interpolate(images, size=(32, 32), mode="bilinear", antialias=True) * 2 - 1
    with torch.no_grad():
        assert torch.allclose(stored_network(made)(images), network(seen), atol=1e-5)


@pytest.mark.django_db
def test_more_than_two_outputs_ask_which_stand_for_tumour_and_say_which_fits_best(tmp_path):
    with pytest.raises(InvalidInput, match=r"has 3 outputs.*output [012] alone fits best") as refused:
        import_classifier(dataset=small_dataset(n=24, size=SIDE), **torchscript(learned(3), tmp_path))
    assert refused.value.field == "positive" and not Classifier.objects.exists()


@pytest.mark.django_db
def test_both_orders_of_the_classes_are_tried_and_the_better_one_is_named(two, tmp_path):
    dataset, file = small_dataset(n=24, size=SIDE), torchscript(two, tmp_path)
    given = import_classifier(dataset=dataset, name="given", **file)
    with pytest.raises(InvalidInput, match=r"look swapped.*AUC 0\.0\d\d.*the other AUC 0\.9|1\.0") as refused:
        import_classifier(dataset=dataset, name="swapped", tumour_output=0, **file)
    assert refused.value.field == "tumour_output" and Classifier.objects.get() == given
    swapped = import_classifier(dataset=dataset, name="swapped", tumour_output=0, keep_order=True, **file)
    assert given.metrics["auc"] > 0.9 and swapped.metrics["auc"] == pytest.approx(1 - given.metrics["auc"])
    assert any("fits better as given" in note for note in given.settings["notes"])
    assert any("fits better exchanged" in note for note in swapped.settings["notes"])


@pytest.mark.django_db
def test_a_few_patches_do_not_make_an_order_doubtful(two, tmp_path):
    """Four of a class tell by chance what they tell: nothing is refused for that."""
    made = import_classifier(
        dataset=small_dataset(n=8, size=SIDE), tumour_output=0, name="few", **torchscript(two, tmp_path)
    )
    assert made.metrics["auc"] < 0.4 and any("look swapped" in note for note in made.settings["notes"])


@pytest.mark.django_db
def test_an_import_counts_the_groups_of_each_class_and_warns_of_few(two, tmp_path):
    file = torchscript(two, tmp_path)
    few = import_classifier(dataset=small_dataset("few", n=12, size=SIDE), name="few", **file)
    assert few.settings["groups"] == {"test": {"tumour": 3, "no_tumour": 3}}
    assert any("only 3 groups with tumour and 3 groups without" in note for note in few.settings["notes"])
    many = import_classifier(dataset=small_dataset("many", n=24, size=SIDE), name="many", **file)
    assert not any("only" in note for note in many.settings["notes"])


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        ("timm/hf-hub:someone/model", "timm has no network called 'hf-hub:someone/model'"),
        ("timm/local-dir:/etc", "timm has no network called"),
        ("timm/mobilenetv3_small_050?checkpoint_path=/etc/passwd", "checkpoint_path says where weights come from"),
        ("timm/mobilenetv3_small_050?pretrained=true", "pretrained says where weights come from"),
    ],
)
def test_a_name_of_timm_reads_no_other_file_and_fetches_nothing(arch, message):
    pytest.importorskip("timm")
    with pytest.raises(InvalidInput, match=message) as refused:
        timm_body(arch, outputs=2)
    assert refused.value.field == "arch"


class Reads(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        held = torch.from_file("/etc/hostname", False, 2, dtype=torch.uint8)
        return x.mean((2, 3))[:, :2] + held


class Writes(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        torch.save(x, "written-by-a-network")
        return x.mean((2, 3))[:, :2]


@pytest.mark.parametrize("network", [Reads, Writes])
def test_torchscript_that_reads_or_writes_files_is_not_even_loaded(network, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(network()), tmp_path / "net.pt")
    form = forms.Form("torchscript")
    with pytest.raises(InvalidInput, match=r"net.pt holds the instruction (from_file|save) in .*code/"):
        forms.open_network(form, (tmp_path / "net.pt").read_bytes(), "net.pt", image_size=SIDE)
    assert [path.name for path in tmp_path.iterdir()] == ["net.pt"]


@pytest.mark.django_db
def test_python_code_is_not_run_unless_the_installation_allows_it(two, tmp_path, settings):
    dataset, options = small_dataset(n=8, size=SIDE), python(two, tmp_path)
    with pytest.raises(InvalidInput, match="PYTHON_NETWORKS=on"):
        import_classifier(dataset=dataset, name="odd", **options)
    settings.PYTHON_NETWORKS = True
    stored = import_classifier(dataset=dataset, name="odd", **options)
    assert any("PYTHON CODE" in note for note in stored.settings["notes"])
    settings.PYTHON_NETWORKS = False
    with pytest.raises(InvalidInput, match="PYTHON_NETWORKS=on"):
        stored_network(stored)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "Give the network's file"),
        ({"encoder": "e.pt"}, "give both"),
        ({"encoder": "e.pt", "head": "h.pt", "weights": "w.pt"}, "not both"),
        ({"weights": "w.pth"}, "name the architecture"),
        ({"weights": "w.onnx"}, "cannot be read as ONNX"),
    ],
)
def test_what_does_not_go_together_is_refused(options, message, tmp_path):
    for name in options.values():
        (tmp_path / name).write_bytes(b"nothing that a network is made of")
    if "onnx" in message.lower():
        pytest.importorskip("onnx2torch")
    with pytest.raises(CommandError, match=message):
        run("import_classifier", small_dataset(n=8).name, **{key: tmp_path / name for key, name in options.items()})


def test_gradients_that_do_not_fit_the_answers_are_refused():
    class Masked(nn.Module):
        """Its answers follow the whole image, its gradients the red channel only."""

        def forward(self, x):
            x = torch.cat([x[:, :1], x[:, 1:].detach()], 1)
            score = (x * torch.linspace(-1, 1, x.shape[-1])).mean((1, 2, 3))
            return torch.stack([-score, score], 1)

    images = torch.rand(2, 3, 16, 16)
    with pytest.raises(InvalidInput, match="do not fit its answers"):
        check_gradient(Network(Masked(), "masked"), images, "masked")


def test_a_head_has_to_be_a_chain_of_linear_layers(two, tmp_path):
    state = OrderedDict({"0.weight": torch.rand(16, 8), "2.weight": torch.rand(2, 12)})
    torch.save(state, tmp_path / "h.pth")
    with pytest.raises(InvalidInput, match="no chain of linear layers"):
        forms.head_body((tmp_path / "h.pth").read_bytes(), "relu", "h.pth")
    assert format_of(tmp_path / "h.pth") == "weights"
    assert format_of(torchscript(two, tmp_path)["weights"]) == "torchscript"


def test_classes_of_each_side_are_added_up():
    logits = torch.randn(5, 4)
    found = Reading(outputs=4, positive=(1, 3)).two_logits(logits).softmax(1)[:, 1]
    assert np.allclose(found, logits.softmax(1)[:, [1, 3]].sum(1), atol=1e-6)
    one = Reading(outputs=1).two_logits(logits[:, :1]).softmax(1)[:, 1]
    assert np.allclose(one, logits[:, 0].sigmoid(), atol=1e-6)
