"""Data made by formula, of any shape and size."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from descent.data.source import Source


def synthetic(
    task: str, shape: Sequence[int], samples: int, classes: int, difficulty: float, noise: float, seed: int
) -> Source:
    """Noisy samples around random class centres c: x = (1 - difficulty) c + noise e, c and e standard normal.

    Two classes at distance |c - c'| are told apart at best with probability Φ((1 - difficulty) |c - c'| / (2 noise)).
    For regression noisy values of a random linear map: y = (1 - difficulty) x·w + noise e, |w| about 1.
    """
    random = torch.Generator().manual_seed(seed)
    make = _clusters if task == "classification" else _linear_map
    inputs, targets = make(tuple(shape), samples, classes, 1 - difficulty, noise, random)
    return Source("synthetic", task, inputs, targets, classes)


def _clusters(
    shape: tuple[int, ...], samples: int, classes: int, signal: float, noise: float, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    centres = signal * torch.randn(classes, *shape, generator=random)
    targets = torch.arange(samples) % classes
    return centres[targets] + noise * torch.randn(samples, *shape, generator=random), targets


def _linear_map(
    shape: tuple[int, ...], samples: int, classes: int, signal: float, noise: float, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    inputs = torch.randn(samples, *shape, generator=random)
    weights = signal * torch.randn(math.prod(shape), classes, generator=random) / math.sqrt(math.prod(shape))
    return inputs, inputs.flatten(1) @ weights + noise * torch.randn(samples, classes, generator=random)
