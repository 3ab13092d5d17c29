"""Points of a plane along curves that no straight line parts."""

import math

import torch
from torch import Tensor

from descent.data.source import Source


def two_moons(samples: int, noise: float, seed: int) -> Source:
    """Half circles into each other: (cos t, sin t) and (1 - cos t, 0.5 - sin t), t from 0 to π, and noise."""
    random, targets = torch.Generator().manual_seed(seed), torch.arange(samples) % 2
    angle = math.pi * torch.rand(samples, generator=random)
    upper = torch.stack([angle.cos(), angle.sin()], 1)
    lower = torch.tensor([1.0, 0.5]) - upper
    points = torch.where(targets.bool().unsqueeze(1), lower, upper)
    return _plane("two_moons", points, noise, targets, 2, random)


def spirals(samples: int, classes: int, turns: float, noise: float, seed: int) -> Source:
    """Arms around the origin: t (cos a, sin a) with a = 2π (turns t + class / classes), t from 0 to 1, plus noise."""
    random, targets = torch.Generator().manual_seed(seed), torch.arange(samples) % classes
    radius = torch.rand(samples, generator=random)
    angle = 2 * math.pi * (turns * radius + targets / classes)
    points = radius.unsqueeze(1) * torch.stack([angle.cos(), angle.sin()], 1)
    return _plane("spirals", points, noise, targets, classes, random)


def _plane(name: str, points: Tensor, noise: float, targets: Tensor, classes: int, random: torch.Generator) -> Source:
    inputs = points + noise * torch.randn(points.shape, generator=random)
    return Source(name, "classification", inputs, targets, classes, columns=("x", "y"))
