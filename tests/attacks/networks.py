"""Small real classifiers for tests of the attack engine: trained in a second, on patches drawn from a seed."""

import functools

import torch
from torch import Tensor, nn


def patches(n: int, side: int = 32, seed: int = 0) -> tuple[Tensor, Tensor]:
    """uint8 (n, 3, side, side) pink noise patches, labels (n,): class 1 has dark violet dots in it."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 2
    ground = torch.tensor([225.0, 185.0, 210.0]).reshape(1, 3, 1, 1)
    pixels = ground + 12 * torch.randn(n, 3, side, side, generator=draw)
    dots = (torch.rand(n, 1, side // 4, side // 4, generator=draw) < 0.2).float()
    dots = nn.functional.interpolate(dots, scale_factor=4) * labels.reshape(-1, 1, 1, 1)
    violet = torch.tensor([120.0, 80.0, 160.0]).reshape(1, 3, 1, 1)
    pixels = pixels * (1 - 0.35 * dots) + violet * 0.35 * dots
    return pixels.round().clamp(0, 255).to(torch.uint8), labels


class SmallNet(nn.Module):
    """Convolutions with batch normalisation, a residual join and pooling: what a ResNet-18 is made of."""

    def __init__(self, classes: int = 2):
        super().__init__()
        self.enter = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.block = nn.Sequential(nn.Conv2d(8, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8))
        self.leave = nn.Linear(8, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter((x - 0.7) / 0.2)
        x = torch.relu(x + self.block(x))
        return self.leave(x.mean((2, 3)))


@functools.cache
def trained(classes: int = 2, side: int = 32) -> nn.Module:
    """A ``SmallNet`` that has learned ``patches`` (with more classes: the parity of the label), in evaluation mode."""
    torch.manual_seed(0)
    network = SmallNet(classes)
    images, labels = patches(256, side, seed=1)
    optimiser = torch.optim.Adam(network.parameters(), 0.02)
    for _ in range(40):
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(images / 255), labels).backward()
        optimiser.step()
    return network.eval()


class WithstandingNet(nn.Module):
    """Three convolutions, for ``hardened``."""

    def __init__(self):
        super().__init__()
        self.look = nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
            nn.Conv2d(16, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 16, 3, 1, 1), nn.ReLU(),
        )  # fmt: skip
        self.leave = nn.Linear(16, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.leave(self.look((x - 0.7) / 0.2).mean((2, 3)))


@functools.cache
def hardened() -> nn.Module:
    """A network trained on the worst of three small Linf steps, so that it takes a good attack to flip it."""
    torch.manual_seed(0)
    network = WithstandingNet()
    images, labels = patches(256, seed=1)
    optimiser = torch.optim.Adam(network.parameters(), 5e-3)
    for step in range(90):
        rows = torch.randint(0, 256, (32,))
        x, y, cap = images[rows] / 255, labels[rows], 4 / 255 * min(1, step / 40)
        delta = torch.zeros_like(x)
        for _ in range(3):
            delta.requires_grad_(True)
            (gradient,) = torch.autograd.grad(nn.functional.cross_entropy(network(x + delta), y), delta)
            delta = (delta + cap / 2 * gradient.sign()).clamp(-cap, cap).detach()
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(x + delta), y).backward()
        optimiser.step()
    return network.eval()
