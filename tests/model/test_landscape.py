"""The loss surface of networks whose loss is known on paper."""

import numpy as np
import pytest
import torch
from torch import nn

from core.errors import InvalidInput
from model.learning import landscape as land
from model.learning.prediction import full_precision
from tests.model.test_training import dots, tiny


def flat_path(steps=6, size=40, seed=0):
    """Weights that wander in a plane; the plane's own axes and the steps' coordinates along them."""
    draw = torch.Generator().manual_seed(seed)
    axes = torch.linalg.qr(torch.randn(size, 2, generator=draw))[0].T
    coordinates = torch.randn(steps, 2, generator=draw) * torch.tensor([5.0, 1.0])
    return torch.randn(size, generator=draw) + coordinates @ axes


def test_coordinates_reproduce_the_weights_of_a_path_that_lies_in_a_plane():
    path = flat_path()
    plane = land.plane_of(path)
    for weights, (x, y) in zip(path, plane.coordinates.tolist()):
        torch.testing.assert_close(plane.weights(x, y), weights, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(plane.directions @ plane.directions.T, torch.eye(2), atol=1e-5, rtol=0)
    assert float(plane.explained.sum()) == pytest.approx(1, abs=1e-5)


def test_explained_variance_is_that_of_principal_components():
    path = torch.randn(9, 300, generator=torch.Generator().manual_seed(1))
    from sklearn.decomposition import PCA

    fitted = PCA(2).fit(path.numpy())
    plane = land.plane_of(path)
    np.testing.assert_allclose(plane.explained.numpy(), fitted.explained_variance_ratio_, rtol=1e-4)
    cosines = np.abs(np.sum(plane.directions.numpy() * fitted.components_, axis=1))
    np.testing.assert_allclose(cosines, 1, atol=1e-4)


def test_the_plane_goes_through_the_finished_network_exactly():
    path = torch.randn(7, 50, generator=torch.Generator().manual_seed(2))
    plane = land.plane_of(path)
    assert plane.coordinates[-1].tolist() == [0, 0]
    assert torch.equal(plane.weights(0.0, 0.0), path[-1])
    assert torch.equal(plane.start, path[0])


def test_the_plane_comes_back_from_its_file():
    plane = land.plane_of(flat_path())
    again = land.plane_from_bytes(land.plane_bytes(plane))
    for name in ("start", "final", "directions", "coordinates", "explained"):
        assert torch.equal(getattr(plane, name), getattr(again, name))


@pytest.mark.parametrize("path", [torch.rand(2, 10), torch.outer(torch.arange(5.0), torch.ones(10))])
def test_a_path_that_spans_no_plane_is_refused(path):
    with pytest.raises(InvalidInput, match="plane"):
        land.plane_of(path)


class Quadratic(nn.Module):
    """Logits (log p, log(1 - p)) with -log p = |w|^2: the cross-entropy of class 0 is a paraboloid in the weights."""

    def __init__(self, size=40):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(size))

    def forward(self, images):
        loss = self.w.double().square().sum()
        logits = torch.stack([-loss, torch.log(-torch.expm1(-loss).clamp(max=-1e-300))])
        return logits.expand(len(images), 2)


def test_a_quadratic_loss_gives_a_paraboloid():
    network = Quadratic()
    path = 0.2 * flat_path()
    plane = land.plane_of(path)
    images, labels = np.zeros((5, 4, 4, 3), np.uint8), np.zeros(5, int)
    found = land.landscape(network, network, plane, images, labels, steps=5, line_steps=3, batch_size=2)
    for row, y in enumerate(found.y):
        for column, x in enumerate(found.x):
            expected = float(plane.weights(x, y).double().square().sum())
            assert found.loss[row, column] == pytest.approx(expected, rel=1e-4)
    assert found.path_loss[-1] == pytest.approx(float(path[-1].double().square().sum()), rel=1e-4)
    middle = (path[0] + path[-1]) / 2
    assert found.line_loss[1] == pytest.approx(float(middle.double().square().sum()), rel=1e-4)
    second = np.diff(found.loss, 2, axis=1)
    np.testing.assert_allclose(second, second[0, 0], rtol=1e-3)  # constant curvature


def trained_plane(network):
    weights = land.flatten(network.body, network.body.state_dict())
    draw = torch.Generator().manual_seed(0)
    path = torch.stack([weights + 0.1 * k * torch.randn(len(weights), generator=draw) for k in (3, 2, 1)] + [weights])
    return land.plane_of(path)


def test_the_grid_holds_the_path_and_the_end_is_the_networks_own_loss():
    network, (images, labels) = tiny(), dots(n=12)
    plane = trained_plane(network)
    found = land.landscape(network, network.body, plane, images, labels, steps=4, line_steps=2, buffers="final")
    x, y = plane.coordinates.numpy().T
    assert found.x[0] < x.min() and found.x[-1] > x.max() and found.y[0] < y.min() and found.y[-1] > y.max()
    with torch.inference_mode(), full_precision():
        logits = network(torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255)
        own = float(nn.functional.cross_entropy(logits, torch.from_numpy(labels)))
    assert found.path_loss[-1] == pytest.approx(own, rel=1e-5) == found.line_loss[-1]


def test_by_default_the_loss_does_not_depend_on_batchnorms_memory():
    network, (images, labels) = tiny(), dots(n=12)
    plane = trained_plane(network)

    def surface(buffers):
        return land.landscape(network, network.body, plane, images, labels, steps=2, line_steps=2, buffers=buffers).loss

    before, kept = surface("batch"), surface("final")
    network.body[1].running_mean += 0.5
    np.testing.assert_allclose(surface("batch"), before, rtol=1e-6)
    assert not np.allclose(surface("final"), kept)


def test_images_that_come_class_by_class_give_the_loss_of_one_batch_of_all():
    class Brightness(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.head = nn.BatchNorm2d(3), nn.Linear(3, 2)
            with torch.no_grad():
                self.head.weight.copy_(torch.tensor([[-2.0], [2.0]]).expand(2, 3))
                self.head.bias.zero_()

        def forward(self, x):
            return self.head(self.norm(x).mean((2, 3)))

    network = Brightness().eval()
    labels = np.repeat([0, 1], 8)
    images = np.repeat(np.where(labels, 200, 50), 8 * 8 * 3).reshape(16, 8, 8, 3).astype(np.uint8)
    path = torch.stack([torch.nn.utils.parameters_to_vector(network.head.parameters()).detach() + 0.1 * step
                        for step in flat_path(size=8)])  # fmt: skip
    plane = land.plane_of(path)
    one, parts = (
        land.landscape(network, network.head, plane, images, labels, steps=2, batch_size=size).path_loss
        for size in (16, 4)
    )
    np.testing.assert_allclose(parts, one, rtol=1e-5)
    assert one.max() < 0.3  # a batch of one class would leave log 2


def test_the_network_is_as_before_afterwards():
    network, (images, labels) = tiny(), dots(n=8)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    calls = []
    land.landscape(
        network,
        network.body,
        trained_plane(network),
        images,
        labels,
        steps=3,
        line_steps=2,
        edge=16,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert not network.training and network.body[1].momentum == 0.1
    assert calls[-1] == (15, 15) and len(calls) == 15
