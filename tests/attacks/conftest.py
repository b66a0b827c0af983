"""A real classifier in the database: ResNet-18 that has learned small generated patches."""

import hashlib
from collections.abc import Callable

import numpy as np
import pytest
import torch
from django.core.files.base import ContentFile
from torch import nn

from model.learning.network import Network, build_network, weights_bytes
from model.learning.patches import Patch
from model.learning.training import settle
from model.models import Classifier
from model.services import import_dataset
from tests.attacks.networks import patches

SIDE = 32


@pytest.fixture(scope="session")
def learned() -> Network:
    """ResNet-18, random start, that tells the two classes of ``networks.patches`` apart."""
    network, _ = build_network("resnet18", init="random", seed=0, image_size=SIDE)
    images, labels = patches(128, SIDE, seed=1)
    optimiser = torch.optim.AdamW(network.parameters(), 1e-3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network.train()
        for _ in range(12):
            for part in torch.randperm(128).split(32):
                optimiser.zero_grad()
                nn.functional.cross_entropy(network(images[part] / 255), labels[part]).backward()
                optimiser.step()
        settle(network, images.permute(0, 2, 3, 1), torch.device("cpu"))
    return network.eval()


@pytest.fixture
def make_classifier(db, own_files, learned) -> Callable[..., Classifier]:
    """A classifier of ``learned``'s weights whose test split has ``test`` patches (and 8 for training)."""

    def make(name: str = "small", test: int = 24) -> Classifier:
        images, labels = patches(test + 8, SIDE, seed=2)
        dataset = import_dataset(
            name=f"{name} patches",
            kind="synthetic",
            patches=[
                Patch(name=f"p{n}", pixels=image, tumour=bool(label), group="", tumour_cells=None, tumour_mask=None)
                for n, (image, label) in enumerate(zip(np.asarray(images.permute(0, 2, 3, 1)), labels))
            ],
            source={},
        )
        data, sha256 = weights_bytes(learned)
        assert hashlib.sha256(data).hexdigest() == sha256
        ids = list(dataset.patches.order_by("index").values_list("pk", flat=True))
        classifier = Classifier(
            name=name,
            dataset=dataset,
            initialisation="random",
            weights_sha256=sha256,
            seed=0,
            split={"train": ids[:8], "test": ids[8:], "grouped": False},
            code_version="test",
        )
        classifier.weights.save(f"{name}.pt", ContentFile(data))
        return classifier

    return make
